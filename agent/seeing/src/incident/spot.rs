//! A spot: something that stands where nothing stood, made of one or more neighbouring static regions, and all that
//! is known of it. It must not know rules; `judge` asks it.

use std::collections::BTreeSet;

use crate::tracker::Witness;
use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Moment;

use super::CloseUp;
use super::company::Company;
use super::labels::Labels;
use super::lookback::Past;

/// A region is hidden by people or vehicles when they cover this share of its box.
const COVER_SHARE: f32 = 0.6;
/// And it *is* the person or vehicle when their boxes agree this well.
const SAME_IOU: f32 = 0.4;
/// Boxes grown by this share of their size that touch are neighbours.
const NEIGHBOUR_BUFFER: f32 = 0.35;
/// Looks of the detector before anything is said about what a region is not.
pub(super) const MIN_ASKED: u32 = 3;
/// A part that has been the very person or vehicle for this long in a row is one, whatever covered it before.
pub(super) const IS_MOVER_S: f64 = 10.0;
/// Bare of cover for this share of the covered time, within these limits, a part is a thing of its own: whoever stood
/// before it has left. Still tracks are remembered longer than the detector misses them.
const BARE_SHARE: f64 = 0.3;
const BARE_LEAST_S: f64 = 5.0;
const BARE_MOST_S: f64 = 60.0;
/// Boxes of one place differ by no more than this in area.
const SIZE_RATIO: f32 = 6.0;
/// Share of the time covered from which a part counts as explained where no rule says otherwise.
pub(super) const EXPLAINED_SHARE: f32 = 0.5;

/// Where a part comes from, to find it again in the next look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A region of the gate.
    Region(u32),
    /// A still track of a label that stands for itself (waste, stall), also where the background already holds it.
    Track(u32),
}

/// One look at a part.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) source: Source,
    pub(super) bbox: BBox,
    pub(super) area_norm: f32,
    pub(super) appeared: Moment,
    pub(super) still_since: Moment,
    pub(super) occluded: bool,
    pub(super) similarity: f32,
    /// The gate sees bare ground here where its background has a thing.
    pub(super) removed: bool,
}

/// Why a static region is no incident by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Explained {
    Person,
    Vehicle,
    /// Bare ground that someone or something left behind.
    Vacated,
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) seen: Standing,
    /// Made by this very look: the time until it is in its head start already.
    fresh: bool,
    pub(super) present: bool,
    pub(super) witness: Option<Witness>,
    pub(super) vacated: bool,
    /// Hidden right now, and by what.
    pub(super) covered: Option<Group>,
    pub(super) dwell_s: f64,
    /// Hidden time: belongs to the dwell once the part is seen again.
    hidden_s: f64,
    /// Not there although its place was in sight, in a row.
    pub(super) gone_s: f64,
    /// Not seen for whatever reason, in a row.
    pub(super) absent_s: f64,
    pub(super) asked: u32,
    asked_s: f64,
    person_s: f64,
    vehicle_s: f64,
    /// In sight and without cover, in a row.
    bare_s: f64,
    /// It has been the very person or vehicle for this long in a row.
    pub(super) is_mover_s: f64,
    /// And which, once that was long enough.
    is_mover: Option<Explained>,
}

impl Part {
    pub(super) fn new(seen: Standing, dwell_s: f64, witness: Option<Witness>) -> Self {
        Part {
            seen,
            fresh: true,
            present: true,
            witness,
            vacated: false,
            covered: None,
            dwell_s,
            hidden_s: 0.0,
            gone_s: 0.0,
            absent_s: 0.0,
            asked: 0,
            asked_s: 0.0,
            person_s: 0.0,
            vehicle_s: 0.0,
            bare_s: 0.0,
            is_mover_s: 0.0,
            is_mover: None,
        }
    }

    /// In sight and not behind anything.
    pub(super) fn in_the_open(&self) -> bool {
        self.present && !self.seen.occluded && self.covered.is_none()
    }

    pub(super) fn explained(&self, max_covered: f32) -> Option<Explained> {
        if self.vacated || self.seen.removed {
            return Some(Explained::Vacated);
        }
        if self.is_mover.is_some() {
            return self.is_mover;
        }
        let covered_s = self.person_s + self.vehicle_s;
        let bare = self.bare_s >= (BARE_SHARE * covered_s).clamp(BARE_LEAST_S, BARE_MOST_S);
        if self.asked == 0 || bare || covered_s <= f64::from(max_covered) * self.asked_s {
            return None;
        }
        Some(if self.vehicle_s >= self.person_s { Explained::Vehicle } else { Explained::Person })
    }

    /// Time passes by one look; `present` and `covered` are up to date.
    pub(super) fn pass(&mut self, dt_s: f64) {
        if std::mem::take(&mut self.fresh) {
            return;
        }
        if self.present && !self.seen.occluded {
            self.dwell_s += dt_s + self.hidden_s;
            self.hidden_s = 0.0;
        } else if self.present || self.covered.is_some() {
            self.hidden_s += dt_s;
        }
        self.gone_s = match (self.present, self.covered) {
            (true, _) => 0.0,
            (false, Some(_)) => self.gone_s,
            (false, None) => self.gone_s + dt_s,
        };
        self.absent_s = if self.present { 0.0 } else { self.absent_s + dt_s };
    }

    /// The detector saw this look: is the part covered by people or vehicles, or is it one?
    pub(super) fn sample_cover(&mut self, dt_s: f64, movers: &[(Group, BBox)]) {
        self.asked += 1;
        self.asked_s += dt_s;
        match self.covered {
            Some(Group::Vehicle) => self.vehicle_s += dt_s,
            Some(_) => self.person_s += dt_s,
            None => {}
        }
        self.bare_s = if self.in_the_open() { self.bare_s + dt_s } else { 0.0 };
        let mover = movers.iter().find(|(_, bbox)| bbox.iou(&self.seen.bbox) >= SAME_IOU);
        self.is_mover_s = if mover.is_some() { self.is_mover_s + dt_s } else { 0.0 };
        if let Some((group, _)) = mover.filter(|_| self.is_mover_s >= IS_MOVER_S) {
            let vehicle = *group == Group::Vehicle;
            self.is_mover = Some(if vehicle { Explained::Vehicle } else { Explained::Person });
        }
    }
}

/// Which people or vehicles hide a box, if they cover most of it.
pub(super) fn cover(bbox: &BBox, movers: &[(Group, BBox)]) -> Option<Group> {
    let share = |group: Group| -> f32 {
        let covered: f32 = movers.iter().filter(|m| m.0 == group).map(|m| m.1.intersection(bbox)).sum();
        if bbox.area() > 0.0 { covered / bbox.area() } else { 0.0 }
    };
    let (people, vehicles) = (share(Group::Person), share(Group::Vehicle));
    if people + vehicles < COVER_SHARE {
        return None;
    }
    Some(if vehicles >= people { Group::Vehicle } else { Group::Person })
}

/// Boxes of one place: they overlap well, or one of similar size lies in the other. A bag behind a van is not the van.
pub(super) fn same_place(a: &BBox, b: &BBox) -> bool {
    let (smaller, larger) = (a.area().min(b.area()), a.area().max(b.area()));
    a.iou(b) >= 0.2 || (larger <= SIZE_RATIO * smaller && holds(a, b))
}

/// The smaller box lies in the larger one.
pub(super) fn holds(a: &BBox, b: &BBox) -> bool {
    let smaller = a.area().min(b.area());
    smaller > 0.0 && a.intersection(b) >= 0.6 * smaller
}

pub(super) fn neighbours(a: &BBox, b: &BBox) -> bool {
    a.buffered(NEIGHBOUR_BUFFER).intersection(&b.buffered(NEIGHBOUR_BUFFER)) > 0.0
}

#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) id: u32,
    /// Id of the incident that it may become.
    pub(super) incident_id: String,
    /// The id is that of an incident that was cleared here.
    pub(super) borrowed: bool,
    /// Packets are kept for it.
    pub(super) kept: bool,
    /// Whether the past was asked who brought it, and what it said.
    pub(super) past: Past,
    pub(super) parts: Vec<Part>,
    pub(super) company: Company,
    pub(super) labels: Labels,
    /// What has been counted as refused already: rule id and reason.
    pub(super) refused: BTreeSet<(String, &'static str)>,
}

impl Spot {
    pub(super) fn new(id: u32, incident_id: String, part: Part, alone_s: f64) -> Self {
        Spot {
            id,
            incident_id,
            borrowed: false,
            kept: false,
            past: Past::NotAsked,
            parts: vec![part],
            company: Company::new(alone_s),
            labels: Labels::default(),
            refused: BTreeSet::new(),
        }
    }

    pub(super) fn bbox(&self) -> BBox {
        let boxes = self.parts.iter().map(|p| p.seen.bbox);
        boxes.reduce(|a, b| a.union(&b)).unwrap_or_default()
    }

    /// Share of the picture that really changed.
    pub(super) fn area_norm(&self) -> f32 {
        self.parts.iter().map(|p| p.seen.area_norm).sum()
    }

    /// Share of its box that really changed.
    pub(super) fn filled(&self) -> f32 {
        let area = self.bbox().area();
        if area > 0.0 { self.area_norm() / area } else { 0.0 }
    }

    /// The part with which at least half of it stands: a speck that has lain here for an hour makes no bag old.
    fn principal(&self) -> Option<&Part> {
        let mut by_age: Vec<&Part> = self.parts.iter().collect();
        by_age.sort_by(|a, b| b.dwell_s.total_cmp(&a.dwell_s));
        let half = self.area_norm() / 2.0;
        let mut standing = 0.0;
        by_age.into_iter().find(|part| {
            standing += part.seen.area_norm;
            standing >= half
        })
    }

    pub(super) fn appeared(&self) -> Moment {
        self.principal().map(|p| p.seen.appeared).unwrap_or_default()
    }

    pub(super) fn dwell_s(&self) -> f64 {
        self.principal().map_or(0.0, |p| p.dwell_s)
    }

    /// Mean over the parts, by their areas.
    pub(super) fn similarity(&self) -> f32 {
        let area = self.area_norm();
        let sum: f32 = self.parts.iter().map(|p| p.seen.similarity * p.seen.area_norm).sum();
        if area > 0.0 { sum / area } else { 0.0 }
    }

    pub(super) fn asked(&self) -> u32 {
        self.parts.iter().map(|p| p.asked).max().unwrap_or(0)
    }

    pub(super) fn present(&self) -> bool {
        self.parts.iter().any(|p| p.present)
    }

    pub(super) fn in_the_open(&self) -> bool {
        self.parts.iter().any(Part::in_the_open)
    }

    /// The reason that holds for every part; `None` as soon as one part is unexplained.
    pub(super) fn explained(&self, max_covered: f32) -> Option<Explained> {
        let mut reasons = self.parts.iter().map(|p| p.explained(max_covered));
        let first = reasons.next().flatten()?;
        reasons.all(|r| r.is_some()).then_some(first)
    }

    pub(super) fn witness(&self) -> Option<&Witness> {
        let others = self.parts.iter().find_map(|p| p.witness.as_ref());
        self.principal().and_then(|p| p.witness.as_ref()).or(others)
    }

    /// It has been the very person or vehicle for so long.
    pub(super) fn is_mover_s(&self) -> f64 {
        self.parts.iter().map(|p| p.is_mover_s).fold(f64::INFINITY, f64::min)
    }

    /// What a look called it, and what its close-up did if this spot was in it.
    pub(super) fn sample_labels(&mut self, dt_s: f64, detections: &[Detection], close_up: Option<&CloseUp>) {
        let bbox = self.bbox();
        self.labels.look(dt_s, &bbox, detections);
        if let Some(close_up) = close_up {
            self.labels.close_up(&bbox, close_up);
        }
    }
}
