//! One HTTPS PUT of a file: streamed, with its checksum, from any byte on. rustls with ring; the server's name is checked.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use kerbside_site::config::Proxy;
use kerbside_wire::Grant;
use kerbside_wire::text::clipped;

use super::destination::Destination;
use super::put_error::PutError;
use crate::tuning::{BLOCK_BYTES, SLOWEST_UPLOAD, UPLOAD_STALL};

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stored,
    /// The server has so many bytes and wants the rest.
    Has(u64),
}

fn not_now(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> PutError {
    move |e| PutError::NotNow(format!("{what}: {e}"))
}

/// The file as it is read, block by block; each one that the connection takes is counted.
struct Blocks {
    blocks: mpsc::Receiver<std::io::Result<Bytes>>,
    progress: Arc<AtomicU64>,
}

impl Body for Blocks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let polled = self.blocks.poll_recv(cx).map(|block| block.map(|block| block.map(Frame::data)));
        if polled.is_ready() {
            self.progress.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

/// Part of a file, and how much of it the server has.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) file: Arc<File>,
    pub(super) bytes: u64,
    /// `None`: only ask how far it got.
    pub(super) from: Option<u64>,
}

/// How a part gets there.
pub(super) struct Way {
    pub(super) destination: Destination,
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    /// To the box itself too.
    pub(super) local_allowed: bool,
    /// Everything else goes through it.
    pub(super) proxy: Option<Proxy>,
    /// Called before each block; returns when it may go.
    pub(super) wait: Arc<dyn Fn() + Send + Sync>,
}

/// Sends the part.
pub(super) async fn put(grant: &Grant, way: &Way, part: Part) -> Result<Answer, PutError> {
    let Way { destination, tls, local_allowed, proxy, wait } = way;
    let progress = Arc::new(AtomicU64::new(0));
    let limit = Duration::from_secs(60 + part.bytes / SLOWEST_UPLOAD);
    let stream = destination.connect(*local_allowed, proxy.as_ref()).await?;
    let request = request(grant, destination, part, wait.clone(), progress.clone())?;
    let answered = async {
        if !destination.secure {
            return exchange(stream, request).await;
        }
        let config = tls.as_ref().ok_or_else(|| PutError::Refused("no CA is known for https".to_owned()))?;
        let name = ServerName::try_from(destination.bare_host().to_owned());
        let name = name.map_err(|e| PutError::Refused(format!("url: {e}")))?;
        let connector = tokio_rustls::TlsConnector::from(config.clone());
        exchange(connector.connect(name, stream).await.map_err(|e| not_now("TLS")(&e))?, request).await
    };
    tokio::select! {
        answered = answered => answered,
        () = tokio::time::sleep(limit) => Err(PutError::NotNow(format!("longer than {limit:?}"))),
        () = stalled(&progress) => Err(PutError::NotNow(format!("the server took nothing for {UPLOAD_STALL:?}"))),
    }
}

/// Returns when no block was taken for a while.
async fn stalled(progress: &AtomicU64) {
    let mut before = None;
    loop {
        let now = progress.load(Ordering::Relaxed);
        if before == Some(now) {
            return;
        }
        before = Some(now);
        tokio::time::sleep(UPLOAD_STALL).await;
    }
}

fn request(
    grant: &Grant,
    destination: &Destination,
    part: Part,
    wait: Arc<dyn Fn() + Send + Sync>,
    progress: Arc<AtomicU64>,
) -> Result<Request<Blocks>, PutError> {
    let total = part.bytes;
    let length = part.from.map_or(0, |from| total.saturating_sub(from));
    let uri = &destination.uri;
    let host = &destination.host;
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
            let last = total.saturating_sub(1);
            request = request.header("content-range", format!("bytes {from}-{last}/{total}"));
        }
    }
    let (blocks, body) = mpsc::channel(2);
    if let Some(from) = part.from {
        tokio::task::spawn_blocking(move || read(&part.file, from, &blocks, &*wait));
    }
    let body = Blocks { blocks: body, progress };
    request.body(body).map_err(|e| PutError::Refused(format!("headers of the grant: {e}")))
}

/// RFC 9530.
fn digest(sha256: &str) -> String {
    let hex = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok());
    let bytes: Vec<u8> = sha256.as_bytes().chunks(2).filter_map(hex).collect();
    format!("sha-256=:{}:", Base64::encode_string(&bytes))
}

fn read(file: &File, from: u64, blocks: &mpsc::Sender<std::io::Result<Bytes>>, wait: &dyn Fn()) {
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut at = from;
    loop {
        wait();
        let block = match file.read_at(&mut buffer, at) {
            Ok(0) => return,
            Ok(n) => {
                at = at.saturating_add(n as u64);
                Ok(Bytes::copy_from_slice(&buffer[..n]))
            }
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
    judged(&response.map_err(|e| not_now("HTTP")(&e))?)
}

/// What the server's answer means. A redirect is followed nowhere: who grants knows the last url.
fn judged<B>(response: &Response<B>) -> Result<Answer, PutError> {
    let status = response.status();
    match status {
        s if s.is_success() => Ok(Answer::Stored),
        StatusCode::PERMANENT_REDIRECT => {
            let range = response.headers().get("range");
            had(range.map(|r| r.to_str().unwrap_or("not text"))).map(Answer::Has)
        }
        s if s.is_redirection() => {
            Err(PutError::Refused(format!("the server answers {status}, and redirects are not followed")))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Err(PutError::NotNow(format!("the server answers {status}")))
        }
        s if s.is_server_error() => Err(PutError::NotNow(format!("the server answers {status}"))),
        _ => Err(PutError::Refused(format!("the server answers {status}"))),
    }
}

/// How many bytes the server has, by its `Range: bytes=0-N`; without one it has none.
fn had(range: Option<&str>) -> Result<u64, PutError> {
    let Some(range) = range else { return Ok(0) };
    let last = range.strip_prefix("bytes=0-").and_then(|last| last.parse::<u64>().ok());
    last.and_then(|last| last.checked_add(1))
        .ok_or_else(|| PutError::Refused(format!("the server's range {:?} is none", clipped(range))))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_meaning_and_no_range_overflows() {
        let of = |status: u16, range: Option<&str>| {
            let response = Response::builder().status(status);
            let response = range.into_iter().fold(response, |r, range| r.header("range", range));
            match judged(&response.body(()).unwrap()) {
                Ok(Answer::Stored) => "stored".to_owned(),
                Ok(Answer::Has(n)) => format!("has {n}"),
                Err(PutError::Refused(_)) => "refused".to_owned(),
                Err(PutError::NotNow(_)) => "again".to_owned(),
            }
        };
        for (status, range, meaning) in [
            (200, None, "stored"),
            (201, None, "stored"),
            (308, None, "has 0"),
            (308, Some("bytes=0-65535"), "has 65536"),
            (308, Some("bytes=0-18446744073709551614"), "has 18446744073709551615"),
            (308, Some("bytes=0-18446744073709551615"), "refused"),
            (308, Some("bytes=0-99999999999999999999"), "refused"),
            (308, Some("bytes=5-9"), "refused"),
            (308, Some("bytes=0--1"), "refused"),
            (301, None, "refused"),
            (302, None, "refused"),
            (303, None, "refused"),
            (304, None, "refused"),
            (307, None, "refused"),
            (101, None, "refused"),
            (403, None, "refused"),
            (408, None, "again"),
            (429, None, "again"),
            (500, None, "again"),
            (503, None, "again"),
        ] {
            assert_eq!(of(status, range), meaning, "{status} {range:?}");
        }
    }
}
