//! Tracker: who is who from look to look. Two-stage association with buffered IoU; what stands still is remembered long.
//! Pure: the same detections at the same moments give the same tracks. It must not know zones, rules or incidents.
//!
//! Sources: the two stages (confident boxes first, then the doubtful ones for tracks left over) are ByteTrack's
//! (Zhang et al., ECCV 2022); the boxes buffered by a share of their own size, narrow first and then wide, are C-BIoU's
//! (Yang et al., WACV 2023), which suits few looks a second. The code is our own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

mod associate;
mod live;
mod trail;

use associate::{Pass, associate};
use live::Live;
use trail::{History, near};
pub use trail::{Vacated, Witness};

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

/// Tracks remembered for one camera at most; beyond it new boxes are not followed, and counted.
pub const MAX_TRACKS: usize = 128;
/// A detection at least this sure may take any track and start one quickly.
const SURE: f32 = 0.5;
/// A moving track that is not seen is kept this long.
const MOVING_MEMORY_S: f64 = 3.0;
/// Beyond this a still track is hidden: it keeps its place, and only a box right there may be it again.
const HIDDEN_AFTER_S: f64 = 1.0;
/// A still track that is not seen (a parked vehicle, a seated vendor behind a crowd) is kept as long as it stood,
/// and at most this long: one who stopped for a moment is gone in a moment.
const STILL_MEMORY_S: f64 = 90.0;
/// A track seen too seldom to be believed is kept this long.
const TENTATIVE_MEMORY_S: f64 = 1.0;
/// Unseen time grows by this much a look at most: looks may be seconds apart when only key frames are decoded.
const MAX_STEP_S: f64 = 1.0;

/// The tracks of one camera.
#[derive(Debug, Default)]
pub struct Tracker {
    tracks: Vec<Live>,
    history: History,
    next_id: u32,
    last: Option<Mono>,
    refused: u64,
}

impl Tracker {
    pub fn new() -> Self {
        Tracker::default()
    }

    /// Takes the detections of one look (best first, after NMS). Looks must come in order of time; an older one is ignored.
    pub fn step(&mut self, at: Mono, detections: &[Detection]) {
        if self.last.is_some_and(|last| at <= last) {
            return;
        }
        let dt_s = self.last.map_or(0.0, |last| at.since_s(last));
        self.last = Some(at);
        let mut free: Vec<usize> = (0..detections.len()).collect();
        let mut waiting: Vec<usize> = (0..self.tracks.len()).collect();
        for pass in Pass::IN_ORDER {
            let pairs = associate(pass, at, &self.tracks, &waiting, detections, &free);
            for &(track, detection) in &pairs {
                let moved_off = self.tracks[track].take(at, &detections[detection]);
                self.history.vacated(moved_off);
            }
            waiting.retain(|t| !pairs.iter().any(|p| p.0 == *t));
            free.retain(|d| !pairs.iter().any(|p| p.1 == *d));
        }
        for &track in &waiting {
            self.tracks[track].miss(dt_s.min(MAX_STEP_S));
        }
        self.forget(at);
        for &detection in &free {
            self.start(at, &detections[detection]);
        }
        self.history.prune(at);
    }

    /// Everything was lost from sight (camera moved, stream restarted): no track survives, ids go on.
    pub fn reset(&mut self) {
        self.tracks.clear();
        self.history = History::default();
        self.last = None;
    }

    /// Believed tracks, also those hidden at the moment.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(|l| l.believed()).map(|l| &l.track)
    }

    /// Believed tracks seen in the latest look that had detections.
    pub fn visible(&self) -> impl Iterator<Item = &Track> {
        let last = self.last;
        self.tracks().filter(move |t| Some(t.last_seen) == last)
    }

    /// Boxes that were not followed because there were [`MAX_TRACKS`] already.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The person or vehicle that touched `bbox` best between two moments, if any was there.
    pub fn witness(&self, bbox: &BBox, from: Mono, to: Mono) -> Option<Witness> {
        let mut best: Option<(f32, Witness)> = None;
        for (track, first_bbox, trail) in self.trails() {
            let touch = trail.iter().filter(|s| s.0 >= from && s.0 <= to).map(|s| touching(&s.1, bbox));
            let touch = touch.fold(0.0_f32, f32::max);
            if touch > 0.0 && best.as_ref().is_none_or(|b| touch > b.0) {
                let witness = Witness {
                    track: track.id,
                    label: track.label.clone(),
                    group: track.group,
                    first_bbox,
                    first_seen: track.first_seen,
                };
                best = Some((touch, witness));
            }
        }
        best.map(|b| b.1)
    }

    /// When a person was last close to `bbox`, as far back as the trails reach (30 s).
    pub fn person_last_near(&self, bbox: &BBox) -> Option<Mono> {
        let people = self.trails().filter(|(track, _, _)| track.group == Group::Person);
        people.flat_map(|(_, _, trail)| trail.iter()).filter(|s| near(&s.1, bbox)).map(|s| s.0).max()
    }

    /// Places that a person or vehicle stood on and left, latest last.
    pub fn vacated(&self) -> impl Iterator<Item = &Vacated> {
        self.history.vacated_places()
    }

    fn trails(&self) -> impl Iterator<Item = (&Track, BBox, &trail::Trail)> {
        let live = self.tracks.iter().filter(|l| l.believed()).map(|l| (&l.track, l.first_bbox, &l.trail));
        live.chain(self.history.departed())
            .filter(|(t, _, _)| matches!(t.group, Group::Person | Group::Vehicle))
    }

    fn start(&mut self, at: Mono, detection: &Detection) {
        if self.tracks.len() >= MAX_TRACKS {
            self.refused += 1;
            return;
        }
        self.next_id = self.next_id.wrapping_add(1);
        self.tracks.push(Live::new(self.next_id, at, detection));
    }

    fn forget(&mut self, at: Mono) {
        let (keep, gone): (Vec<Live>, Vec<Live>) = self.tracks.drain(..).partition(|l| !l.expired());
        self.tracks = keep;
        for live in gone.into_iter().filter(Live::believed) {
            self.history.depart(at, live);
        }
    }
}

/// How much of the smaller of two boxes is shared, 0..1, after a small buffer around the moving one.
fn touching(mover: &BBox, place: &BBox) -> f32 {
    let smaller = mover.area().min(place.area());
    if smaller > 0.0 { mover.buffered(0.1).intersection(place) / smaller } else { 0.0 }
}

/// Whether a person in `person` is close enough to `place` to be with it.
pub fn is_near(person: &BBox, place: &BBox) -> bool {
    near(person, place)
}

#[cfg(test)]
mod tests;
