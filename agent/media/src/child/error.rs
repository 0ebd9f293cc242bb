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
}
