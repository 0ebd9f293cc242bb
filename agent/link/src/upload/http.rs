//! One HTTPS PUT of a file: streamed, with its checksum, from any byte on. rustls with ring; the server's name is checked.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use kerbside_wire::Grant;

use crate::tuning::{BLOCK_BYTES, SLOWEST_UPLOAD, UPLOAD_CONNECT_LIMIT};

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stored,
    /// The server has so many bytes and wants the rest.
    Has(u64),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PutError {
    /// Never will: the centre must grant anew.
    #[error("{0}")]
    Refused(String),
    /// Another time perhaps.
    #[error("{0}")]
    NotNow(String),
}

fn not_now(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> PutError {
    move |e| PutError::NotNow(format!("{what}: {e}"))
}

/// The file as it is read, block by block.
struct Blocks(mpsc::Receiver<std::io::Result<Bytes>>);

impl Body for Blocks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(cx).map(|block| block.map(|block| block.map(Frame::data)))
    }
}

/// Part of a file, and how much of it the server has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) file: &'a Path,
    pub(super) bytes: u64,
    /// `None`: only ask how far it got.
    pub(super) from: Option<u64>,
}

/// Sends the part. `wait` is called before each block and returns when it may go.
pub(super) async fn put(
    grant: &Grant,
    tls: Option<&Arc<rustls::ClientConfig>>,
    part: Part<'_>,
    wait: Arc<dyn Fn() + Send + Sync>,
) -> Result<Answer, PutError> {
    let uri: Uri = grant.url.parse().map_err(|e| PutError::Refused(format!("url: {e}")))?;
    let host = uri.host().ok_or_else(|| PutError::Refused("url without a host".to_owned()))?.to_owned();
    let secure = uri.scheme_str() == Some("https");
    if !secure && !is_this_machine(&host) {
        return Err(PutError::Refused("not https: evidence never goes in the clear".to_owned()));
    }
    let request = request(grant, &uri, &host, part, wait)?;
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let connect = TcpStream::connect((bare.clone(), port));
    let stream = tokio::time::timeout(UPLOAD_CONNECT_LIMIT, connect).await;
    let stream = stream.map_err(|e| not_now("connect")(&e))?.map_err(|e| not_now("connect")(&e))?;
    let limit = Duration::from_secs(60 + part.bytes / SLOWEST_UPLOAD);
    let answered = async {
        if !secure {
            return exchange(stream, request).await;
        }
        let config = tls.ok_or_else(|| PutError::Refused("no CA is known for https".to_owned()))?;
        let name = ServerName::try_from(bare).map_err(|e| PutError::Refused(format!("url: {e}")))?;
        let connector = tokio_rustls::TlsConnector::from(config.clone());
        exchange(connector.connect(name, stream).await.map_err(|e| not_now("TLS")(&e))?, request).await
    };
    tokio::time::timeout(limit, answered)
        .await
        .map_err(|_| PutError::NotNow(format!("longer than {limit:?}")))?
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn request(
    grant: &Grant,
    uri: &Uri,
    host: &str,
    part: Part<'_>,
    wait: Arc<dyn Fn() + Send + Sync>,
) -> Result<Request<Blocks>, PutError> {
    let total = part.bytes;
    let length = part.from.map_or(0, |from| total - from);
    let authority = uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let mut request = Request::builder().method("PUT").uri(path).header("host", authority);
    request = request.header("content-length", length);
    // How long it is and where it goes is ours to say.
    let ours = ["host", "content-length", "transfer-encoding", "content-range"];
    let granted = grant.headers.iter().filter(|(name, _)| !ours.contains(&name.to_lowercase().as_str()));
    for (name, value) in granted {
        request = request.header(name, value);
    }
    match part.from {
        None => request = request.header("content-range", format!("bytes */{total}")),
        Some(0) => request = request.header("content-digest", digest(&grant.sha256)),
        Some(from) => {
            request = request.header("content-range", format!("bytes {from}-{}/{total}", total - 1));
        }
    }
    let (blocks, body) = mpsc::channel(2);
    if let Some(from) = part.from {
        let file = part.file.to_owned();
        tokio::task::spawn_blocking(move || read(&file, from, &blocks, &*wait));
    }
    request.body(Blocks(body)).map_err(|e| PutError::Refused(format!("headers of the grant: {e}")))
}

/// RFC 9530.
fn digest(sha256: &str) -> String {
    let hex = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok());
    let bytes: Vec<u8> = sha256.as_bytes().chunks(2).filter_map(hex).collect();
    format!("sha-256=:{}:", Base64::encode_string(&bytes))
}

fn read(file: &Path, from: u64, blocks: &mpsc::Sender<std::io::Result<Bytes>>, wait: &dyn Fn()) {
    let opened = std::fs::File::open(file).and_then(|mut f| f.seek(SeekFrom::Start(from)).map(|_| f));
    let mut file = match opened {
        Ok(file) => file,
        Err(e) => return drop(blocks.blocking_send(Err(e))),
    };
    let mut buffer = vec![0; BLOCK_BYTES];
    loop {
        wait();
        let block = match file.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => Ok(Bytes::copy_from_slice(&buffer[..n])),
            Err(e) => Err(e),
        };
        // The connection is gone: nobody wants the rest.
        if blocks.blocking_send(block).is_err() {
            return;
        }
    }
}

async fn exchange<S>(stream: S, request: Request<Blocks>) -> Result<Answer, PutError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let io = Io(stream);
    let (mut sender, connection) = http1::handshake(io).await.map_err(|e| not_now("HTTP")(&e))?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await;
    connection.abort();
    let response = response.map_err(|e| not_now("HTTP")(&e))?;
    let status = response.status();
    let text = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    match status {
        s if s.is_success() => Ok(Answer::Stored),
        StatusCode::PERMANENT_REDIRECT => {
            let end = text("range").and_then(|r| r.strip_prefix("bytes=0-")?.parse::<u64>().ok());
            Ok(Answer::Has(end.map_or(0, |end| end + 1)))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Err(PutError::NotNow(format!("the server answers {status}")))
        }
        s if s.is_client_error() => Err(PutError::Refused(format!("the server answers {status}"))),
        _ => Err(PutError::NotNow(format!("the server answers {status}"))),
    }
}

/// tokio's streams for hyper.
struct Io<S>(S);

impl<S: AsyncRead + Unpin> hyper::rt::Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut block = [0; 8192];
        let room = block.len().min(buf.remaining());
        let mut into = tokio::io::ReadBuf::new(&mut block[..room]);
        std::task::ready!(Pin::new(&mut self.0).poll_read(cx, &mut into))?;
        buf.put_slice(into.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> hyper::rt::Write for Io<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
