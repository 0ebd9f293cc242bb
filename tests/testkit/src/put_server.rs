//! Where a grant's address leads: a store that takes one PUT after the other, and hangs up on the first ones as its script says.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::wait::{Missed, Watched};

/// What has come.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Of the request that is being read, or was read last.
    pub bytes: Vec<u8>,
    /// Requests whose body came whole.
    pub whole: usize,
    /// Every request's first line.
    pub requests: Vec<String>,
    /// After so many bytes the next requests are hung up on.
    breaks: VecDeque<usize>,
}

/// Runs until it is dropped.
#[derive(Debug)]
pub struct PutServer {
    port: u16,
    stored: Arc<Watched<Stored>>,
}

impl PutServer {
    /// The first requests are cut after `breaks` bytes each.
    pub fn start(breaks: Vec<usize>) -> Result<PutServer> {
        PutServer::listen(breaks, None)
    }

    /// The same inside TLS, with this certificate chain and key.
    pub fn start_tls(chain: &Path, key: &Path) -> Result<PutServer> {
        PutServer::listen(Vec::new(), Some(crate::rtsp::tls(chain, key)?))
    }

    fn listen(breaks: Vec<usize>, tls: Option<Arc<ServerConfig>>) -> Result<PutServer> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let stored = Arc::new(Watched::new(Stored { breaks: breaks.into(), ..Stored::default() }));
        let weak = Arc::downgrade(&stored);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(stored) = weak.upgrade() else { break };
                // An error is a box that hung up: the test's business.
                let _ = match &tls {
                    None => take(stream, &stored),
                    Some(config) => ServerConnection::new(config.clone())
                        .map_err(anyhow::Error::from)
                        .and_then(|tls| take(StreamOwned::new(tls, stream), &stored)),
                };
            }
        });
        Ok(PutServer { port, stored })
    }

    /// An address of it, with this path and query.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.stored.read(|s| s.bytes.clone())
    }

    /// Waits until what is stored satisfies `look`.
    pub fn until<T>(
        &self,
        awaited: &str,
        limit: Duration,
        look: impl FnMut(&Stored) -> Option<T>,
    ) -> Result<T, Missed> {
        self.stored.until(awaited, limit, look, |s| {
            format!("{} bytes now; {} whole; requests: {:?}", s.bytes.len(), s.whole, s.requests)
        })
    }
}

fn take(stream: impl Read + Write, stored: &Watched<Stored>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut line, mut request) = (0, String::new(), None);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        request.get_or_insert_with(|| line.trim().to_owned());
        if let Some(bytes) = line.to_lowercase().strip_prefix("content-length: ") {
            length = bytes.trim().parse()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let break_after = stored.change(|s| {
        s.bytes.clear();
        s.requests.extend(request);
        s.breaks.pop_front()
    });
    let mut block = vec![0; 16 * 1024];
    let mut taken = 0;
    while taken < length {
        let n = reader.read(&mut block)?;
        if n == 0 {
            bail!("the box hung up");
        }
        taken += n;
        stored.change(|s| s.bytes.extend_from_slice(block.get(..n).unwrap_or_default()));
        if break_after.is_some_and(|bytes| taken >= bytes) {
            return Ok(());
        }
    }
    stored.change(|s| s.whole += 1);
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    Ok(())
}
