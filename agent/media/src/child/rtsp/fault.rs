//! What an RTSP camera's answer means.

use std::io::{BufReader, Write as _};
use std::time::Duration;

use kerbside_site::camera_url::NetworkUrl;

use crate::child::error::CaptureError;
use crate::child::http::{Head, RTSP};
use crate::child::login;
use crate::dial::dial;
use crate::proto::{OpenTransport, SourceFault};

/// RFC 2326, 11.3.14.
pub(super) const UNSUPPORTED_TRANSPORT: u16 = 461;
/// How long the camera may take to say where it sends its viewers.
const REDIRECT_LIMIT: Duration = Duration::from_secs(2);

/// A request was not answered as it should be.
pub(super) fn of_answer(error: retina::Error) -> CaptureError {
    let text = first_line(&error);
    let fault = match error.status_code() {
        Some(401) if text.contains("no credentials") => return CaptureError::needs_login(),
        Some(401) if text.contains("Can't understand") => {
            let text = format!(
                "the camera asks for a login that is not spoken here: {text}; set its RTSP authentication to digest (摄像机的 RTSP 认证方式请设为 digest)"
            );
            return CaptureError::source(SourceFault::Protocol, text);
        }
        Some(401) => return CaptureError::wrong_login(),
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
    let head = described(url, None)?;
    if head.status != 401 {
        return head.location(url);
    }
    let login =
        login::answer(url.login.as_ref()?, &head.challenges(), "DESCRIBE", &url.without_login()).ok()?;
    described(url, Some(&login))?.location(url)
}

fn described(url: &NetworkUrl, authorization: Option<&str>) -> Option<Head> {
    let mut stream = dial(url, REDIRECT_LIMIT).ok()?;
    stream.set_read_timeout(Some(REDIRECT_LIMIT)).ok()?;
    let target = url.without_login();
    let login = authorization.map_or_else(String::new, |a| format!("Authorization: {a}\r\n"));
    write!(stream, "DESCRIBE {target} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n{login}\r\n").ok()?;
    Head::of(RTSP, &mut BufReader::new(stream)).ok()
}

/// What `retina` says beyond it is for whoever reads a trace of the network.
fn first_line(error: &retina::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
