//! What an RTSP camera's answer means.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use kerbside_site::camera_url::NetworkUrl;

use crate::child::error::CaptureError;
use crate::proto::{OpenTransport, SourceFault};

/// RFC 2326, 11.3.14.
pub(super) const UNSUPPORTED_TRANSPORT: u16 = 461;
/// How long the camera may take to say where it sends its viewers.
const REDIRECT_LIMIT: Duration = Duration::from_secs(2);
/// Longest answer that is read for it, bytes.
const LONGEST_ANSWER: u64 = 4096;

/// A request was not answered as it should be.
pub(super) fn of_answer(error: retina::Error) -> CaptureError {
    let text = first_line(&error);
    let fault = match error.status_code() {
        Some(401) if text.contains("no credentials") => {
            let text = "the camera asks for user and password (401), and url has none";
            return CaptureError::source(SourceFault::Unauthorised, text);
        }
        Some(401) if text.contains("Can't understand") => {
            let text = format!(
                "the camera asks for a login that is not spoken here: {text}; set its RTSP authentication to digest (摄像机的 RTSP 认证方式请设为 digest)"
            );
            return CaptureError::source(SourceFault::Protocol, text);
        }
        Some(401) => {
            let text = "the camera rejects user or password (401)";
            return CaptureError::source(SourceFault::Unauthorised, text);
        }
        Some(403) => SourceFault::Unauthorised,
        Some(404 | 410 | 454) => SourceFault::NotFound,
        Some(UNSUPPORTED_TRANSPORT | 505 | 551) => SourceFault::Protocol,
        // It answered 200 to a description that is none.
        Some(200..=299) => SourceFault::Protocol,
        Some(_) => SourceFault::Refused,
        None if text.starts_with("Unable to connect") => SourceFault::Unreachable,
        None if text.starts_with("RTSP framing error") => SourceFault::Protocol,
        // It took the connection and closed it.
        None => SourceFault::Refused,
    };
    CaptureError::source(fault, text)
}

/// No way for the packets that is allowed was taken.
pub(super) fn of_transport(allowed: OpenTransport) -> impl Fn(retina::Error) -> CaptureError {
    move |_| {
        let text = match allowed {
            OpenTransport::Tcp => {
                "the camera does not send its packets over TCP (461): write transport = \"udp\""
            }
            OpenTransport::Udp => {
                "the camera does not send its packets over UDP (461): write transport = \"tcp\""
            }
            OpenTransport::Auto => "the camera sends its packets neither over TCP nor over UDP (461)",
        };
        CaptureError::source(SourceFault::Protocol, text)
    }
}

/// The stream broke off.
pub(super) fn of_stream(error: &retina::Error) -> CaptureError {
    CaptureError::source(SourceFault::Lost, first_line(error))
}

pub(super) fn closed() -> CaptureError {
    CaptureError::source(SourceFault::Lost, "the server closed the stream")
}

/// The camera has the stream elsewhere. `retina` does not say where, so the description is asked for once more.
pub(super) fn redirected(url: &NetworkUrl, error: retina::Error) -> CaptureError {
    match location(url) {
        Some(to) => CaptureError::source(SourceFault::Redirected, to),
        None => CaptureError::source(
            SourceFault::Protocol,
            format!("a redirect to nowhere: {}", first_line(&error)),
        ),
    }
}

fn location(url: &NetworkUrl) -> Option<String> {
    let address = (url.host.as_str(), url.port).to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, REDIRECT_LIMIT).ok()?;
    stream.set_read_timeout(Some(REDIRECT_LIMIT)).ok()?;
    let target = format!("rtsp://{}{}", url.address(), url.target);
    write!(stream, "DESCRIBE {target} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    let mut from = stream.take(LONGEST_ANSWER);
    let mut piece = [0; 512];
    // The connection may stay open behind the answer.
    while !answer.windows(4).any(|w| w == b"\r\n\r\n") {
        match from.read(&mut piece) {
            Ok(n) if n > 0 => answer.extend_from_slice(&piece[..n]),
            _ => break,
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    };
    answer.lines().find_map(header)
}

/// What `retina` says beyond it is for whoever reads a trace of the network.
fn first_line(error: &retina::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
