//! Labels: what the detectors call a candidate, over time. One frame proves little; a mean over many does.
//!
//! Two networks give boxes: the one that sees whole frames, and the one that is shown close-ups. A score is what the surer one
//! says. A third, the witness, gives words for the whole: they name a thing, and `words` says what else they do.

use std::sync::Arc;

use kerbside_domain::detection::{CloseUp, Detection, Group};
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;

use super::place::is_nested;
use super::tuning::labels::{CLOSE_UPS, FRAME_TAU_S, MIN_CLOSE_UPS, NAMES_IOU, SHOWN, TOLD_SCORE};
pub(super) use super::words::Named;
use super::words::Words;

/// How sure a detector is that an object of each sort is here, 0..1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Scores {
    pub(super) waste: f32,
    /// A bin with more than it holds.
    pub(super) overflow: f32,
    /// A bin in order.
    pub(super) bin: f32,
    pub(super) stall: f32,
    pub(super) goods: f32,
}

impl Scores {
    /// The best of each sort among boxes that speak of the candidate.
    fn of(detections: &[&Detection]) -> Scores {
        let best = |sort: Sort| {
            let of_sort = detections.iter().filter(|d| Sort::of(d) == Some(sort));
            of_sort.map(|d| d.confidence).fold(0.0, f32::max)
        };
        Scores {
            waste: best(Sort::Waste),
            overflow: best(Sort::Overflow),
            bin: best(Sort::Bin),
            stall: best(Sort::Stall),
            goods: best(Sort::Goods),
        }
    }

    fn of_sort(&self, sort: Sort) -> f32 {
        match sort {
            Sort::Waste => self.waste,
            Sort::Overflow => self.overflow,
            Sort::Bin => self.bin,
            Sort::Stall => self.stall,
            Sort::Goods => self.goods,
        }
    }

    fn with(self, other: Scores, make: impl Fn(f32, f32) -> f32) -> Scores {
        Scores {
            waste: make(self.waste, other.waste),
            overflow: make(self.overflow, other.overflow),
            bin: make(self.bin, other.bin),
            stall: make(self.stall, other.stall),
            goods: make(self.goods, other.goods),
        }
    }
}

/// A sort of object that detectors tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Waste,
    Overflow,
    Bin,
    Stall,
    Goods,
}

impl Sort {
    const ALL: [Sort; 5] = [Sort::Waste, Sort::Overflow, Sort::Bin, Sort::Stall, Sort::Goods];

    fn of(detection: &Detection) -> Option<Sort> {
        match detection.group {
            Group::Waste if detection.label.contains("overflow") => Some(Sort::Overflow),
            Group::Waste => Some(Sort::Waste),
            Group::Bin => Some(Sort::Bin),
            Group::Stall => Some(Sort::Stall),
            Group::Goods | Group::Furniture => Some(Sort::Goods),
            _ => None,
        }
    }

    /// An incident of this kind may be such an object.
    fn fits(self, kind: Kind) -> bool {
        match kind {
            Kind::WasteExposed | Kind::WasteAccumulated => matches!(self, Sort::Waste | Sort::Overflow),
            Kind::BinOverflow => matches!(self, Sort::Overflow | Sort::Bin),
            Kind::StallOccupying | Kind::StallMobileVendor => matches!(self, Sort::Stall | Sort::Goods),
            Kind::ShopfrontOverflow | Kind::PileGoods => matches!(self, Sort::Goods | Sort::Stall),
            // Only sensors report the rest.
            Kind::FireSmoke
            | Kind::NoiseExcessive
            | Kind::DoorOpen
            | Kind::FacilityTilted
            | Kind::PresenceDetected
            | Kind::CallHelp => false,
        }
    }
}

/// What one network says: a score of each sort over time, and the label that it last gave an object of it.
#[derive(Clone, Debug, Default)]
struct Statement {
    scores: Scores,
    names: [Option<(Arc<str>, Group)>; Sort::ALL.len()],
}

impl Statement {
    /// One picture that counts by `weight`, 0..1.
    fn sample(&mut self, weight: f32, named: &[&Detection]) {
        self.scores = self.scores.with(Scores::of(named), |mean, now| mean + weight * (now - mean));
        for (sort, name) in Sort::ALL.into_iter().zip(&mut self.names) {
            let of_sort = named.iter().filter(|d| Sort::of(d) == Some(sort));
            let best = of_sort.max_by(|a, b| a.confidence.total_cmp(&b.confidence));
            if let Some(best) = best {
                *name = Some((best.label.clone(), best.group));
            }
        }
    }

    fn named(&self) -> impl Iterator<Item = (Sort, Named)> {
        let names = Sort::ALL.into_iter().zip(&self.names);
        names.filter_map(|(sort, name)| {
            let (label, group) = name.as_ref()?;
            Some((sort, Named { label: label.clone(), group: *group, score: self.scores.of_sort(sort) }))
        })
    }
}

/// Labels and scores of one candidate.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    /// Of whole frames, over the time that they stand for.
    frames: Statement,
    sampled_s: f64,
    /// Of close-ups.
    close: Statement,
    close_ups: u32,
    /// Of the witness.
    pub(super) words: Words,
}

impl Labels {
    /// The detections of one whole frame, which stands for `dt_s`.
    pub(super) fn sample_frame(&mut self, dt_s: f64, bbox: &BBox, detections: &[Detection]) {
        self.sampled_s += dt_s;
        let weight = (dt_s / self.sampled_s.clamp(f64::EPSILON, FRAME_TAU_S)).min(1.0) as f32;
        let named: Vec<&Detection> = detections.iter().filter(|d| speaks_of(&d.bbox, bbox)).collect();
        self.frames.sample(weight, &named);
    }

    /// A close-up of a part of the frame, if the candidate is in that part.
    pub(super) fn sample_close_up(&mut self, bbox: &BBox, close_up: &CloseUp) {
        if close_up.part.intersection(bbox) < SHOWN * bbox.area() {
            return;
        }
        self.close_ups = (self.close_ups + 1).min(CLOSE_UPS);
        let weight = 1.0 / self.close_ups as f32;
        let named: Vec<&Detection> =
            close_up.detections.iter().filter(|d| speaks_of(&d.bbox, bbox)).collect();
        self.close.sample(weight, &named);
    }

    fn close_ups_count(&self) -> bool {
        self.close_ups >= MIN_CLOSE_UPS
    }

    pub(super) fn scores(&self) -> Scores {
        if self.close_ups_count() {
            self.frames.scores.with(self.close.scores, f32::max)
        } else {
            self.frames.scores
        }
    }

    /// The name with the best score: of an incident of a kind, of the sort that fits it, otherwise of any. `None`: nobody gives
    /// it a name worth telling.
    pub(super) fn name(&self, kind: Option<Kind>) -> Option<Named> {
        let fits = |sort: Sort| kind.is_some_and(|kind| sort.fits(kind));
        let best = self.worth_telling().max_by(|(a, a_named), (b, b_named)| {
            fits(*a).cmp(&fits(*b)).then(a_named.score.total_cmp(&b_named.score))
        });
        // The surer one of those who give it a fitting name.
        let word = kind.and_then(|kind| self.words.name(kind));
        match (best, word) {
            (Some((sort, named)), Some(word)) if fits(sort) && named.score >= word.score => Some(named),
            (best, None) => best.map(|(_, named)| named),
            (_, word) => word,
        }
    }

    fn worth_telling(&self) -> impl Iterator<Item = (Sort, Named)> {
        let close = Some(&self.close).filter(|_| self.close_ups_count());
        let told = close.into_iter().chain([&self.frames]).flat_map(Statement::named);
        told.filter(|(_, named)| named.score >= TOLD_SCORE)
    }
}

/// A detection's box speaks of a candidate if it covers a fair part of it or lies in it.
fn speaks_of(detection: &BBox, candidate: &BBox) -> bool {
    detection.iou(candidate) >= NAMES_IOU || is_nested(detection, candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAG: BBox = BBox { x: 0.5, y: 0.5, w: 0.04, h: 0.05 };
    const PART: BBox = BBox { x: 0.4, y: 0.4, w: 0.25, h: 0.25 };

    fn named(label: &str, group: Group, confidence: f32) -> Detection {
        Detection { label: label.into(), group, confidence, bbox: BAG }
    }

    fn shown(part: BBox, detections: Vec<Detection>) -> CloseUp {
        CloseUp { part, detections }
    }

    #[test]
    fn one_close_up_proves_nothing_and_three_do() {
        let mut labels = Labels::default();
        for _ in 0..2 {
            labels.sample_close_up(&BAG, &shown(PART, vec![named("garbage", Group::Waste, 0.75)]));
        }
        assert_eq!(labels.scores(), Scores::default());
        labels.sample_close_up(&BAG, &shown(PART, vec![named("overflow", Group::Waste, 0.75)]));
        let scores = labels.scores();
        assert_eq!((scores.waste, scores.overflow), (0.5, 0.25));
        let name = |kind: Kind| labels.name(Some(kind)).map(|n| (n.label.to_string(), n.score));
        assert_eq!(name(Kind::WasteExposed), Some(("garbage".into(), 0.5)));
        assert_eq!(name(Kind::BinOverflow), Some(("overflow".into(), 0.25)));
    }

    #[test]
    fn label_and_score_are_of_one_witness_and_fit_the_kind() {
        let mut labels = Labels::default();
        labels.sample_frame(1.0, &BAG, &[named("handbag", Group::Goods, 0.75)]);
        for _ in 0..3 {
            labels.sample_close_up(&BAG, &shown(PART, vec![named("garbage", Group::Waste, 0.5)]));
        }
        let scores = labels.scores();
        assert_eq!((scores.goods, scores.waste), (0.75, 0.5));
        let name = |kind: Kind| labels.name(Some(kind)).map(|n| (n.label.to_string(), n.score));
        assert_eq!(name(Kind::WasteExposed), Some(("garbage".into(), 0.5)));
        assert_eq!(name(Kind::PileGoods), Some(("handbag".into(), 0.75)));
    }

    /// Seen: a waste case whose object was named `stall` with the score of the case.
    #[test]
    fn a_name_that_was_given_once_and_hardly_believed_is_not_told() {
        let mut labels = Labels::default();
        labels.sample_frame(0.5, &BAG, &[named("stall", Group::Stall, 0.6)]);
        for _ in 0..60 {
            labels.sample_frame(0.5, &BAG, &[]);
        }
        assert!(labels.scores().stall > 0.0);
        assert_eq!(labels.name(Some(Kind::WasteExposed)), None);
    }

    #[test]
    fn a_close_up_of_another_place_says_nothing_here() {
        let mut labels = Labels::default();
        let elsewhere = BBox { x: 0.0, ..PART };
        for _ in 0..3 {
            labels.sample_close_up(&BAG, &shown(elsewhere, vec![]));
        }
        assert_eq!(labels.close_ups, 0);
    }
}
