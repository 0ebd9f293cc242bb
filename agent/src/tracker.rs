//! Tracker: who is who from look to look. Two-stage association with buffered IoU; what stands still is remembered long.
//! Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::detector::Group;
use crate::frame::BBox;
use crate::time::Mono;

/// One person, vehicle or thing followed over looks. An index, never an identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    pub id: u32,
    pub label: Arc<str>,
    pub group: Group,
    pub confidence: f32,
    pub bbox: BBox,
    pub first_seen: Mono,
    pub last_seen: Mono,
    /// Set while the box has not moved.
    pub still_since: Option<Mono>,
    /// Looks in which it was detected.
    pub hits: u32,
}
