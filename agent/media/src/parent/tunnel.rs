//! A TLS camera without TLS, on a port of loopback, for one child: what comes in goes on inside TLS once the camera's certificate
//! has convinced. It ends with the session that opened it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kerbside_domain::camera_state::Off;
use kerbside_site::camera_url::NetworkUrl;
use kerbside_site::config::TlsTrust;
use parking_lot::Mutex;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::connect::{self, ReachFault};
use super::tls::TlsClient;

/// Connections of one child at a time. Bound: RTSP needs one, a playlist's pieces two.
const MAX_CONNECTIONS: usize = 4;
/// Bytes that are passed on at once. Bound: a TLS record holds as many.
const PIECE: usize = 16 * 1024;

/// Dropped, it hangs up.
#[derive(Debug)]
pub(super) struct Tunnel {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    url: NetworkUrl,
    client: TlsClient,
    limit: Duration,
    closed: AtomicBool,
    /// Both ends of every connection, to hang up.
    open: Mutex<Vec<[TcpStream; 2]>>,
}

impl Tunnel {
    /// Connects once, so that a camera that does not convince is known before anything is told to it.
    pub(super) fn open(url: &NetworkUrl, trust: &TlsTrust, limit: Duration) -> Result<Tunnel, ReachFault> {
        let failed = |e: std::io::Error| ReachFault::new(Off::Crashed, format!("no tunnel for TLS: {e}"));
        let client = TlsClient::new(trust)?;
        let (closed, open) = (AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { url: url.clone(), client, limit, closed, open });
        let first = shared.connect()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let serving = shared.clone();
        std::thread::Builder::new()
            .name("camera-tls".into())
            .spawn(move || serving.serve(&listener, first))
            .map_err(failed)?;
        Ok(Tunnel { port, shared })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        for ends in self.shared.open.lock().drain(..) {
            hang_up(ends.each_ref());
        }
        // Wakes the listener, which then finds that it is over.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn hang_up(ends: [&TcpStream; 2]) {
    for end in ends {
        // It may be gone already.
        let _ = end.shutdown(Shutdown::Both);
    }
}

/// One connection to the camera, after its handshake.
struct Secured {
    socket: TcpStream,
    tls: ClientConnection,
}

impl Shared {
    fn connect(&self) -> Result<Secured, ReachFault> {
        let mut socket = connect::connect(&self.url, self.limit)?;
        let address = self.url.address();
        let broken = |e: std::io::Error| ReachFault::new(Off::Unreachable, format!("{address}: {e}"));
        socket.set_nodelay(true).map_err(broken)?;
        socket.set_read_timeout(Some(self.limit)).map_err(broken)?;
        socket.set_write_timeout(Some(self.limit)).map_err(broken)?;
        let name = ServerName::try_from(self.url.host.clone())
            .map_err(|e| ReachFault::new(Off::Certificate, format!("{address}: {e}")))?;
        let mut tls = ClientConnection::new(self.client.config.clone(), name)
            .map_err(|e| ReachFault::new(Off::Protocol, format!("{address}: {e}")))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).map_err(|e| self.handshake_failed(&e))?;
        }
        socket.set_read_timeout(None).map_err(broken)?;
        Ok(Secured { socket, tls })
    }

    fn handshake_failed(&self, error: &std::io::Error) -> ReachFault {
        let address = self.url.address();
        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
            return ReachFault::new(Off::Silent, format!("{address}: no answer to TLS"));
        }
        let tls = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
        let Some(rustls::Error::InvalidCertificate(why)) = tls else {
            return ReachFault::new(
                Off::Protocol,
                format!("{address}: it does not speak TLS as this box does: {error}"),
            );
        };
        let why = match why {
            rustls::CertificateError::ApplicationVerificationFailure => {
                "it is not the certificate of tls_fingerprint".to_owned()
            }
            other => other.to_string(),
        };
        let seen = self.client.fingerprint_seen().unwrap_or_default();
        ReachFault::new(
            Off::Certificate,
            format!("{address}: the certificate does not convince: {why}; its SHA-256 is {seen}"),
        )
    }

    /// Takes the child's connections until the session is over.
    fn serve(self: &Arc<Self>, listener: &TcpListener, first: Secured) {
        let mut first = Some(first);
        while let Ok((child, _)) = listener.accept() {
            if self.closed.load(Ordering::Acquire) {
                return;
            }
            if self.open.lock().len() >= MAX_CONNECTIONS {
                continue;
            }
            let camera = match first.take() {
                Some(camera) => camera,
                None => match self.connect() {
                    Ok(camera) => camera,
                    Err(fault) => {
                        tracing::debug!(why = fault.text, "no further connection to the camera");
                        continue;
                    }
                },
            };
            if let Err(error) = self.relay(child, camera) {
                tracing::debug!(%error, "the tunnel to a camera broke");
            }
        }
    }

    /// Starts to pass on, both ways.
    fn relay(self: &Arc<Self>, child: TcpStream, camera: Secured) -> std::io::Result<()> {
        let Secured { socket, tls } = camera;
        child.set_nodelay(true)?;
        self.open.lock().push([child.try_clone()?, socket.try_clone()?]);
        let tls = Arc::new(Mutex::new(tls));
        let up = Relay { child: child.try_clone()?, camera: socket.try_clone()?, tls: tls.clone() };
        let down = Relay { child, camera: socket, tls };
        let (one, other) = (self.clone(), self.clone());
        let thread = |name: &str| std::thread::Builder::new().name(name.into());
        thread("camera-tls-up").spawn(move || one.ended(up.up(), &up))?;
        thread("camera-tls-down").spawn(move || other.ended(down.down(), &down))?;
        Ok(())
    }

    fn ended(&self, result: std::io::Result<()>, relay: &Relay) {
        if let Err(error) = result {
            tracing::debug!(%error, "the tunnel to a camera ended");
        }
        hang_up([&relay.child, &relay.camera]);
        let local = relay.child.peer_addr().ok();
        self.open.lock().retain(|[child, _]| child.peer_addr().ok() != local);
    }
}

/// One direction of one connection.
struct Relay {
    child: TcpStream,
    camera: TcpStream,
    tls: Arc<Mutex<ClientConnection>>,
}

impl Relay {
    /// What the child says.
    fn up(&self) -> std::io::Result<()> {
        let mut piece = [0; PIECE];
        loop {
            let n = (&self.child).read(&mut piece)?;
            let mut tls = self.tls.lock();
            if n == 0 {
                tls.send_close_notify();
                return self.flush(&mut tls);
            }
            tls.writer().write_all(&piece[..n])?;
            self.flush(&mut tls)?;
        }
    }

    /// What the camera sends.
    fn down(&self) -> std::io::Result<()> {
        let (mut raw, mut plain) = ([0; PIECE], [0; PIECE]);
        loop {
            self.pass_on(&mut plain)?;
            let n = (&self.camera).read(&mut raw)?;
            if n == 0 {
                return Ok(());
            }
            let mut rest = &raw[..n];
            while !rest.is_empty() {
                {
                    let mut tls = self.tls.lock();
                    tls.read_tls(&mut rest)?;
                    tls.process_new_packets().map_err(std::io::Error::other)?;
                    self.flush(&mut tls)?;
                }
                self.pass_on(&mut plain)?;
            }
        }
    }

    /// What is readable of it goes to the child.
    fn pass_on(&self, plain: &mut [u8]) -> std::io::Result<()> {
        loop {
            let n = match self.tls.lock().reader().read(plain) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            (&self.child).write_all(&plain[..n])?;
        }
    }

    fn flush(&self, tls: &mut ClientConnection) -> std::io::Result<()> {
        while tls.wants_write() {
            tls.write_tls(&mut &self.camera)?;
        }
        Ok(())
    }
}
