//! What can be wrong with a message, with the figures that a person needs.

use super::version::VERSION;

/// A message could not be written, read or understood.
#[derive(Debug, thiserror::Error)]
pub enum ProtoError {
    /// The pipe failed or ended within a message. The cause stands in the text alone, so that no report prints it twice.
    #[error("pipe: {cause}")]
    Io {
        /// What the system said.
        cause: std::io::Error,
    },
    /// What came does not begin like a message.
    #[error("not a message: magic {0:02x?}")]
    Magic([u8; 4]),
    /// Longer than any message of its kind can be.
    #[error("{part} of {bytes} bytes, limit {limit}")]
    TooLong {
        /// Which part of the message, or which sum over messages.
        part: &'static str,
        /// Its length as announced.
        bytes: usize,
        /// The longest that is accepted.
        limit: usize,
    },
    /// The header is no JSON, or not what is expected here.
    #[error("header is not understood: {cause}")]
    Header {
        /// Where and why.
        cause: serde_json::Error,
    },
    /// A picture is not as large as its header says.
    #[error("{what} should have {expected} bytes and has {bytes}")]
    Blob {
        /// What the blob is.
        what: &'static str,
        /// By width and height.
        expected: u64,
        /// As it came.
        bytes: usize,
    },
    /// A picture has a size that was not asked for, or that nothing has.
    #[error("{what} of {width} x {height} px, which was not asked for")]
    Size {
        /// What it is the size of.
        what: &'static str,
        /// As announced, px.
        width: u32,
        /// As announced, px.
        height: u32,
    },
    /// The site demands confinement, and the child is not confined.
    #[error("the child is not confined, and the site demands it (confine = \"required\"): {missing}")]
    Unconfined {
        /// What is missing.
        missing: String,
    },
    /// Something came that is not due.
    #[error("{0}")]
    OutOfTurn(&'static str),
    /// Parent and child are of different releases.
    #[error("child speaks version {theirs}, this program {VERSION}")]
    Version {
        /// The child's version.
        theirs: u32,
    },
}

impl From<std::io::Error> for ProtoError {
    fn from(cause: std::io::Error) -> Self {
        ProtoError::Io { cause }
    }
}

impl From<serde_json::Error> for ProtoError {
    fn from(cause: serde_json::Error) -> Self {
        ProtoError::Header { cause }
    }
}
