//! A part of a candidate: one static region, how long it has stood, and what explains it.

use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Moment;

use super::place::Mover;
use super::refusal::{Check, Measure};
use super::tuning::candidate::{
    BEGAN_BY_S, IS_MOVER_S, UNCOVERED_LEAST_S, UNCOVERED_MOST_S, UNCOVERED_SHARE, VACATED_AFTER_S,
    VACATED_BEFORE_S,
};
use super::tuning::place::SAME_OBJECT_IOU;
use crate::tracker::{Track, VacatedPlace, Witness};

/// Where a part comes from, to find it again in the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartSource {
    /// A region of the gate.
    Region(u32),
    /// A still track of a label that stands for itself (waste, stall), also where the background already holds it.
    Track(u32),
}

/// What one frame shows of a part.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) source: PartSource,
    pub(super) bbox: BBox,
    pub(super) area_norm: f32,
    pub(super) appeared: Moment,
    pub(super) still_since: Moment,
    pub(super) occluded: bool,
    pub(super) similarity: f32,
    /// The gate sees bare ground here where its background has an object.
    pub(super) removed: bool,
}

/// Why a static region is no incident by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Explanation {
    /// It is a person, or people hide it most of the time.
    Person,
    /// The same of a vehicle.
    Vehicle,
    /// Bare ground that someone or something left behind.
    Vacated,
}

/// An explanation and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Explained {
    pub(super) by: Explanation,
    pub(super) check: Check,
}

/// One static region over time.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// In the last frame that showed it.
    pub(super) seen: Sighting,
    /// Made by this very frame: the time until it is in its head start already.
    is_new: bool,
    pub(super) present: bool,
    pub(super) witness: Option<Witness>,
    pub(super) vacated: bool,
    /// Hidden right now, and by what.
    pub(super) covered_by: Option<Group>,
    pub(super) dwell_s: f64,
    /// Hidden time: belongs to the dwell once the part is seen again.
    hidden_s: f64,
    /// Not there although its place was in sight, in a row.
    pub(super) gone_s: f64,
    /// Not seen for whatever reason, in a row.
    pub(super) absent_s: f64,
    /// Frames with detections since it is known.
    pub(super) detections: u32,
    /// The time that they stand for.
    sampled_s: f64,
    /// Of it, covered by people, by vehicles.
    person_s: f64,
    vehicle_s: f64,
    /// In sight and without cover, in a row.
    uncovered_s: f64,
    /// It has agreed with a person or vehicle for this long in a row.
    pub(super) same_as_mover_s: f64,
    /// The longest of these.
    longest_as_mover_s: f64,
    /// And with which, once that was long enough.
    mover: Option<Explanation>,
}

impl Part {
    pub(super) fn new(seen: Sighting, dwell_s: f64, witness: Option<Witness>) -> Self {
        Part {
            seen,
            is_new: true,
            present: true,
            witness,
            vacated: false,
            covered_by: None,
            dwell_s,
            hidden_s: 0.0,
            gone_s: 0.0,
            absent_s: 0.0,
            detections: 0,
            sampled_s: 0.0,
            person_s: 0.0,
            vehicle_s: 0.0,
            uncovered_s: 0.0,
            same_as_mover_s: 0.0,
            longest_as_mover_s: 0.0,
            mover: None,
        }
    }

    /// In sight and not behind anything.
    pub(super) fn is_in_the_open(&self) -> bool {
        self.present && !self.seen.occluded && self.covered_by.is_none()
    }

    /// Bare ground: something stood here and left.
    pub(super) fn is_bare_ground(&self) -> bool {
        self.vacated || self.seen.removed
    }

    /// What explains it, when `max_covered` is the share of the time that it may be covered.
    pub(super) fn explanation(&self, max_covered: f32) -> Option<Explanation> {
        if self.is_bare_ground() {
            return Some(Explanation::Vacated);
        }
        if self.mover.is_some() {
            return self.mover;
        }
        let covered_s = self.person_s + self.vehicle_s;
        let enough_s = (UNCOVERED_SHARE * covered_s).clamp(UNCOVERED_LEAST_S, UNCOVERED_MOST_S);
        let stands_alone = self.uncovered_s >= enough_s;
        if self.detections == 0 || stands_alone || covered_s <= f64::from(max_covered) * self.sampled_s {
            return None;
        }
        Some(if self.vehicle_s >= self.person_s { Explanation::Vehicle } else { Explanation::Person })
    }

    /// The same with what it rests on.
    pub(super) fn explained(&self, max_covered: f32) -> Option<Explained> {
        let by = self.explanation(max_covered)?;
        let share = |of_s: f64| if self.sampled_s > 0.0 { of_s / self.sampled_s } else { 0.0 };
        let check = match (by, self.mover) {
            (Explanation::Vehicle, Some(_)) => {
                Check::new(Measure::SameAsVehicleS, self.longest_as_mover_s, IS_MOVER_S)
            }
            (_, Some(_)) => Check::new(Measure::SameAsPersonS, self.longest_as_mover_s, IS_MOVER_S),
            (Explanation::Vehicle, None) => {
                let hidden = share(self.person_s + self.vehicle_s);
                Check::new(Measure::HiddenByVehiclesShare, hidden, max_covered)
            }
            (_, None) => {
                let hidden = share(self.person_s + self.vehicle_s);
                Check::new(Measure::HiddenByPeopleShare, hidden, max_covered)
            }
        };
        Some(Explained { by, check })
    }

    /// Time passes by one frame. `present` and `covered_by` are up to date.
    pub(super) fn pass_time(&mut self, dt_s: f64) {
        if std::mem::take(&mut self.is_new) {
            return;
        }
        if self.present && !self.seen.occluded {
            self.dwell_s += dt_s + self.hidden_s;
            self.hidden_s = 0.0;
        } else if self.present || self.covered_by.is_some() {
            self.hidden_s += dt_s;
        }
        self.gone_s = match (self.present, self.covered_by) {
            (true, _) => 0.0,
            (false, Some(_)) => self.gone_s,
            (false, None) => self.gone_s + dt_s,
        };
        self.absent_s = if self.present { 0.0 } else { self.absent_s + dt_s };
    }

    /// A frame with detections: is the part covered by people or vehicles, or is it one?
    pub(super) fn sample_cover(&mut self, dt_s: f64, movers: &[Mover]) {
        self.detections += 1;
        self.sampled_s += dt_s;
        match self.covered_by {
            Some(Group::Vehicle) => self.vehicle_s += dt_s,
            Some(_) => self.person_s += dt_s,
            None => {}
        }
        self.uncovered_s = if self.is_in_the_open() { self.uncovered_s + dt_s } else { 0.0 };
        let mover = movers.iter().find(|m| m.bbox.iou(&self.seen.bbox) >= SAME_OBJECT_IOU);
        self.same_as_mover_s = if mover.is_some() { self.same_as_mover_s + dt_s } else { 0.0 };
        self.longest_as_mover_s = self.longest_as_mover_s.max(self.same_as_mover_s);
        if let Some(mover) = mover.filter(|_| self.same_as_mover_s >= IS_MOVER_S) {
            let is_vehicle = mover.group == Group::Vehicle;
            self.mover = Some(if is_vehicle { Explanation::Vehicle } else { Explanation::Person });
        }
    }

    /// A frame with detections: did something stand here and leave? Then the change is the ground that it uncovered.
    pub(super) fn sample_vacated(&mut self, vacated: &[&VacatedPlace], tracks: &[&Track]) {
        self.vacated =
            self.vacated || self.is_where_one_left(vacated) || self.is_where_its_witness_began(tracks);
    }

    fn is_where_one_left(&self, vacated: &[&VacatedPlace]) -> bool {
        let appeared = self.seen.appeared.mono;
        let (from, to) = (appeared.minus_s(VACATED_BEFORE_S), appeared.plus_s(VACATED_AFTER_S));
        vacated.iter().any(|v| v.at >= from && v.at <= to && self.is_same_object(&v.bbox))
    }

    fn is_where_its_witness_began(&self, tracks: &[&Track]) -> bool {
        let Some(witness) = &self.witness else { return false };
        let is_still_here = tracks.iter().any(|t| t.id == witness.track && self.is_same_object(&t.bbox));
        self.is_same_object(&witness.first_bbox)
            && witness.first_seen <= self.seen.appeared.mono.plus_s(BEGAN_BY_S)
            && !is_still_here
    }

    fn is_same_object(&self, bbox: &BBox) -> bool {
        bbox.iou(&self.seen.bbox) >= SAME_OBJECT_IOU
    }
}
