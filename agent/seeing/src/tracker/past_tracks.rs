//! Where tracks were in the last half minute, and which places they left: what is known of who left an object.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

use super::track::{Track, is_near};
use super::tuning::{DEPARTED, DEPARTED_KEPT_S, TRAIL_SAMPLE_S, TRAIL_SAMPLES, VACATED, VACATED_KEPT_S};

/// Where one track was. Bounded by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    /// Oldest first.
    samples: VecDeque<(Mono, BBox)>,
}

impl Trail {
    pub(super) fn push(&mut self, at: Mono, bbox: BBox) {
        if self.samples.back().is_some_and(|last| at.since_s(last.0) < TRAIL_SAMPLE_S) {
            return;
        }
        if self.samples.len() == TRAIL_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((at, bbox));
    }

    pub(super) fn between(&self, from: Mono, to: Mono) -> impl Iterator<Item = &BBox> {
        self.samples.iter().filter(move |s| s.0 >= from && s.0 <= to).map(|s| &s.1)
    }

    /// When it was last near a place.
    pub(super) fn last_near(&self, place: &BBox) -> Option<Mono> {
        self.samples.iter().filter(|s| is_near(&s.1, place)).map(|s| s.0).max()
    }
}

/// The person or vehicle that was at a place when something appeared there. A track of this run, never an identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    /// Its track.
    pub track: u32,
    /// What the detector called it.
    pub label: Arc<str>,
    /// Person or vehicle.
    pub group: Group,
    /// Where the track began; one that began in the very place was there all along.
    pub first_bbox: BBox,
    /// When the track began.
    pub first_seen: Mono,
}

/// A place where a track had stood still until `at`. What the gate finds there afterwards is bare ground.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VacatedPlace {
    /// Where it stood.
    pub(crate) bbox: BBox,
    /// Person or vehicle.
    pub(crate) group: Group,
    /// When it was seen to have left, or was last seen.
    pub(crate) at: Mono,
}

/// A track that was given up at `at`.
pub(super) struct DepartedTrack {
    pub(super) at: Mono,
    pub(super) track: Track,
    pub(super) first_bbox: BBox,
    pub(super) trail: Trail,
}

/// What is remembered of tracks that are gone. Bounded by number and by age.
#[derive(Default)]
pub(super) struct PastTracks {
    departed: VecDeque<DepartedTrack>,
    vacated: VecDeque<VacatedPlace>,
}

impl std::fmt::Debug for PastTracks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PastTracks({} departed, {} vacated)", self.departed.len(), self.vacated.len())
    }
}

impl PastTracks {
    /// A track is given up; `place`: where it still stood.
    pub(super) fn depart(&mut self, track: DepartedTrack, place: Option<VacatedPlace>) {
        self.vacate(place);
        if self.departed.len() == DEPARTED {
            self.departed.pop_front();
        }
        self.departed.push_back(track);
    }

    pub(super) fn vacate(&mut self, place: Option<VacatedPlace>) {
        let Some(place) = place.filter(|p| matches!(p.group, Group::Person | Group::Vehicle)) else { return };
        if self.vacated.len() == VACATED {
            self.vacated.pop_front();
        }
        self.vacated.push_back(place);
    }

    pub(super) fn prune(&mut self, at: Mono) {
        self.departed.retain(|d| at.since_s(d.at) < DEPARTED_KEPT_S);
        self.vacated.retain(|v| at.since_s(v.at) < VACATED_KEPT_S);
    }

    pub(super) fn departed_tracks(&self) -> impl Iterator<Item = (&Track, BBox, &Trail)> {
        self.departed.iter().map(|d| (&d.track, d.first_bbox, &d.trail))
    }

    pub(super) fn vacated_places(&self) -> impl Iterator<Item = &VacatedPlace> {
        self.vacated.iter()
    }
}
