//! Why a manifest is not used.

use std::path::PathBuf;

use kerbside_site::text::TextError;

/// The file, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{path}: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{path}: {cause}")]
    Encoding { path: PathBuf, cause: TextError },
    #[error("{path}: larger than {limit} bytes, no manifest")]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{path}: {why}")]
    Toml { path: PathBuf, why: String },
    #[error("{path}: {}", problems.join("; "))]
    Invalid { path: PathBuf, problems: Vec<String> },
}
