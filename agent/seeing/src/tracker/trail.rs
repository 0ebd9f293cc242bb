//! Where tracks were in the last half minute, and which places they left: the memory behind "who left it".

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

use super::Track;
use super::live::Live;

/// Samples of one track, oldest first.
pub(super) type Trail = VecDeque<(Mono, BBox)>;

const SAMPLE_EVERY_S: f64 = 0.5;
const SAMPLES: usize = 60;
const DEPARTED: usize = 64;
const DEPARTED_FOR_S: f64 = 60.0;
const VACATED: usize = 64;
const VACATED_FOR_S: f64 = 300.0;

/// A person or vehicle that was where something appeared. A track of this run, never an identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    pub track: u32,
    pub label: Arc<str>,
    pub group: Group,
    /// Where the track began; one that began in the very place was there all along.
    pub first_bbox: BBox,
    pub first_seen: Mono,
}

/// A place where a track had stood still until `at`. What the gate finds there afterwards is bare ground.
#[derive(Clone, Debug, PartialEq)]
pub struct Vacated {
    pub bbox: BBox,
    pub group: Group,
    pub at: Mono,
}

pub(super) fn push_sample(trail: &mut Trail, at: Mono, bbox: BBox) {
    if trail.back().is_some_and(|last| at.since_s(last.0) < SAMPLE_EVERY_S) {
        return;
    }
    if trail.len() == SAMPLES {
        trail.pop_front();
    }
    trail.push_back((at, bbox));
}

/// Close enough to be with it: the feet are within half the person's height of the place.
/// A standing person is about 1.7 m, so this is an arm's length, whatever the distance to the camera.
pub(super) fn near(person: &BBox, place: &BBox) -> bool {
    let (foot_x, foot_y) = person.foot();
    let reach = 0.5 * person.h;
    let dx = (place.x - foot_x).max(foot_x - (place.x + place.w)).max(0.0);
    let dy = (place.y - foot_y).max(foot_y - (place.y + place.h)).max(0.0);
    dx <= reach && dy <= reach
}

struct Departed {
    at: Mono,
    track: Track,
    first_bbox: BBox,
    trail: Trail,
}

/// What is remembered of tracks that are gone. Bounded by number and by age.
#[derive(Default)]
pub(super) struct History {
    departed: VecDeque<Departed>,
    vacated: VecDeque<Vacated>,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "History({} departed, {} vacated)", self.departed.len(), self.vacated.len())
    }
}

impl History {
    pub(super) fn depart(&mut self, at: Mono, live: Live) {
        self.vacated(live.last_place());
        if self.departed.len() == DEPARTED {
            self.departed.pop_front();
        }
        let Live { track, first_bbox, trail, .. } = live;
        self.departed.push_back(Departed { at, track, first_bbox, trail });
    }

    pub(super) fn vacated(&mut self, place: Option<Vacated>) {
        let Some(place) = place.filter(|p| matches!(p.group, Group::Person | Group::Vehicle)) else { return };
        if self.vacated.len() == VACATED {
            self.vacated.pop_front();
        }
        self.vacated.push_back(place);
    }

    pub(super) fn prune(&mut self, at: Mono) {
        self.departed.retain(|d| at.since_s(d.at) < DEPARTED_FOR_S);
        self.vacated.retain(|v| at.since_s(v.at) < VACATED_FOR_S);
    }

    pub(super) fn departed(&self) -> impl Iterator<Item = (&Track, BBox, &Trail)> {
        self.departed.iter().map(|d| (&d.track, d.first_bbox, &d.trail))
    }

    pub(super) fn vacated_places(&self) -> impl Iterator<Item = &Vacated> {
        self.vacated.iter()
    }
}
