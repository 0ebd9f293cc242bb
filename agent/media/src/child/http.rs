//! A camera that speaks HTTP: request, login and redirects here, the body through a pipe to FFmpeg, which gets no network.
//!
//! HLS alone is opened by FFmpeg itself: a playlist is many requests.

mod body;
mod head;

use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Duration;

use kerbside_site::camera_url::NetworkUrl;
use parking_lot::Mutex;

use self::body::Body;
pub(super) use self::head::{Head, RTSP};
use super::error::CaptureError;
use super::parent_link::ParentLink;
use super::{libav, login};
use crate::dial::dial;
use crate::proto::{OpenSource, SourceFault};

/// Opens an HTTP camera and reads it until it ends.
pub(super) fn run(url: &NetworkUrl, open: &OpenSource, parent: &mut ParentLink) -> Result<(), CaptureError> {
    let (head, body) = granted(url, open)?;
    if head.is_playlist(&url.target) {
        return libav::run(open, parent);
    }
    let failed = |e: std::io::Error| CaptureError::source(SourceFault::Other, format!("no pipe: {e}"));
    let (reader, mut writer) = std::io::pipe().map_err(failed)?;
    let why: Arc<Mutex<Option<CaptureError>>> = Arc::default();
    let told = why.clone();
    let timeout_s = open.timeout_s;
    std::thread::Builder::new()
        .name("http-body".into())
        .spawn(move || {
            *told.lock() = Some(passed_on(body, &mut writer, timeout_s));
            // The reader sees the end once the reason is there.
            drop(writer);
        })
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
    let login = url.login.as_ref().ok_or_else(CaptureError::needs_login)?;
    let authorization = login::answer(login, &head.challenges(), "GET", &path_of(url))?;
    let (head, body) = ask(url, open, Some(&authorization))?;
    if head.status == 401 {
        return Err(CaptureError::wrong_login());
    }
    head.granted(url).map(|()| (head, body))
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
    let mut stream = dial(url, limit).map_err(|why| CaptureError::source(SourceFault::Unreachable, why))?;
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

fn of_io(error: &std::io::Error, timeout_s: f64) -> CaptureError {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => CaptureError::silent(timeout_s),
        std::io::ErrorKind::InvalidData => CaptureError::source(SourceFault::Protocol, error.to_string()),
        _ => CaptureError::source(SourceFault::Lost, format!("reading: {error}")),
    }
}

/// Passes the body on until it ends, and says why it did.
fn passed_on(mut body: Body, to: &mut std::io::PipeWriter, timeout_s: f64) -> CaptureError {
    let mut piece = vec![0; 64 * 1024];
    loop {
        match std::io::Read::read(&mut body, &mut piece) {
            Ok(0) => return CaptureError::closed(),
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
