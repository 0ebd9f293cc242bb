//! A find: something that the network suspects at a place, and what the looks of its own said.

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

use crate::incident::input::SweepLook;
use crate::incident::place::is_same_place;
use crate::incident::tuning::sweep::{
    FOUND_SHARE, LOOK_EVERY_S, LOOKS, MIN_STALL_SCORE, MIN_WASTE_SCORE, NEAR_SHARE, PROPORTION, SCALES,
    VANISHED_SHARE,
};

/// What is to become of a find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FindState {
    /// It is looked at until enough is known.
    Open,
    /// It is an incident, or was one: the place is known.
    Known,
    /// It was nothing, until the next sweep.
    Dismissed,
}

/// What the looks at one scale said. A network knows small things at one scale only.
#[derive(Clone, Copy, Debug, Default)]
struct Scale {
    looks: u32,
    hits: u32,
    sum: f32,
    last: Option<Mono>,
}

impl Scale {
    /// Mean over all looks, those without a hit included, 0..1.
    fn mean(&self) -> f32 {
        if self.looks == 0 { 0.0 } else { self.sum / self.looks as f32 }
    }

    fn hit_share(&self) -> f32 {
        if self.looks == 0 { 0.0 } else { self.hits as f32 / self.looks as f32 }
    }
}

/// Something that the network suspects at a place.
#[derive(Debug)]
pub(in crate::incident) struct Find {
    pub(in crate::incident) bbox: BBox,
    pub(in crate::incident) object: Detection,
    pub(in crate::incident) first: Mono,
    pub(super) state: FindState,
    pub(super) last_hit: Option<Mono>,
    scales: [Scale; SCALES.len()],
    /// Looks, and those of them at which somebody was near.
    all_looks: u32,
    attended: u32,
}

impl Find {
    pub(super) fn new(object: Detection, at: Mono) -> Self {
        Find {
            bbox: object.bbox,
            object,
            first: at,
            state: FindState::Open,
            last_hit: None,
            scales: Default::default(),
            all_looks: 0,
            attended: 0,
        }
    }

    /// A new sweep: its looks begin anew.
    pub(super) fn forget(&mut self) {
        (self.scales, self.all_looks, self.attended) = (Default::default(), 0, 0);
    }

    /// Whether it is what the network sees there.
    pub(super) fn is_about(&self, object: &Detection) -> bool {
        self.object.group == object.group && is_same_place(&self.bbox, &object.bbox)
    }

    /// A tile around it at each scale.
    pub(super) fn parts(&self) -> impl Iterator<Item = BBox> + use<> {
        let (bbox, (cx, cy)) = (self.bbox, self.bbox.centre());
        SCALES.into_iter().map(move |scale| {
            let w = (2.0 * bbox.w).max(2.0 * bbox.h / PROPORTION).max(scale).min(1.0 / PROPORTION).min(1.0);
            let h = (w * PROPORTION).min(1.0);
            BBox { x: (cx - w / 2.0).clamp(0.0, 1.0 - w), y: (cy - h / 2.0).clamp(0.0, 1.0 - h), w, h }
        })
    }

    /// The tiles that are due.
    pub(super) fn due_parts(&self, at: Mono) -> impl Iterator<Item = BBox> + use<> {
        let is_in_question = self.state != FindState::Dismissed;
        let is_due = move |scale: &Scale| {
            is_in_question
                && scale.looks < LOOKS
                && scale.last.is_none_or(|last| at.since_s(last) >= LOOK_EVERY_S)
        };
        let due = self.scales.map(|scale| is_due(&scale));
        self.parts().zip(due).filter(|(_, due)| *due).map(|(part, _)| part)
    }

    /// One look at any part: counts if it is one of its own.
    pub(super) fn looked(&mut self, at: Mono, look: &SweepLook, is_attended: bool) {
        // Large things have the same tile at every scale.
        let own: Vec<usize> =
            self.parts().enumerate().filter(|(_, part)| *part == look.asked).map(|(n, _)| n).collect();
        if own.is_empty() {
            return;
        }
        let same = look.detections.iter().filter(|d| self.is_about(d));
        let score = same.map(|d| d.confidence).reduce(f32::max);
        self.all_looks += 1;
        self.attended += u32::from(is_attended);
        self.last_hit = score.map(|_| at).or(self.last_hit);
        for n in own {
            let Some(scale) = self.scales.get_mut(n) else { continue };
            scale.looks += 1;
            scale.last = Some(at);
            scale.hits += u32::from(score.is_some());
            scale.sum += score.unwrap_or(0.0);
        }
    }

    fn best(&self) -> Scale {
        let best = self.scales.iter().max_by(|a, b| a.mean().total_cmp(&b.mean()));
        best.copied().unwrap_or_default()
    }

    /// How sure the network is at the scale at which it is surest, 0..1.
    pub(in crate::incident) fn score(&self) -> f32 {
        self.best().mean()
    }

    /// Looks at that scale, and at how many of them it was named.
    pub(in crate::incident) fn looks(&self) -> (u32, u32) {
        (self.best().looks, self.best().hits)
    }

    /// Somebody is with it most of the time.
    pub(in crate::incident) fn is_attended(&self) -> bool {
        self.attended as f32 >= NEAR_SHARE * self.all_looks as f32
    }

    fn is_looked_at(&self) -> bool {
        self.scales.iter().all(|scale| scale.looks >= LOOKS)
    }

    pub(super) fn is_found(&self) -> bool {
        let least = if self.object.group == Group::Stall { MIN_STALL_SCORE } else { MIN_WASTE_SCORE };
        self.is_looked_at() && self.best().hit_share() >= FOUND_SHARE && self.score() >= least
    }

    /// Enough is known of it for this sweep.
    pub(super) fn is_settled(&self) -> bool {
        self.is_looked_at() || self.state == FindState::Dismissed
    }

    pub(super) fn settle(&mut self) {
        if self.state == FindState::Open && self.is_looked_at() && !self.is_found() {
            self.state = FindState::Dismissed;
        }
    }

    /// A known thing that the network names hardly any more.
    pub(super) fn is_gone(&self) -> bool {
        let is_named = self.scales.iter().any(|scale| scale.hit_share() >= VANISHED_SHARE);
        self.state == FindState::Known && self.is_looked_at() && !is_named
    }
}
