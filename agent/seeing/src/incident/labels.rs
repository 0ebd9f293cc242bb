//! Labels: what the detectors call a candidate, over time. One frame proves little; a mean over many does.
//!
//! Two witnesses: the network that sees whole frames, and the one that is shown close-ups. A score is what the surer one says.

use std::sync::Arc;

use kerbside_domain::detection::{CloseUp, Detection, Group};
use kerbside_domain::frame::BBox;

use super::place::is_nested;
use super::tuning::labels::{CLOSE_UPS, FRAME_TAU_S, MIN_CLOSE_UPS, NAMES_IOU, SHOWN};

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
        let best = |is_of_sort: &dyn Fn(&Detection) -> bool| {
            detections.iter().filter(|d| is_of_sort(d)).map(|d| d.confidence).fold(0.0, f32::max)
        };
        let is_overflow = |d: &Detection| d.group == Group::Waste && d.label.contains("overflow");
        Scores {
            waste: best(&|d| d.group == Group::Waste && !is_overflow(d)),
            overflow: best(&is_overflow),
            bin: best(&|d| d.group == Group::Bin),
            stall: best(&|d| d.group == Group::Stall),
            goods: best(&|d| matches!(d.group, Group::Goods | Group::Furniture)),
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

/// Labels and scores of one candidate.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    /// Of whole frames, over the time that they stand for.
    frames: Scores,
    sampled_s: f64,
    /// Of close-ups.
    close: Scores,
    close_ups: u32,
    /// What it was called last; a close-up's label stands until the next close-up.
    frame_label: Option<(Arc<str>, Group)>,
    close_label: Option<(Arc<str>, Group)>,
}

impl Labels {
    /// The detections of one whole frame, which stands for `dt_s`.
    pub(super) fn sample_frame(&mut self, dt_s: f64, bbox: &BBox, detections: &[Detection]) {
        self.sampled_s += dt_s;
        let weight = (dt_s / self.sampled_s.clamp(f64::EPSILON, FRAME_TAU_S)).min(1.0) as f32;
        let named: Vec<&Detection> = detections.iter().filter(|d| speaks_of(&d.bbox, bbox)).collect();
        self.frames = self.frames.with(Scores::of(&named), |mean, now| mean + weight * (now - mean));
        self.frame_label = best_object(&named).or(self.frame_label.take());
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
        self.close = self.close.with(Scores::of(&named), |mean, now| mean + weight * (now - mean));
        self.close_label = best_object(&named).or(self.close_label.take());
    }

    pub(super) fn scores(&self) -> Scores {
        if self.close_ups < MIN_CLOSE_UPS {
            return self.frames;
        }
        self.frames.with(self.close, f32::max)
    }

    /// The label for the report: of the network that saw it closer.
    pub(super) fn last(&self) -> Option<&(Arc<str>, Group)> {
        self.close_label.as_ref().or(self.frame_label.as_ref())
    }
}

/// A detection's box speaks of a candidate if it covers a fair part of it or lies in it.
fn speaks_of(detection: &BBox, candidate: &BBox) -> bool {
    detection.iou(candidate) >= NAMES_IOU || is_nested(detection, candidate)
}

fn best_object(detections: &[&Detection]) -> Option<(Arc<str>, Group)> {
    let objects = detections.iter().filter(|d| !matches!(d.group, Group::Person | Group::Vehicle));
    let best = objects.max_by(|a, b| a.confidence.total_cmp(&b.confidence))?;
    Some((best.label.clone(), best.group))
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
        assert_eq!(labels.last().map(|l| &*l.0), Some("overflow"));
    }

    #[test]
    fn the_surer_witness_is_believed_and_names_come_from_the_closer() {
        let mut labels = Labels::default();
        labels.sample_frame(1.0, &BAG, &[named("handbag", Group::Goods, 0.75)]);
        for _ in 0..3 {
            labels.sample_close_up(&BAG, &shown(PART, vec![named("garbage", Group::Waste, 0.5)]));
        }
        let scores = labels.scores();
        assert_eq!((scores.goods, scores.waste), (0.75, 0.5));
        assert_eq!(labels.last().map(|l| &*l.0), Some("garbage"));
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
