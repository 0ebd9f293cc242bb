//! The tracker: takes the detections of one frame after the other.

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

use super::associate::{Pass, associate};
use super::live_track::LiveTrack;
use super::past_tracks::{PastTracks, Trail, VacatedPlace, Witness};
use super::track::Track;
use super::tuning::{MAX_TRACKS, MAX_UNSEEN_STEP_S, TOUCH_BUFFER};

/// The tracks of one camera.
#[derive(Debug, Default)]
pub struct Tracker {
    tracks: Vec<LiveTrack>,
    past: PastTracks,
    next_id: u32,
    last: Option<Mono>,
    refused: u64,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new() -> Self {
        Tracker::default()
    }

    /// Takes the detections of one frame (best first, after NMS). Frames must come in order of time; an older one is ignored.
    pub fn step(&mut self, at: Mono, detections: &[Detection]) {
        if self.last.is_some_and(|last| at <= last) {
            return;
        }
        let dt_s = self.last.map_or(0.0, |last| at.since_s(last));
        self.last = Some(at);
        let mut unmatched_detections: Vec<usize> = (0..detections.len()).collect();
        let mut unmatched_tracks: Vec<usize> = (0..self.tracks.len()).collect();
        for pass in Pass::IN_ORDER {
            let pairs =
                associate(pass, at, &self.tracks, &unmatched_tracks, detections, &unmatched_detections);
            for &(track, detection) in &pairs {
                let left = self.tracks[track].take(at, &detections[detection]);
                self.past.vacate(left);
            }
            unmatched_tracks.retain(|t| !pairs.iter().any(|p| p.0 == *t));
            unmatched_detections.retain(|d| !pairs.iter().any(|p| p.1 == *d));
        }
        for &track in &unmatched_tracks {
            self.tracks[track].miss(dt_s.min(MAX_UNSEEN_STEP_S));
        }
        self.forget_expired(at);
        for &detection in &unmatched_detections {
            self.start(at, &detections[detection]);
        }
        self.past.prune(at);
    }

    /// Everything was lost from sight (camera moved, stream restarted): no track survives, ids go on.
    pub fn reset(&mut self) {
        self.tracks.clear();
        self.past = PastTracks::default();
        self.last = None;
    }

    /// Believed tracks, also those hidden at the moment.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(|l| l.is_believed()).map(|l| &l.track)
    }

    /// Believed tracks seen in the latest frame that had detections.
    pub fn visible(&self) -> impl Iterator<Item = &Track> {
        let last = self.last;
        self.tracks().filter(move |t| Some(t.last_seen) == last)
    }

    /// Boxes that were not followed because there were too many tracks already.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// The person or vehicle that touched `bbox` best between two moments, if any was there.
    pub fn witness(&self, bbox: &BBox, from: Mono, to: Mono) -> Option<Witness> {
        let mut best: Option<(f32, Witness)> = None;
        for (track, first_bbox, trail) in self.trails() {
            let touch = trail.between(from, to).map(|sample| touching(sample, bbox)).fold(0.0_f32, f32::max);
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

    /// When a person was last near `bbox`, as far back as the trails reach (30 s).
    pub(crate) fn person_last_near(&self, bbox: &BBox) -> Option<Mono> {
        let people = self.trails().filter(|(track, _, _)| track.group == Group::Person);
        people.filter_map(|(_, _, trail)| trail.last_near(bbox)).max()
    }

    /// Places that a person or vehicle stood on and left, latest last.
    pub(crate) fn vacated(&self) -> impl Iterator<Item = &VacatedPlace> {
        self.past.vacated_places()
    }

    /// Of people and vehicles, living and departed: the track, where it began, where it was.
    fn trails(&self) -> impl Iterator<Item = (&Track, BBox, &Trail)> {
        let live = self.tracks.iter().filter(|l| l.is_believed()).map(LiveTrack::trail);
        live.chain(self.past.departed_tracks())
            .filter(|(t, _, _)| matches!(t.group, Group::Person | Group::Vehicle))
    }

    fn start(&mut self, at: Mono, detection: &Detection) {
        if self.tracks.len() >= MAX_TRACKS {
            self.refused += 1;
            return;
        }
        self.next_id = self.next_id.wrapping_add(1);
        self.tracks.push(LiveTrack::new(self.next_id, at, detection));
    }

    fn forget_expired(&mut self, at: Mono) {
        let (living, expired): (Vec<LiveTrack>, Vec<LiveTrack>) =
            self.tracks.drain(..).partition(|l| !l.is_expired());
        self.tracks = living;
        for track in expired.into_iter().filter(LiveTrack::is_believed) {
            let place = track.last_place();
            self.past.depart(track.depart(at), place);
        }
    }
}

/// How much of the smaller of two boxes is shared, 0..1, after a small buffer around the moving one.
fn touching(mover: &BBox, place: &BBox) -> f32 {
    let smaller = mover.area().min(place.area());
    if smaller > 0.0 { mover.buffered(TOUCH_BUFFER).intersection(place) / smaller } else { 0.0 }
}
