//! A server of a test's own: a thread a connection, and what all of them have seen.

use std::fmt::Display;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::wait::{Missed, Watched};

/// Runs until it is dropped. `S`: what it has seen, in words for a test that waited in vain.
#[derive(Debug)]
pub struct Served<S> {
    port: u16,
    seen: Arc<Watched<S>>,
}

impl<S: Default + Display + Send + 'static> Served<S> {
    /// Listens on a free port; `serve` attends to one connection.
    pub(crate) fn by(
        serve: impl Fn(&TcpStream, &Arc<Watched<S>>) -> Result<()> + Clone + Send + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Watched::new(S::default()));
        let weak = Arc::downgrade(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(seen) = weak.upgrade() else { break };
                let serve = serve.clone();
                std::thread::spawn(move || {
                    // An error is a client that went away.
                    let _ = serve(&stream, &seen);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Ok(Served { port, seen })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until what was seen satisfies `look`.
    pub fn until<T>(
        &self,
        awaited: &str,
        limit: Duration,
        look: impl FnMut(&S) -> Option<T>,
    ) -> Result<T, Missed> {
        self.seen.until(awaited, limit, look, S::to_string)
    }

    pub fn read<T>(&self, read: impl FnOnce(&S) -> T) -> T {
        self.seen.read(read)
    }
}
