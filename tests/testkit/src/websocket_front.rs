//! WebSocket, plain or TLS, in front of a broker that speaks plain MQTT, as EMQX and mosquitto with libwebsockets offer it.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tungstenite::handshake::server::{Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::{Bytes, Error, Message, WebSocket};

/// How long each side is listened to before the other has its turn.
const TURN: Duration = Duration::from_millis(2);

/// Runs until the process ends.
#[derive(Debug)]
pub struct WebSocketFront {
    port: u16,
    /// Clients that came with the right path and subprotocol.
    let_in: Arc<AtomicU32>,
}

impl WebSocketFront {
    /// To the broker at `target`, for clients that ask for `path`.
    /// `tls`: certificate chain and key.
    pub fn start(target: u16, path: &'static str, tls: Option<(&Path, &Path)>) -> Result<WebSocketFront> {
        let tls = tls.map(|(chain, key)| crate::rtsp::tls(chain, key)).transpose()?;
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let let_in = Arc::new(AtomicU32::new(0));
        let counted = let_in.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (tls, counted) = (tls.clone(), counted.clone());
                std::thread::spawn(move || {
                    // An end of either side is the end of both.
                    let _ = serve(client, target, path, tls, &counted);
                });
            }
        });
        Ok(WebSocketFront { port, let_in })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn let_in(&self) -> u32 {
        self.let_in.load(Ordering::Relaxed)
    }
}

fn serve(
    client: TcpStream,
    target: u16,
    path: &str,
    tls: Option<Arc<ServerConfig>>,
    let_in: &AtomicU32,
) -> Result<()> {
    client.set_nodelay(true)?;
    let ends = client.try_clone()?;
    match tls {
        None => carry(client, &ends, target, path, let_in),
        Some(config) => {
            let connection = ServerConnection::new(config)?;
            carry(StreamOwned::new(connection, client), &ends, target, path, let_in)
        }
    }
}

fn carry<S: Read + Write>(
    stream: S,
    ends: &TcpStream,
    target: u16,
    path: &str,
    let_in: &AtomicU32,
) -> Result<()> {
    #[allow(clippy::result_large_err)] // The library's own type.
    let shake = |request: &Request, mut response: Response| {
        let protocols = request.headers().get("sec-websocket-protocol");
        if request.uri().path() != path || protocols != Some(&HeaderValue::from_static("mqtt")) {
            let mut refusal = tungstenite::http::Response::new(None);
            *refusal.status_mut() = tungstenite::http::StatusCode::NOT_FOUND;
            return Err(refusal);
        }
        response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("mqtt"));
        Ok(response)
    };
    let mut client = tungstenite::accept_hdr(stream, shake).ok().context("no WebSocket")?;
    let_in.fetch_add(1, Ordering::Relaxed);
    let mut broker = TcpStream::connect(("127.0.0.1", target))?;
    broker.set_nodelay(true)?;
    broker.set_read_timeout(Some(TURN))?;
    ends.set_read_timeout(Some(TURN))?;
    loop {
        if !to_broker(&mut client, &mut broker)? || !to_client(&mut broker, &mut client)? {
            return Ok(());
        }
    }
}

/// False: the client is gone.
fn to_broker<S: Read + Write>(client: &mut WebSocket<S>, broker: &mut TcpStream) -> Result<bool> {
    match client.read() {
        Ok(Message::Binary(bytes)) => broker.write_all(&bytes)?,
        Ok(Message::Close(_)) => return Ok(false),
        Ok(_) => {}
        Err(Error::Io(e)) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
        Err(e) => return Err(e.into()),
    }
    Ok(true)
}

/// In pieces that respect no packet of MQTT. False: the broker is gone.
fn to_client<S: Read + Write>(broker: &mut TcpStream, client: &mut WebSocket<S>) -> Result<bool> {
    let mut block = [0; 700];
    match broker.read(&mut block) {
        Ok(0) => return Ok(false),
        Ok(n) => client.send(Message::Binary(Bytes::copy_from_slice(&block[..n])))?,
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
        Err(e) => return Err(e.into()),
    }
    Ok(true)
}
