//! For tests: a pseudo terminal, which is a serial port with somebody at its other end.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// The far end of a serial port.
#[derive(Debug)]
pub(super) struct Pty {
    far: File,
    path: PathBuf,
    /// Held open, so that the far end survives the times in which nobody has the port open.
    _near: File,
}

impl Pty {
    pub(super) fn open() -> Self {
        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&far).unwrap();
        unlockpt(&far).unwrap();
        let name = ptsname(&far, Vec::new()).unwrap();
        let path = PathBuf::from(name.to_str().unwrap());
        let near = File::options().read(true).write(true).open(&path).unwrap();
        // Without it the terminal would say everything back until the box has set it.
        let mut settings = tcgetattr(&near).unwrap();
        settings.make_raw();
        tcsetattr(&near, OptionalActions::Now, &settings).unwrap();
        Pty { far: far.into(), path, _near: near }
    }

    /// The device that the box opens.
    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The far end says this.
    pub(super) fn say(&self, text: &str) {
        (&self.far).write_all(text.as_bytes()).unwrap();
    }

    /// What the far end hears next, up to the end of a line. It blocks.
    pub(super) fn hear_line(&self) -> String {
        let mut line = Vec::new();
        let mut byte = [0u8; 1];
        while (&self.far).read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            line.extend(byte);
        }
        String::from_utf8(line).unwrap()
    }

    /// Bytes go to and from a TCP server, as with a serial device server.
    pub(super) fn connect_to(&self, address: SocketAddr) {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut heard, mut said) = (self.far.try_clone().unwrap(), self.far.try_clone().unwrap());
        let mut to_server = stream.try_clone().unwrap();
        std::thread::spawn(move || std::io::copy(&mut heard, &mut to_server));
        std::thread::spawn(move || std::io::copy(&mut stream, &mut said));
    }
}
