//! Status and headers of an answer, in the grammar that HTTP and RTSP share. Pure; every byte may be hostile.

use std::io::{BufRead, Error, ErrorKind};

use kerbside_site::camera_url::NetworkUrl;

use crate::child::error::CaptureError;
use crate::proto::SourceFault;

/// Longest head that is read, bytes. Bound: real ones are below a kilobyte.
const LONGEST_HEAD: usize = 32 * 1024;

/// How answers over HTTP begin.
const HTTP: &str = "HTTP/1.";
/// How answers over RTSP begin.
pub(in crate::child) const RTSP: &str = "RTSP/1.";

/// The head of an answer.
#[derive(Debug)]
pub(in crate::child) struct Head {
    pub(in crate::child) status: u16,
    reason: String,
    headers: Vec<(String, String)>,
}

impl Head {
    /// Of HTTP; `InvalidData`: it is none.
    pub(super) fn read(from: &mut impl BufRead) -> std::io::Result<Head> {
        Head::of(HTTP, from)
    }

    /// Of the protocol whose answers begin so; `InvalidData`: it is none of it.
    pub(in crate::child) fn of(protocol: &str, from: &mut impl BufRead) -> std::io::Result<Head> {
        let mut read = 0;
        let first = line(from, &mut read)?;
        let other = || {
            let name = protocol.split('/').next().unwrap_or_default();
            Error::new(ErrorKind::InvalidData, format!("it answers, but not as {name}"))
        };
        let rest = first.strip_prefix(protocol).and_then(|rest| rest.split_once(' ')).ok_or_else(other)?.1;
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = status.trim().parse().map_err(|_| other())?;
        let mut headers = Vec::new();
        loop {
            let line = line(from, &mut read)?;
            if line.is_empty() {
                return Ok(Head { status, reason: reason.trim().to_owned(), headers });
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
            }
        }
    }

    /// `name` in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All ways to log in, as one list.
    pub(in crate::child) fn challenges(&self) -> String {
        let all = self.headers.iter().filter(|(name, _)| name == "www-authenticate");
        all.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The body names other addresses instead of holding pictures.
    pub(super) fn is_playlist(&self, target: &str) -> bool {
        let kind = self.header("content-type").unwrap_or_default().to_lowercase();
        let path = target.split(['?', '#']).next().unwrap_or_default();
        kind.contains("mpegurl") || path.to_lowercase().ends_with(".m3u8")
    }

    /// `Err`: what the camera has against it.
    pub(super) fn granted(&self, url: &NetworkUrl) -> Result<(), CaptureError> {
        let fault = match self.status {
            200..=299 => return Ok(()),
            300..=399 => match self.location(url) {
                Some(to) => return Err(CaptureError::source(SourceFault::Redirected, to)),
                None => SourceFault::Protocol,
            },
            403 => SourceFault::Unauthorised,
            404 | 410 => SourceFault::NotFound,
            _ => SourceFault::Refused,
        };
        let text = format!("the camera answers {} {}", self.status, self.reason);
        Err(CaptureError::source(fault, text))
    }

    /// Where the stream is, as a whole address.
    pub(in crate::child) fn location(&self, url: &NetworkUrl) -> Option<String> {
        let to = self.header("location")?;
        if to.contains("://") {
            return Some(to.to_owned());
        }
        let path = match to.strip_prefix('/') {
            Some(path) => format!("/{path}"),
            None => {
                let folder = url.target.split('?').next()?.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{folder}/{to}")
            }
        };
        Some(NetworkUrl { target: path, ..url.clone() }.without_login())
    }
}

/// One line without its end; all lines of a head share one bound.
fn line(from: &mut impl BufRead, read: &mut usize) -> std::io::Result<String> {
    let mut line = Vec::new();
    let left = LONGEST_HEAD.saturating_sub(*read) as u64;
    let n = std::io::Read::take(from, left).read_until(b'\n', &mut line)?;
    *read += n;
    if line.pop() != Some(b'\n') {
        let (kind, why) = match *read {
            0 => (ErrorKind::ConnectionAborted, "the camera closed the connection"),
            _ => (ErrorKind::InvalidData, "the head of its answer has no end"),
        };
        return Err(Error::new(kind, why));
    }
    Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_over_rtsp_has_the_same_grammar() {
        let text = "RTSP/1.0 302 Moved\r\nCSeq: 1\r\nlocation: rtsp://h/b?token=a1\r\n\r\n";
        let head = Head::of(RTSP, &mut text.as_bytes()).unwrap();
        assert_eq!((head.status, head.location(&url()).as_deref()), (302, Some("rtsp://h/b?token=a1")));
        let error = Head::of(RTSP, &mut "HTTP/1.1 200 OK\r\n\r\n".as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "it answers, but not as RTSP");
    }

    fn head(text: &str) -> std::io::Result<Head> {
        Head::read(&mut text.as_bytes())
    }

    fn url() -> NetworkUrl {
        crate::url::network("http://u:p@10.0.0.2:81/a/video?x=1").unwrap()
    }

    #[test]
    fn what_a_camera_answers_has_a_name() {
        let fault = |text: &str| match head(text).unwrap().granted(&url()) {
            Ok(()) => None,
            Err(CaptureError::Source { fault, text }) => Some((fault, text)),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(fault("HTTP/1.1 200 OK\r\n\r\n"), None);
        let of = |status: &str, headers: &str| fault(&format!("HTTP/1.0 {status}\r\n{headers}\r\n")).unwrap();
        assert_eq!(of("404 Not Found", "").0, SourceFault::NotFound);
        assert_eq!(of("403 Forbidden", "").0, SourceFault::Unauthorised);
        assert_eq!(of("503 Busy", ""), (SourceFault::Refused, "the camera answers 503 Busy".to_owned()));
        let redirected = |to: &str| of("302 Found", &format!("Location: {to}\r\n"));
        assert_eq!(redirected("http://h/b"), (SourceFault::Redirected, "http://h/b".to_owned()));
        assert_eq!(redirected("/b").1, "http://10.0.0.2:81/b");
        assert_eq!(redirected("b?y=2").1, "http://10.0.0.2:81/a/b?y=2");
        assert_eq!(of("302 Found", "").0, SourceFault::Protocol);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert_eq!(head("RTSP/1.0 200 OK\r\n\r\n").unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(head("").unwrap_err().kind(), ErrorKind::ConnectionAborted);
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(LONGEST_HEAD));
        assert_eq!(head(&endless).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Head::read(&mut bytes.as_slice());
        }
    }
}
