//! What can go wrong with a delivery.

use std::path::PathBuf;

use crate::journal::JournalError;

#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("delivery folder {path}: {cause}")]
    Folder { path: PathBuf, cause: std::io::Error },
    #[error("delivery folder {path} is in use by another kerbside")]
    InUse { path: PathBuf },
    #[error("the store thread could not be started: {0}")]
    Thread(std::io::Error),
    #[error("the delivery is closed")]
    Closed,
}

pub(super) type Result<T> = std::result::Result<T, DeliveryError>;
