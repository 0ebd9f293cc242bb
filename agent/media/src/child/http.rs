//! A camera that speaks HTTP: request, login and redirects here, the body through a pipe to FFmpeg, which gets no network.
//!
//! HLS alone is opened by FFmpeg itself: a playlist is many requests.

mod body;
mod head;

use std::io::Write as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Duration;

use kerbside_site::camera_url::{Login, NetworkUrl};
use parking_lot::Mutex;

use self::body::Body;
use self::head::Head;
use super::error::CaptureError;
use super::libav;
use super::parent_link::ParentLink;
use crate::proto::{OpenSource, SourceFault};

/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 3;

/// Opens an HTTP camera and reads it until it ends.
pub(super) fn run(url: &NetworkUrl, open: &OpenSource, parent: &mut ParentLink) -> Result<(), CaptureError> {
    let (head, body) = granted(url, open)?;
    if head.is_playlist(&url.target) {
        return libav::run(open, parent);
    }
    let failed = |e: std::io::Error| CaptureError::source(SourceFault::Other, format!("no pipe: {e}"));
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let why: Arc<Mutex<Option<CaptureError>>> = Arc::default();
    let told = why.clone();
    let timeout_s = open.timeout_s;
    std::thread::Builder::new()
        .name("http-body".into())
        .spawn(move || *told.lock() = Some(passed_on(body, writer, timeout_s)))
        .map_err(failed)?;
    let read = libav::run_pipe(reader.as_raw_fd(), open, parent);
    match read {
        // Why the body ended says more than that it did.
        Err(CaptureError::Source { fault, text }) => Err(why
            .lock()
            .take()
            .filter(|_| matches!(fault, SourceFault::Lost | SourceFault::TimedOut))
            .unwrap_or(CaptureError::Source { fault, text })),
        other => other,
    }
}

/// The camera's answer once it grants the stream; at most one login.
fn granted(url: &NetworkUrl, open: &OpenSource) -> Result<(Head, Body), CaptureError> {
    let (head, body) = ask(url, open, None)?;
    if head.status != 401 {
        return head.granted(url).map(|()| (head, body));
    }
    let Some(login) = &url.login else {
        let text = "the camera asks for user and password (401), and url has none";
        return Err(CaptureError::source(SourceFault::Unauthorised, text));
    };
    let (head, body) = ask(url, open, Some(&authorization(url, login, &head.challenges())?))?;
    if head.status == 401 {
        let text = "the camera rejects user or password (401)";
        return Err(CaptureError::source(SourceFault::Unauthorised, text));
    }
    head.granted(url).map(|()| (head, body))
}

/// The answer to a camera's challenge: Basic, or Digest with MD5 or SHA-256.
fn authorization(url: &NetworkUrl, login: &Login, challenges: &str) -> Result<String, CaptureError> {
    let unknown = |why: &dyn std::fmt::Display| {
        let text = format!("the camera asks for a login that is not spoken here: {why}");
        CaptureError::source(SourceFault::Protocol, text)
    };
    let mut client = http_auth::PasswordClient::try_from(challenges).map_err(|e| unknown(&e))?;
    let uri = path_of(url);
    let (username, password) = (login.user.as_str(), login.password.as_str());
    let parameters =
        http_auth::PasswordParams { username, password, uri: &uri, method: "GET", body: Some(&[]) };
    client.respond(&parameters).map_err(|e| unknown(&e))
}

fn path_of(url: &NetworkUrl) -> String {
    if url.target.starts_with('/') { url.target.clone() } else { format!("/{}", url.target) }
}

/// One request on a connection of its own.
fn ask(
    url: &NetworkUrl,
    open: &OpenSource,
    authorization: Option<&str>,
) -> Result<(Head, Body), CaptureError> {
    let limit = Duration::from_secs_f64(open.timeout_s);
    let mut stream = connect(url, limit)?;
    let broken = |e: std::io::Error| of_io(&e, open.timeout_s);
    stream.set_read_timeout(Some(limit)).map_err(broken)?;
    stream.set_write_timeout(Some(limit)).map_err(broken)?;
    let host = open.host.clone().unwrap_or_else(|| url.address());
    let login = authorization.map_or_else(String::new, |a| format!("Authorization: {a}\r\n"));
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kerbside/{}\r\nAccept: */*\r\n{login}Connection: close\r\n\r\n",
        path_of(url),
        env!("CARGO_PKG_VERSION")
    );
    stream.write_all(request.as_bytes()).map_err(broken)?;
    let mut from = std::io::BufReader::with_capacity(64 * 1024, stream);
    let head = Head::read(&mut from).map_err(broken)?;
    let body = Body::new(from, &head);
    Ok((head, body))
}

fn connect(url: &NetworkUrl, limit: Duration) -> Result<TcpStream, CaptureError> {
    let unreachable =
        |why: String| CaptureError::source(SourceFault::Unreachable, format!("{}: {why}", url.address()));
    let addresses = (url.host.as_str(), url.port)
        .to_socket_addrs()
        .map_err(|e| unreachable(format!("the name cannot be resolved: {e}")))?;
    let mut last = "the name has no address".to_owned();
    for address in addresses.take(MAX_ADDRESSES) {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e.to_string(),
        }
    }
    Err(unreachable(last))
}

fn of_io(error: &std::io::Error, timeout_s: f64) -> CaptureError {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            CaptureError::source(SourceFault::TimedOut, format!("nothing came for {timeout_s} s"))
        }
        std::io::ErrorKind::InvalidData => CaptureError::source(SourceFault::Protocol, error.to_string()),
        _ => CaptureError::source(SourceFault::Lost, format!("reading: {error}")),
    }
}

/// Passes the body on until it ends, and says why it did.
fn passed_on(mut body: Body, mut to: std::io::PipeWriter, timeout_s: f64) -> CaptureError {
    let mut piece = vec![0; 64 * 1024];
    loop {
        match std::io::Read::read(&mut body, &mut piece) {
            Ok(0) => return CaptureError::source(SourceFault::Lost, "the server closed the stream"),
            Ok(n) => {
                if to.write_all(&piece[..n]).is_err() {
                    // FFmpeg stopped reading, and says why itself.
                    return CaptureError::source(SourceFault::Lost, "the stream is no longer read");
                }
            }
            Err(e) => return of_io(&e, timeout_s),
        }
    }
}
