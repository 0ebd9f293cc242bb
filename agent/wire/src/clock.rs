//! How far the wall clock of a message can be trusted.

use kerbside_domain::time::ClockQuality;
use serde::Serialize;

/// Who vouches for the clock.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ClockTrust {
    source: ClockQuality,
    synced: bool,
}

impl From<ClockQuality> for ClockTrust {
    fn from(source: ClockQuality) -> Self {
        ClockTrust { source, synced: source.is_disciplined() }
    }
}
