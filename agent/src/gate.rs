//! Gate: is there anything worth looking at, and what has changed and then stayed?
//!
//! Motion on small luma with its own noise floor, rejection of global changes, static-change regions from two
//! backgrounds (fast and slow). Pure: no clock, no library types. One `Gate` per camera, on the camera's thread.

use serde::{Deserialize, Serialize};

use crate::frame::BBox;
use crate::time::Mono;

/// Something that was not there, then was, and has not moved since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StaticRegion {
    /// Stable while the region lives, unique within a gate's life.
    pub id: u32,
    pub bbox: BBox,
    /// Share of the picture that really changed, 0..1 (not the box's area).
    pub area_norm: f32,
    /// When the first changed pixels appeared there.
    pub appeared: Mono,
    /// Since when the changed pixels have not changed again.
    pub still_since: Mono,
    /// Something moves in front of it right now: neither seen nor gone.
    pub occluded: bool,
    /// Normalised cross-correlation of the region's crop with its crop when confirmed, -1..1.
    pub similarity: f32,
}

/// What the picture as a whole looks like. Only `Clear` means "seeing".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scene {
    /// Not enough looks yet to know the background.
    #[default]
    Learning,
    Clear,
    /// Lights or exposure just changed over the whole picture; regions are on hold.
    LightChanged,
    /// Almost no light or no signal.
    Black,
    /// Texture is gone: something is in front of the lens.
    Covered,
    /// The picture no longer fits its background anywhere: the camera points elsewhere.
    Moved,
    /// Bit for bit or noise for noise the same picture for too long.
    Frozen,
}

/// What the gate says of one look. Level-triggered: losing a report loses nothing but time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GateReport {
    pub scene: Scene,
    /// Share of the picture that moves, 0..1, above the noise floor.
    pub motion: f32,
    /// Detector time is worth spending.
    pub worth_looking: bool,
    /// All regions alive now.
    pub regions: Vec<StaticRegion>,
}
