//! Why a capture child stopped reading.

use crate::proto::{ProtoError, SourceFault};

/// The end of a source, or of the parent.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("{text}")]
    Source { fault: SourceFault, text: String },
    #[error(transparent)]
    Pipe(#[from] ProtoError),
    #[error("parent is gone")]
    ParentGone,
}

impl CaptureError {
    pub(super) fn source(fault: SourceFault, text: impl Into<String>) -> Self {
        CaptureError::Source { fault, text: text.into() }
    }

    /// Nothing came within the limit.
    pub(super) fn silent(limit_s: f64) -> Self {
        CaptureError::source(SourceFault::TimedOut, format!("nothing came for {limit_s} s"))
    }

    /// The other side ended the stream.
    pub(super) fn closed() -> Self {
        CaptureError::source(SourceFault::Lost, "the server closed the stream")
    }

    /// It asks for a login, and there is none.
    pub(super) fn needs_login() -> Self {
        let text = "the camera asks for user and password (401), and url has none";
        CaptureError::source(SourceFault::Unauthorised, text)
    }

    /// The login that there is was not taken.
    pub(super) fn wrong_login() -> Self {
        CaptureError::source(SourceFault::Unauthorised, "the camera rejects user or password (401)")
    }
}
