//! Sight: how a candidate looked when most of it was seen, kept for the time when it has gone.

use kerbside_domain::frame::BBox;
use kerbside_domain::time::Moment;

use super::part::{Part, PartSource};

/// How a candidate looked.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub(super) source: PartSource,
    /// When most of it was seen, in shares of the picture.
    pub(super) bbox: BBox,
    /// Of the picture.
    pub(super) area_norm: f32,
    /// The latest moment at which that much of it was seen.
    pub(super) at: Moment,
    /// Since when it stood there.
    pub(super) from: Moment,
    /// When anything of it was seen last.
    pub(super) last: Moment,
    /// The longest dwell that it reached, s.
    pub(super) dwell_s: f64,
    /// The most frames with detections that showed it.
    pub(super) detections: u32,
    /// People, vehicles or bare ground explained it when it was seen last.
    pub(super) is_explained: bool,
    /// It was bare ground when it was seen last.
    pub(super) is_bare_ground: bool,
}

/// A candidate that lost less of its area still shows most of itself.
pub(super) const MOST_OF_IT: f32 = 0.9;

impl Sight {
    /// Of a candidate that begins with a part.
    pub(super) fn of(part: &Part) -> Self {
        Sight {
            source: part.seen.source,
            bbox: part.seen.bbox,
            area_norm: 0.0,
            at: part.seen.appeared,
            from: part.seen.appeared,
            last: part.seen.appeared,
            dwell_s: 0.0,
            detections: 0,
            is_explained: false,
            is_bare_ground: part.is_bare_ground(),
        }
    }
}
