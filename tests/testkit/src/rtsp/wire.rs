//! The connection with one client: plain, or inside TLS. Two threads write, one reads.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

/// The server's side of TLS: the chain and the key of these PEM files.
pub(crate) fn tls(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let at = |path: &Path| path.display().to_string();
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(chain).and_then(Iterator::collect).with_context(|| at(chain))?;
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| at(key))?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

/// A connection that is shared between the thread that answers and the one that plays.
#[derive(Clone)]
pub(crate) struct Wire {
    socket: Arc<TcpStream>,
    /// Held while anything is written.
    tls: Arc<Mutex<Option<ServerConnection>>>,
    is_tls: bool,
}

impl Wire {
    pub(crate) fn new(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> Result<Wire> {
        socket.set_nodelay(true)?;
        let mut tls = tls.map(ServerConnection::new).transpose()?;
        if let Some(tls) = &mut tls {
            tls.set_buffer_limit(None);
        }
        let is_tls = tls.is_some();
        Ok(Wire { socket: Arc::new(socket), tls: Arc::new(Mutex::new(tls)), is_tls })
    }

    /// All of it, at once.
    pub(crate) fn send(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut held = self.tls.lock();
        match &mut *held {
            None => (&*self.socket).write_all(bytes),
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                flush(tls, &self.socket)
            }
        }
    }

    pub(crate) fn hang_up(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Where the client is.
    pub(crate) fn peer(&self) -> std::io::Result<std::net::SocketAddr> {
        self.socket.peer_addr()
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if !self.is_tls {
            return (&*self.socket).read(into);
        }
        loop {
            if let Some(tls) = &mut *self.tls.lock() {
                match tls.reader().read(into) {
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                    other => return other,
                }
            }
            // Without the lock: the client may be quiet for long.
            let mut raw = [0; 4096];
            let n = (&*self.socket).read(&mut raw)?;
            if n == 0 {
                return Ok(0);
            }
            if let Some(tls) = &mut *self.tls.lock() {
                let mut rest = &raw[..n];
                while !rest.is_empty() {
                    tls.read_tls(&mut rest)?;
                    let read = tls.process_new_packets();
                    flush(tls, &self.socket)?;
                    read.map_err(Error::other)?;
                }
            }
        }
    }
}

fn flush(tls: &mut ServerConnection, mut socket: &TcpStream) -> std::io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(&mut socket)?;
    }
    Ok(())
}
