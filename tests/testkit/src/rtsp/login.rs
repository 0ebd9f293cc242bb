//! User and password, as a camera asks for them (RFC 7617, RFC 7616).

use md5::{Digest as _, Md5};
use sha2::Sha256;

use base64ct::{Base64, Encoding as _};

const REALM: &str = "camera";
const NONCE: &str = "5ccc069c403ebaf9f0171e9517f40e41";

/// How it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Basic,
    /// Digest with MD5, as RFC 2069 had it: no `qop`, no `algorithm`.
    DigestMd5,
    /// Digest with SHA-256 alone.
    DigestSha256,
    /// Digest with MD5 and `qop="auth"`.
    DigestQop,
    /// Digest with SHA-256 or MD5, in two headers.
    DigestEither,
}

/// Whom it lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub scheme: Scheme,
    pub user: String,
    pub password: String,
}

impl Login {
    pub fn new(scheme: Scheme, user: &str, password: &str) -> Login {
        Login { scheme, user: user.to_owned(), password: password.to_owned() }
    }

    /// The headers that ask, each with its end of line.
    pub(crate) fn challenge(&self) -> String {
        let digest = format!("WWW-Authenticate: Digest realm=\"{REALM}\", nonce=\"{NONCE}\"");
        match self.scheme {
            Scheme::Basic => format!("WWW-Authenticate: Basic realm=\"{REALM}\"\r\n"),
            Scheme::DigestMd5 => format!("{digest}\r\n"),
            Scheme::DigestSha256 => format!("{digest}, algorithm=SHA-256\r\n"),
            Scheme::DigestQop => format!("{digest}, algorithm=MD5, qop=\"auth\"\r\n"),
            Scheme::DigestEither => {
                format!("{digest}, algorithm=SHA-256\r\n{digest}, algorithm=MD5\r\n")
            }
        }
    }

    /// Whether this `Authorization` lets in.
    pub(crate) fn admits(&self, method: &str, authorization: Option<&str>) -> bool {
        let Some((scheme, rest)) = authorization.and_then(|a| a.trim().split_once(' ')) else { return false };
        match self.scheme {
            Scheme::Basic => {
                let pair = format!("{}:{}", self.user, self.password);
                scheme == "Basic" && rest == Base64::encode_string(pair.as_bytes())
            }
            _ => scheme == "Digest" && self.is_digest(method, rest),
        }
    }

    fn is_digest(&self, method: &str, parameters: &str) -> bool {
        let get = |name: &str| parameter(parameters, name).unwrap_or_default();
        // Clients without `qop` leave the algorithm out: it is the one that was asked for.
        let named = parameter(parameters, "algorithm").map(|name| name == "SHA-256");
        let first = matches!(self.scheme, Scheme::DigestSha256 | Scheme::DigestEither);
        let sha = named.unwrap_or(first);
        let allowed = match self.scheme {
            Scheme::Basic => false,
            Scheme::DigestMd5 | Scheme::DigestQop => !sha,
            Scheme::DigestSha256 => sha,
            Scheme::DigestEither => true,
        };
        let hash = |text: String| if sha { hex(&Sha256::digest(text)) } else { hex(&Md5::digest(text)) };
        let user = hash(format!("{}:{REALM}:{}", self.user, self.password));
        let request = hash(format!("{method}:{}", get("uri")));
        let response = if self.scheme == Scheme::DigestQop {
            hash(format!("{user}:{NONCE}:{}:{}:auth:{request}", get("nc"), get("cnonce")))
        } else {
            hash(format!("{user}:{NONCE}:{request}"))
        };
        allowed && get("username") == self.user && get("response") == response
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `name=value` or `name="value"` of a list; quotes may be escaped inside.
fn parameter(list: &str, name: &str) -> Option<String> {
    let mut rest = list;
    loop {
        let (key, after) = rest.split_once('=')?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let quoted = after.starts_with('"');
        let mut end = after.len();
        if quoted {
            chars.next();
        }
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if quoted => value.extend(chars.next().map(|(_, c)| c)),
                '"' if quoted => {
                    end = at + 1;
                    break;
                }
                ',' if !quoted => {
                    end = at;
                    break;
                }
                c => value.push(c),
            }
        }
        if key.trim().trim_start_matches(',').trim() == name {
            return Some(value.trim().to_owned());
        }
        rest = &after[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 2617, section 3.5, in shape; the figures by `md5sum` and `sha256sum`.
    #[test]
    fn parameters_are_found_whatever_they_hold() {
        let list = r#"username="a\"b,=c", realm="camera", uri="rtsp://h/?a=b", nc=00000001, response="ff""#;
        assert_eq!(parameter(list, "username").as_deref(), Some("a\"b,=c"));
        assert_eq!(parameter(list, "uri").as_deref(), Some("rtsp://h/?a=b"));
        assert_eq!(parameter(list, "nc").as_deref(), Some("00000001"));
        assert_eq!(parameter(list, "response").as_deref(), Some("ff"));
        assert_eq!(parameter(list, "qop"), None);
    }

    #[test]
    fn only_the_right_password_is_let_in() {
        let login = Login::new(Scheme::Basic, "admin", "pa#ss");
        assert!(login.admits("DESCRIBE", Some("Basic YWRtaW46cGEjc3M=")));
        assert!(!login.admits("DESCRIBE", Some("Basic YWRtaW46cGE=")));
        assert!(!login.admits("DESCRIBE", None));
    }
}
