//! Tracker: who is who from frame to frame. Two-stage association with buffered IoU; what stands still is remembered long.
//!
//! Pure: the same detections at the same moments give the same tracks. It must not know zones, rules or incidents.
//!
//! Sources: the two stages (confident boxes first, then the doubtful ones for tracks left over) are ByteTrack's
//! (Zhang et al., ECCV 2022); the boxes buffered by a share of their own size, narrow first and then wide, are C-BIoU's
//! (Yang et al., WACV 2023), which suits few detections a second. The code is our own.
//!
//! | file | owns |
//! |---|---|
//! | `track` | [`Track`]; when a person is near a place |
//! | `follow` | [`Tracker`]: one frame after the other |
//! | `associate` | which detection is which track |
//! | `live_track` | where a track should be now, whether it stands still, when it is given up |
//! | `past_tracks` | where tracks were, and which places they left |
//! | `tuning` | every constant with its reason |

mod associate;
mod follow;
mod live_track;
mod past_tracks;
#[cfg(test)]
mod tests;
mod track;
mod tuning;

pub use follow::Tracker;
pub(crate) use past_tracks::VacatedPlace;
pub use past_tracks::Witness;
pub use track::Track;
pub(crate) use track::is_near;
#[cfg(test)]
pub(crate) use tuning::MAX_TRACKS;
