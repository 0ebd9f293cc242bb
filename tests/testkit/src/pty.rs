//! A pseudo terminal, which is a serial port with somebody at its other end. Whoever drops it unplugs the cable.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// The far end of a serial port.
#[derive(Debug)]
pub struct Pty {
    far: File,
    path: PathBuf,
    /// Held open, so that the far end survives the times in which nobody has the port open.
    _near: File,
}

impl Pty {
    pub fn open() -> Result<Self> {
        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&far)?;
        unlockpt(&far)?;
        let name = ptsname(&far, Vec::new())?;
        let path = PathBuf::from(name.to_str().context("the terminal's name is no text")?);
        let near = File::options().read(true).write(true).open(&path)?;
        // Without it the terminal would say everything back until the box has set it.
        let mut settings = tcgetattr(&near)?;
        settings.make_raw();
        tcsetattr(&near, OptionalActions::Now, &settings)?;
        Ok(Pty { far: far.into(), path, _near: near })
    }

    /// The device that the box opens.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The far end says this.
    pub fn say(&self, text: &str) -> Result<()> {
        Ok((&self.far).write_all(text.as_bytes())?)
    }

    /// What the far end hears next, up to the end of a line. It blocks.
    pub fn hear_line(&self) -> Result<String> {
        let mut line = Vec::new();
        let mut byte = [0u8; 1];
        while (&self.far).read(&mut byte)? == 1 && byte != *b"\n" {
            line.extend(byte);
        }
        Ok(String::from_utf8(line)?)
    }

    /// Bytes go to and from a TCP server, as with a serial device server.
    pub fn connect_to(&self, address: SocketAddr) -> Result<()> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let (mut heard, mut said) = (self.far.try_clone()?, self.far.try_clone()?);
        let mut to_server = stream.try_clone()?;
        std::thread::spawn(move || std::io::copy(&mut heard, &mut to_server));
        std::thread::spawn(move || std::io::copy(&mut stream, &mut said));
        Ok(())
    }
}
