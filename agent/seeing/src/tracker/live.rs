//! One track while it lives: where it should be now, whether it stands still, and when to give it up.

use kerbside_domain::detection::Detection;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

use super::trail::{Trail, Vacated, push_sample};
use super::{HIDDEN_AFTER_S, MOVING_MEMORY_S, STILL_MEMORY_S, SURE, TENTATIVE_MEMORY_S, Track};

/// Prediction runs at most this far ahead; a constant velocity is not true for longer.
const MAX_PREDICTION_S: f64 = 1.0;
/// A box that shares less than this with where it stood has moved.
const STILL_IOU: f32 = 0.6;
/// Standing at least this long is standing still.
const STILL_AFTER_S: f64 = 2.0;
/// Leaving a place is worth remembering after standing there this long.
const STOOD_S: f64 = 5.0;
/// One odd box is the detector's jitter, this many in a row are a move.
const MOVES_TO_BELIEVE: u32 = 2;

#[derive(Debug)]
pub(super) struct Live {
    pub(super) track: Track,
    pub(super) first_bbox: BBox,
    pub(super) trail: Trail,
    /// Centre's velocity, shares of the picture a second.
    velocity: (f32, f32),
    /// Where and since when it has stood.
    anchor: (BBox, Mono),
    odd_boxes: u32,
    unseen_s: f64,
    needs_hits: u32,
}

impl Live {
    pub(super) fn new(id: u32, at: Mono, detection: &Detection) -> Self {
        let mut trail = Trail::default();
        push_sample(&mut trail, at, detection.bbox);
        Live {
            track: Track {
                id,
                label: detection.label.clone(),
                group: detection.group,
                confidence: detection.confidence,
                bbox: detection.bbox,
                first_seen: at,
                last_seen: at,
                still_since: None,
                hits: 1,
            },
            first_bbox: detection.bbox,
            trail,
            velocity: (0.0, 0.0),
            anchor: (detection.bbox, at),
            odd_boxes: 0,
            unseen_s: 0.0,
            // ByteTrack starts tracks from sure boxes only; a weak model would then be blind, so doubtful ones need more.
            needs_hits: if detection.confidence >= SURE { 2 } else { 4 },
        }
    }

    pub(super) fn believed(&self) -> bool {
        self.track.hits >= self.needs_hits
    }

    /// Stands still and has not been seen for a while: something is in front of it.
    pub(super) fn hidden(&self) -> bool {
        self.track.still_since.is_some() && self.unseen_s > HIDDEN_AFTER_S
    }

    pub(super) fn expired(&self) -> bool {
        let memory_s = match (self.believed(), self.track.still_since.is_some()) {
            (false, _) => TENTATIVE_MEMORY_S,
            (true, false) => MOVING_MEMORY_S,
            (true, true) => self.stood_s().clamp(MOVING_MEMORY_S, STILL_MEMORY_S),
        };
        self.unseen_s > memory_s
    }

    fn stood_s(&self) -> f64 {
        self.track.still_since.map_or(0.0, |since| self.track.last_seen.since_s(since))
    }

    pub(super) fn predicted(&self, at: Mono) -> BBox {
        if self.track.still_since.is_some() {
            return self.track.bbox;
        }
        let ahead_s = at.since_s(self.track.last_seen).min(MAX_PREDICTION_S) as f32;
        let b = self.track.bbox;
        BBox { x: b.x + self.velocity.0 * ahead_s, y: b.y + self.velocity.1 * ahead_s, ..b }
    }

    pub(super) fn miss(&mut self, dt_s: f64) {
        self.unseen_s += dt_s;
    }

    /// The track was seen; says which place it left if it stood there long enough.
    pub(super) fn take(&mut self, at: Mono, detection: &Detection) -> Option<Vacated> {
        let dt_s = at.since_s(self.track.last_seen) as f32;
        if dt_s > 0.0 {
            let (was, is) = (self.track.bbox.centre(), detection.bbox.centre());
            let blend = |old: f32, new: f32| 0.6 * old + 0.4 * new;
            self.velocity = (
                blend(self.velocity.0, (is.0 - was.0) / dt_s),
                blend(self.velocity.1, (is.1 - was.1) / dt_s),
            );
        }
        let left = self.settle(at, &detection.bbox);
        self.track.label = detection.label.clone();
        self.track.confidence = detection.confidence;
        self.track.bbox = detection.bbox;
        self.track.last_seen = at;
        self.track.hits = self.track.hits.saturating_add(1);
        self.unseen_s = 0.0;
        push_sample(&mut self.trail, at, detection.bbox);
        left
    }

    /// The place it still holds when it is given up without having been seen to move.
    pub(super) fn last_place(&self) -> Option<Vacated> {
        self.track.still_since.map(|_| self.place_left(self.track.last_seen))
    }

    fn settle(&mut self, at: Mono, bbox: &BBox) -> Option<Vacated> {
        let stood_s = at.since_s(self.anchor.1);
        if bbox.iou(&self.anchor.0) >= STILL_IOU {
            self.odd_boxes = 0;
            if stood_s >= STILL_AFTER_S {
                self.track.still_since = Some(self.anchor.1);
            }
            return None;
        }
        self.odd_boxes += 1;
        if self.track.still_since.is_some() && self.odd_boxes < MOVES_TO_BELIEVE {
            return None;
        }
        let left = (stood_s >= STOOD_S && self.track.still_since.is_some()).then(|| self.place_left(at));
        self.anchor = (*bbox, at);
        self.odd_boxes = 0;
        self.track.still_since = None;
        left
    }

    fn place_left(&self, at: Mono) -> Vacated {
        Vacated { bbox: self.anchor.0, group: self.track.group, at }
    }
}
