//! What a gate reports: the scene as a whole, static regions, and which frames are active or due for the detector.

use serde::{Deserialize, Serialize};

use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

/// Which way the picture changed where a region is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionKind {
    /// Something is there that the background does not have.
    #[default]
    Appeared,
    /// Something that the background has is gone: it stood there when the gate learnt the street, and left.
    Removed,
}

/// Something that was not there, then was, and has not moved since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StaticRegion {
    /// Stable while the region lives, unique within a gate's life.
    pub id: u32,
    /// Where it is, in shares of the picture.
    pub bbox: BBox,
    /// Share of the picture that really changed, 0..1 (not the box's area).
    pub area_norm: f32,
    /// When the first changed pixels appeared there.
    pub appeared: Mono,
    /// Since when the changed pixels have not changed again.
    pub still_since: Mono,
    /// Something moves in front of it right now: neither seen nor gone.
    pub occluded: bool,
    /// Normalised cross-correlation of the region with itself when confirmed, -1..1.
    pub similarity: f32,
    /// Whether an object appeared or was removed.
    #[serde(default)]
    pub kind: RegionKind,
}

/// What the picture as a whole looks like. Only `Clear` means that the camera sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scene {
    /// Too few frames yet to know the background. A region that was alive before and is missing after says nothing.
    #[default]
    Learning,
    /// The picture can be judged.
    Clear,
    /// Lights or exposure just changed over the whole picture; regions wait.
    LightChanged,
    /// Almost no light or no signal.
    Black,
    /// Texture is gone: something is in front of the lens.
    Covered,
    /// The picture fits its background nowhere: the camera points elsewhere.
    Moved,
    /// The same picture for too long, noise and all: only the codec's rounding differs.
    Frozen,
}

/// What the gate says of one frame. It is the state, not its change: losing a report loses nothing but time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GateReport {
    /// The picture as a whole.
    pub scene: Scene,
    /// Share of the picture that moves, 0..1, above the noise.
    pub motion: f32,
    /// The detector shall see this frame: it is active, or the last detection is long ago.
    pub due_for_detection: bool,
    /// Something moves or has just come to rest, or the scene is not known yet: more frames are worth decoding.
    /// A frame that is only due, so that a quiet place is not forgotten, is no reason to decode more.
    pub active: bool,
    /// All regions alive now, by id.
    pub regions: Vec<StaticRegion>,
}
