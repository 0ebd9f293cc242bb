//! Sight: how a candidate looked when most of it was seen, kept for the time when it has gone.

use kerbside_domain::frame::BBox;
use kerbside_domain::time::Moment;

use super::candidate::Candidate;
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
const MOST_OF_IT: f32 = 0.9;

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

impl Candidate {
    /// A frame has been taken: what is to be remembered of how it looks?
    pub(super) fn update_sight(&mut self, at: Moment) {
        if !self.is_present() {
            return;
        }
        let (bbox, area_norm, dwell_s) = (self.bbox(), self.area_norm(), self.dwell_s());
        let is_explained = self.is_explained();
        let detections = self.parts.iter().map(|p| p.detections).max().unwrap_or_default();
        let is_bare_ground = self.parts.iter().all(Part::is_bare_ground);
        let (source, from) = match self.principal() {
            Some(part) => (part.seen.source, part.seen.appeared),
            None => (self.sight.source, self.sight.from),
        };
        let sight = &mut self.sight;
        if area_norm >= MOST_OF_IT * sight.area_norm {
            (sight.bbox, sight.source, sight.at, sight.from) = (bbox, source, at, from);
            sight.area_norm = sight.area_norm.max(area_norm);
        }
        sight.dwell_s = sight.dwell_s.max(dwell_s);
        sight.detections = sight.detections.max(detections);
        (sight.last, sight.is_explained, sight.is_bare_ground) = (at, is_explained, is_bare_ground);
    }
}
