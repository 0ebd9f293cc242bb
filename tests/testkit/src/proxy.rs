//! A network in between: carries TCP to a port of loopback with a delay each way.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::wait::{now, sleep_until};

/// Runs until the process ends; connections are carried as long as both ends hold.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
}

impl Proxy {
    /// To `target`, every byte `delay` late: a round trip takes twice that longer.
    pub fn start(target: u16, delay: Duration) -> Result<Proxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Nobody there: the client sees its connection close.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
                    let _ = carry(&client, &server, delay).and_then(|()| carry(&server, &client, delay));
                }
            }
        });
        Ok(Proxy { port })
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

fn carry(from: &TcpStream, to: &TcpStream, delay: Duration) -> Result<()> {
    let (mut from, to) = (from.try_clone()?, to.try_clone()?);
    to.set_nodelay(true)?;
    let (line, end) = channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if line.send((now() + delay, buffer[..n].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || deliver(&end, to));
    Ok(())
}

fn deliver(line: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    for (due, bytes) in line {
        sleep_until(due);
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
