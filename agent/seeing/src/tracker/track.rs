//! A track: one person, vehicle or object followed over frames.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

use super::tuning::REACH;

/// One person, vehicle or object followed over frames. An index, never an identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Unique within a tracker's life.
    pub id: u32,
    /// What the detector called it last.
    pub label: Arc<str>,
    /// What its labels mean to the rules; never changes.
    pub group: Group,
    /// Of the last detection, 0..1.
    pub confidence: f32,
    /// Of the last detection, in shares of the picture.
    pub bbox: BBox,
    /// When it was first detected.
    pub first_seen: Mono,
    /// When it was last detected.
    pub last_seen: Mono,
    /// Set while the box has not moved.
    pub still_since: Option<Mono>,
    /// Frames in which it was detected.
    pub hits: u32,
}

/// Whether a person is near enough to a place to be with it: the feet are within an arm's length.
pub(crate) fn is_near(person: &BBox, place: &BBox) -> bool {
    let (foot_x, foot_y) = person.foot();
    let reach = REACH * person.h;
    let dx = (place.x - foot_x).max(foot_x - (place.x + place.w)).max(0.0);
    let dy = (place.y - foot_y).max(foot_y - (place.y + place.h)).max(0.0);
    dx <= reach && dy <= reach
}
