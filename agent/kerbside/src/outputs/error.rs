//! Why an output did not speak. No error holds a password.

/// Why an output did not speak.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    #[error("no output of this name is configured")]
    Unknown,
    #[error("{0} cannot be started: {1}")]
    Start(String, std::io::Error),
    #[error("{0} ended with {1}")]
    Ended(String, std::process::ExitStatus),
    #[error("it does not answer within {0} s")]
    Silent(u64),
    #[error("{0}")]
    Refused(String),
}
