//! Why a file did not get there: for good, or for now.

#[derive(Debug, thiserror::Error)]
pub(super) enum PutError {
    /// Never will: the centre must grant anew.
    #[error("{0}")]
    Refused(String),
    /// Another time perhaps.
    #[error("{0}")]
    NotNow(String),
}
