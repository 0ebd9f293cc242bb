//! The address of a camera: read here and nowhere else, for check, capture, doctor and every log.
//!
//! Passwords hold what people type: `#`, `/`, `?`, `@`, `:`, `%`. An address is taken as it is written where only one reading names a
//! host; where two do, it is refused with the way to write it. Nothing here prints a password.

mod hide;
mod percent;

use std::fmt;
use std::path::PathBuf;

pub use hide::hide_line;
use percent::{decoded, encoded, percent};

use crate::host::authority;

/// All that an address can be.
const ALLOWED: &str =
    "allowed: rtsp://, rtsps://, http://, https://, a file path, v4l2:/dev/videoN, gst:PIPELINE";

/// Where a camera's pictures come from.
#[derive(Clone, PartialEq, Eq)]
pub enum CameraUrl {
    /// Over a network.
    Network(NetworkUrl),
    /// A file that is played.
    File(PathBuf),
    /// A device of this machine (`v4l2:`), by its path.
    Device(String),
    /// A GStreamer pipeline (`gst:`).
    Pipeline(String),
}

/// How a camera is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RTSP over TCP.
    Rtsp,
    /// RTSP inside TLS.
    Rtsps,
    /// HTTP.
    Http,
    /// HTTP inside TLS.
    Https,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Scheme; 4] = [Scheme::Rtsp, Scheme::Rtsps, Scheme::Http, Scheme::Https];

    /// As it is written in front of `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Rtsp => "rtsp",
            Scheme::Rtsps => "rtsps",
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// Inside TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, Scheme::Rtsps | Scheme::Https)
    }

    /// RTSP, not HTTP.
    pub fn is_rtsp(self) -> bool {
        matches!(self, Scheme::Rtsp | Scheme::Rtsps)
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Rtsp => 554,
            Scheme::Rtsps => 322,
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// User and password, as the camera knows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// May be empty.
    pub user: String,
    /// May be empty.
    pub password: String,
}

/// The address of a network camera, in its parts.
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkUrl {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// User and password, `%XX` read.
    pub login: Option<Login>,
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path and query as written: empty, or with `/` or `?` in front.
    pub target: String,
}

/// Why a text is no address of a camera. It quotes nothing that may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlFault {
    /// The byte of the text where it stands.
    pub at: usize,
    /// What is wrong.
    pub what: String,
    /// How to write it.
    pub help: String,
}

impl UrlFault {
    fn new(at: usize, what: impl Into<String>, help: impl Into<String>) -> Self {
        UrlFault { at, what: what.into(), help: help.into() }
    }
}

impl fmt::Display for UrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.help)
    }
}

impl CameraUrl {
    /// Reads an address; a text without a scheme is a path.
    pub fn parse(text: &str) -> Result<Self, UrlFault> {
        if text.is_empty() {
            return Err(UrlFault::new(0, "`url` is empty", ALLOWED));
        }
        if let Some(pipeline) = text.strip_prefix("gst:") {
            if pipeline.trim().is_empty() {
                return Err(UrlFault::new(4, "`url` names no pipeline after gst:", ALLOWED));
            }
            return Ok(CameraUrl::Pipeline(pipeline.to_owned()));
        }
        if let Some(device) = text.strip_prefix("v4l2:") {
            if !device.starts_with("/dev/") {
                let what = format!("`{device}` is no video device");
                return Err(UrlFault::new(5, what, "did you mean `v4l2:/dev/video0`?"));
            }
            return Ok(CameraUrl::Device(device.to_owned()));
        }
        if let Some(path) = text.strip_prefix("file://").or_else(|| text.strip_prefix("file:")) {
            return Ok(CameraUrl::File(path.into()));
        }
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        match text.split_once("://").filter(|(word, _)| word.chars().all(is_scheme)) {
            None => path(text),
            Some((word, rest)) => match Scheme::ALL.into_iter().find(|s| s.as_str() == word.to_lowercase()) {
                Some(scheme) => network(scheme, rest, word.len() + 3).map(CameraUrl::Network),
                None => {
                    let what = format!("`{word}://` is no kind of camera stream");
                    Err(UrlFault::new(0, what, ALLOWED))
                }
            },
        }
    }

    /// For logs: no user, no password, no key.
    pub fn redacted(&self) -> String {
        match self {
            CameraUrl::Network(url) => url.redacted(),
            CameraUrl::File(path) => path.display().to_string(),
            CameraUrl::Device(device) => format!("v4l2:{device}"),
            CameraUrl::Pipeline(pipeline) => format!("gst:{}", hide_text(pipeline)),
        }
    }

    /// Whether it holds a password or a key: in the login, in the query, in a pipeline.
    pub fn holds_secret(&self) -> bool {
        match self {
            CameraUrl::Network(url) => !url.secrets().is_empty(),
            CameraUrl::File(_) | CameraUrl::Device(_) => false,
            CameraUrl::Pipeline(pipeline) => hide::words(pipeline).any(word_holds_secret),
        }
    }

    /// The camera is reached over a network.
    pub fn network(&self) -> Option<&NetworkUrl> {
        if let CameraUrl::Network(url) = self { Some(url) } else { None }
    }
}

/// A word of a pipeline such as `user-pw=SECRET` or `location=rtsp://USER:SECRET@HOST/`.
fn word_holds_secret(word: &str) -> bool {
    let begin = Scheme::ALL.into_iter().filter_map(|s| word.find(&format!("{}://", s.as_str()))).min();
    match begin.and_then(|begin| word.get(begin..)) {
        Some(address) => CameraUrl::parse(address).map_or(true, |url| url.holds_secret()),
        None => hide::is_secret_property(word),
    }
}

impl fmt::Debug for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl NetworkUrl {
    /// `host:port`, `[v6]:port`.
    pub fn address(&self) -> String {
        authority(&self.host, self.port)
    }

    /// As a request names it: without user and password.
    pub fn without_login(&self) -> String {
        format!("{}://{}{}", self.scheme.as_str(), self.address(), self.target)
    }

    /// With user and password, written so that every library reads the same.
    pub fn with_login(&self) -> String {
        let Some(Login { user, password }) = &self.login else { return self.without_login() };
        let (user, password) = (encoded(user), encoded(password));
        format!("{}://{user}:{password}@{}{}", self.scheme.as_str(), self.address(), self.target)
    }

    /// For logs: no user, no password, no key.
    pub fn redacted(&self) -> String {
        let mark = if self.login.is_some() { "***@" } else { "" };
        format!("{}://{mark}{}{}", self.scheme.as_str(), self.address(), hide::target(&self.target))
    }

    /// What must not be printed, longest first: as written by the camera's owner and as it travels.
    pub fn secrets(&self) -> Vec<String> {
        let login = self.login.iter().flat_map(|l| [l.password.clone(), encoded(&l.password)]);
        let mut secrets: Vec<String> = login.chain(hide::secret_of_target(&self.target)).collect();
        secrets.retain(|s| !s.is_empty());
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        secrets.dedup();
        secrets
    }
}

impl fmt::Debug for NetworkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(***)")
    }
}

fn path(text: &str) -> Result<CameraUrl, UrlFault> {
    let typed = Scheme::ALL.into_iter().find(|s| {
        let rest = text.strip_prefix(s.as_str()).and_then(|rest| rest.strip_prefix(':'));
        rest.is_some_and(|rest| rest.starts_with('/') || rest.contains('@'))
    });
    match typed {
        Some(scheme) => {
            let scheme = scheme.as_str();
            let help = format!("write {scheme}://HOST/PATH; a file of that name is file:{scheme}:...");
            Err(UrlFault::new(scheme.len(), format!("`{scheme}:` is not followed by `//`"), help))
        }
        None => Ok(CameraUrl::File(text.into())),
    }
}

/// One way to read what stands between `://` and the path.
struct Reading<'a> {
    userinfo: Option<&'a str>,
    host: String,
    port: u16,
    target: &'a str,
    /// The host is an address, has a dot or a port: nobody would take it for a part of a password.
    is_plain: bool,
}

fn network(scheme: Scheme, rest: &str, offset: usize) -> Result<NetworkUrl, UrlFault> {
    if let Some((at, c)) = rest.char_indices().find(|(_, c)| c.is_whitespace() || c.is_control()) {
        let help = if c == ' ' { "write a space as %20" } else { "remove it" };
        return Err(UrlFault::new(offset + at, "an address holds no spaces and no control characters", help));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let first = reading(scheme, rest, rest[..end].rfind('@'), end);
    // A password with `/`, `?` or `#` in it hides the `@` that ends it.
    let later: Vec<Reading<'_>> = rest[end..]
        .match_indices('@')
        .filter_map(|(at, _)| {
            let at = end + at;
            let stop = rest[at..].find(['/', '?', '#']).map_or(rest.len(), |n| at + n);
            reading(scheme, rest, Some(at), stop).ok()
        })
        .filter(|r| r.is_plain)
        .collect();
    let ambiguous = || {
        let c = rest[end..].chars().next().unwrap_or('/');
        let help = format!("write {} of a password as {}, and @ behind the host as %40", c, percent(c));
        UrlFault::new(offset + end, "this address can be read in two ways", help)
    };
    let chosen = match (first, later.len()) {
        (Ok(first), 0) => first,
        (Ok(_), _) => return Err(ambiguous()),
        (Err(fault), 0) => return Err(UrlFault { at: offset + fault.at, ..fault }),
        (Err(_), 1) => later.into_iter().next().ok_or_else(ambiguous)?,
        (Err(_), _) => return Err(ambiguous()),
    };
    if let Some(at) = chosen.target.find('#') {
        let at = offset + rest.len() - chosen.target.len() + at;
        return Err(UrlFault::new(at, "`#` would end the address", "write # as %23"));
    }
    let login = chosen.userinfo.map(|info| {
        let (user, password) = info.split_once(':').unwrap_or((info, ""));
        Login { user: decoded(user), password: decoded(password) }
    });
    Ok(NetworkUrl { scheme, login, host: chosen.host, port: chosen.port, target: chosen.target.to_owned() })
}

/// The reading in which user and password end at `at` and the path begins at `end`.
fn reading(scheme: Scheme, rest: &str, at: Option<usize>, end: usize) -> Result<Reading<'_>, UrlFault> {
    let from = at.map_or(0, |at| at + 1);
    let authority = &rest[from..end];
    let (host, port) = host_port(authority, scheme.default_port()).map_err(|_| {
        let c = rest[end..].chars().next().filter(|_| at.is_none() && rest[end..].contains('@'));
        let help = match c {
            Some(c) => format!("write {c} of a password as {}", percent(c)),
            None => {
                "write HOST or HOST:PORT; of a password write # as %23, / as %2F, ? as %3F, @ as %40".into()
            }
        };
        UrlFault::new(from, "`url`: no host name or address with a port from 1 to 65535", help)
    })?;
    let is_plain = authority.contains(['.', ':']) || host == "localhost";
    let userinfo = at.map(|at| &rest[..at]);
    Ok(Reading { userinfo, host, port, target: &rest[end..], is_plain })
}

/// `host`, `host:port`, `[v6]:port`.
pub(crate) fn host_port(text: &str, default_port: u16) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        Some((v6, "")) => (v6, None),
        Some((v6, rest)) => (v6, rest.strip_prefix(':').map(Some).ok_or("expected `:port` after `]`")?),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(good) {
        return Err(format!("`{host}` is no host name or address"));
    }
    let port = match port {
        None => default_port,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => port,
            _ => return Err(format!("`{port}` is no port: it must be a number from 1 to 65535")),
        },
    };
    Ok((host.to_owned(), port))
}

/// An address for logs: without user, password and keys. What cannot be read as an address keeps only what follows its last `@`.
pub fn hide_url(text: &str) -> String {
    match CameraUrl::parse(text) {
        Ok(CameraUrl::File(_)) | Err(_) => hide::hide_token(text),
        Ok(url) => url.redacted(),
    }
}

/// A text of somebody else (an error of a library) without the secrets of the addresses and pipelines in it.
pub fn hide_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive([' ', '\t', '\n', '"']) {
        let (word, after) = piece.split_at(piece.trim_end_matches([' ', '\t', '\n', '"']).len());
        out.push_str(&hide_url(word));
        out.push_str(after);
    }
    out
}

#[cfg(test)]
mod tests;
