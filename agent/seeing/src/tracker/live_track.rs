//! One track while it lives: where it should be now, whether it stands still, and when to give it up.

use kerbside_domain::detection::Detection;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

use super::past_tracks::{DepartedTrack, Trail, VacatedPlace};
use super::track::Track;
use super::tuning::{
    CONFIDENT, HIDDEN_AFTER_S, HITS_CONFIDENT, HITS_DOUBTFUL, MAX_PREDICTION_S, MOVES_TO_BELIEVE,
    MOVING_KEPT_S, STILL_AFTER_S, STILL_IOU, STILL_KEPT_S, STOOD_S, TENTATIVE_KEPT_S, VELOCITY_WEIGHTS,
};

/// A track and what only the tracker needs of it.
#[derive(Debug)]
pub(super) struct LiveTrack {
    pub(super) track: Track,
    first_bbox: BBox,
    trail: Trail,
    /// Of the box's centre, shares of the picture a second.
    velocity: (f32, f32),
    /// Where it has stood, and since when.
    anchor: (BBox, Mono),
    odd_boxes: u32,
    unseen_s: f64,
    hits_needed: u32,
}

impl LiveTrack {
    pub(super) fn new(id: u32, at: Mono, detection: &Detection) -> Self {
        let mut trail = Trail::default();
        trail.push(at, detection.bbox);
        LiveTrack {
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
            hits_needed: if detection.confidence >= CONFIDENT { HITS_CONFIDENT } else { HITS_DOUBTFUL },
        }
    }

    /// Seen often enough to be more than a detector's error.
    pub(super) fn is_believed(&self) -> bool {
        self.track.hits >= self.hits_needed
    }

    /// Stands still and has not been seen for a while: something is in front of it.
    pub(super) fn is_hidden(&self) -> bool {
        self.track.still_since.is_some() && self.unseen_s > HIDDEN_AFTER_S
    }

    pub(super) fn is_expired(&self) -> bool {
        let kept_s = match (self.is_believed(), self.track.still_since) {
            (false, _) => TENTATIVE_KEPT_S,
            (true, None) => MOVING_KEPT_S,
            (true, Some(since)) => self.track.last_seen.since_s(since).clamp(MOVING_KEPT_S, STILL_KEPT_S),
        };
        self.unseen_s > kept_s
    }

    /// Where it should be at a moment.
    pub(super) fn predicted(&self, at: Mono) -> BBox {
        if self.track.still_since.is_some() {
            return self.track.bbox;
        }
        let ahead_s = at.since_s(self.track.last_seen).min(MAX_PREDICTION_S) as f32;
        let b = self.track.bbox;
        BBox { x: b.x + self.velocity.0 * ahead_s, y: b.y + self.velocity.1 * ahead_s, ..b }
    }

    pub(super) fn trail(&self) -> (&Track, BBox, &Trail) {
        (&self.track, self.first_bbox, &self.trail)
    }

    /// The track is given up.
    pub(super) fn depart(self, at: Mono) -> DepartedTrack {
        DepartedTrack { at, track: self.track, first_bbox: self.first_bbox, trail: self.trail }
    }

    pub(super) fn miss(&mut self, dt_s: f64) {
        self.unseen_s += dt_s;
    }

    /// The track was seen. Returns the place that it left, if it stood there long enough.
    pub(super) fn take(&mut self, at: Mono, detection: &Detection) -> Option<VacatedPlace> {
        self.update_velocity(at, &detection.bbox);
        let left = self.update_anchor(at, &detection.bbox);
        self.track.label = detection.label.clone();
        self.track.confidence = detection.confidence;
        self.track.bbox = detection.bbox;
        self.track.last_seen = at;
        self.track.hits = self.track.hits.saturating_add(1);
        self.unseen_s = 0.0;
        self.trail.push(at, detection.bbox);
        left
    }

    /// The place it still holds when it is given up without having been seen to move.
    pub(super) fn last_place(&self) -> Option<VacatedPlace> {
        self.track.still_since.map(|_| self.place_left(self.track.last_seen))
    }

    fn update_velocity(&mut self, at: Mono, bbox: &BBox) {
        let dt_s = at.since_s(self.track.last_seen) as f32;
        if dt_s > 0.0 {
            let (before, now) = (self.track.bbox.centre(), bbox.centre());
            let (old_weight, new_weight) = VELOCITY_WEIGHTS;
            let blend = |old: f32, new: f32| old_weight * old + new_weight * new;
            self.velocity = (
                blend(self.velocity.0, (now.0 - before.0) / dt_s),
                blend(self.velocity.1, (now.1 - before.1) / dt_s),
            );
        }
    }

    fn update_anchor(&mut self, at: Mono, bbox: &BBox) -> Option<VacatedPlace> {
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

    fn place_left(&self, at: Mono) -> VacatedPlace {
        VacatedPlace { bbox: self.anchor.0, group: self.track.group, at }
    }
}
