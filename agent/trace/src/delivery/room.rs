//! Room in the store thread's line.

use tokio::sync::OwnedSemaphorePermit;

/// Room for one report. It is free again when the report is dealt with: a message of the centre when it is journalled.
#[derive(Debug)]
pub struct Room {
    /// Held, never read.
    _permit: OwnedSemaphorePermit,
}

impl Room {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Room { _permit: permit }
    }
}
