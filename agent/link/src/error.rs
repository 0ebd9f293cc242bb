//! What can go wrong with the link.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("TLS {what} {path}: {reason}")]
    Tls { what: &'static str, path: PathBuf, reason: String },
    #[error("password file {path}: {cause}")]
    Password { path: PathBuf, cause: std::io::Error },
    #[error("{0}")]
    Connection(String),
}
