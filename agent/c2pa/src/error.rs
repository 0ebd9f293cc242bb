//! Why a file stays unsigned.

/// Why a file was not signed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Its structure is not one that this crate can sign without doubt.
    #[error("{format} of a kind that is not signed: {why}")]
    Structure {
        /// `JPEG` or `MP4`.
        format: &'static str,
        /// What is in the way.
        why: String,
    },
    /// A length does not fit into the field that holds it.
    #[error("{0} is too long for its field")]
    TooLong(&'static str),
    /// Reading or writing.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl SignError {
    pub(crate) fn jpeg(why: impl Into<String>) -> Self {
        SignError::Structure { format: "JPEG", why: why.into() }
    }

    pub(crate) fn mp4(why: impl Into<String>) -> Self {
        SignError::Structure { format: "MP4", why: why.into() }
    }
}
