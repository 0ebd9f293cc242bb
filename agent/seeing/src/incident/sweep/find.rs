//! A find: something that the network suspects at a place, and what the looks of its own said.

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

use crate::incident::input::SweepLook;
use crate::incident::place::is_same_place;
use crate::incident::tuning::sweep::{
    FOUND_SHARE, FRESH_S, GIVE_UP_S, HIDDEN_AGAIN_S, KEEP_EVERY_S, LOOK_EVERY_S, LOOKS, MIN_STALL_SCORE,
    MIN_WASTE_SCORE, MISSED, NEAR_SHARE, PROPORTION, SCALES, VANISHED_SHARE,
};
use crate::incident::warned::Warned;

/// What is to become of a find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FindState {
    /// It is looked at until enough is known, and then now and then until a rule reports it or it is gone.
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
    pub(in crate::incident) last_hit: Option<Mono>,
    /// Since when nobody has seen its place, as far as its looks tell; set by the first that asks.
    unseen_since: Option<Mono>,
    /// Somebody stood before it: it is looked at again from then on.
    hidden_until: Option<Mono>,
    /// It was named at none of so many looks in a row, at the scale at which it is surest.
    missed: u32,
    /// The box has warned at the place.
    pub(in crate::incident) warned: Option<Warned>,
    /// A rule wants to report it, and there is no room: that was counted.
    pub(in crate::incident) is_refused: bool,
    scales: [Scale; SCALES.len()],
    /// At which the network was surest in the sweep before this one.
    surest_before: Option<usize>,
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
            unseen_since: None,
            hidden_until: None,
            missed: 0,
            warned: None,
            is_refused: false,
            scales: Default::default(),
            surest_before: None,
            all_looks: 0,
            attended: 0,
        }
    }

    /// A new sweep: its looks begin anew.
    pub(super) fn forget(&mut self) {
        self.surest_before = self.surest();
        (self.scales, self.all_looks, self.attended, self.missed) = (Default::default(), 0, 0, 0);
        (self.unseen_since, self.hidden_until) = (None, None);
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

    /// The tile at the scale at which the network is surest, or all of them where nobody knows yet.
    pub(super) fn sure_parts(&self) -> impl Iterator<Item = BBox> + use<> {
        let surest = self.surest();
        self.parts().enumerate().filter(move |(n, _)| surest.is_none_or(|s| s == *n)).map(|(_, part)| part)
    }

    /// The tiles that are due.
    pub(super) fn due_parts(&self, at: Mono) -> impl Iterator<Item = BBox> + use<> {
        let is_in_question = self.state != FindState::Dismissed && self.hidden_until.is_none_or(|t| at >= t);
        // What was found and no rule reports yet must be there still when one does.
        let kept = (self.state == FindState::Open && self.is_looked_at()).then(|| self.surest()).flatten();
        let is_due = move |n: usize, scale: &Scale| {
            let waits_s = scale.last.map_or(f64::INFINITY, |last| at.since_s(last));
            let is_young = scale.looks < LOOKS && waits_s >= LOOK_EVERY_S;
            is_in_question && (is_young || kept == Some(n) && waits_s >= KEEP_EVERY_S)
        };
        let scales = self.scales.into_iter().enumerate();
        self.parts().zip(scales).filter(move |(_, (n, scale))| is_due(*n, scale)).map(|(part, _)| part)
    }

    /// The scales of which a part is the tile: large things have the same at all.
    fn own(&self, asked: &BBox) -> Vec<usize> {
        self.parts().enumerate().filter(|(_, part)| part == asked).map(|(n, _)| n).collect()
    }

    /// Somebody stands before it: a look at it says nothing, and another is wanted a little later.
    pub(super) fn hidden(&mut self, at: Mono, look: &SweepLook) {
        if !self.own(&look.asked).is_empty() {
            self.hidden_until = Some(at.plus_s(HIDDEN_AGAIN_S));
        }
    }

    /// One look at any part: counts if it is one of its own.
    pub(super) fn looked(&mut self, at: Mono, look: &SweepLook, is_attended: bool) {
        let own = self.own(&look.asked);
        if own.is_empty() {
            return;
        }
        let same = look.detections.iter().filter(|d| self.is_about(d));
        let score = same.map(|d| d.confidence).reduce(f32::max);
        self.all_looks += 1;
        self.attended += u32::from(is_attended);
        self.last_hit = score.map(|_| at).or(self.last_hit);
        (self.unseen_since, self.hidden_until) = (Some(at), None);
        if self.surest().is_some_and(|surest| own.contains(&surest)) {
            self.missed = if score.is_some() { 0 } else { self.missed + 1 };
        }
        for n in own {
            let Some(scale) = self.scales.get_mut(n) else { continue };
            scale.looks += 1;
            scale.last = Some(at);
            scale.hits += u32::from(score.is_some());
            scale.sum += score.unwrap_or(0.0);
        }
    }

    /// The scale at which the network is surest; `None`: it was not looked at in this sweep nor in the one before.
    fn surest(&self) -> Option<usize> {
        let looked_at = self.scales.iter().enumerate().filter(|(_, scale)| scale.looks > 0);
        let surest = looked_at.max_by(|a, b| a.1.mean().total_cmp(&b.1.mean())).map(|(n, _)| n);
        surest.or(self.surest_before)
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

    /// It was named at its latest look, and that was just now.
    pub(super) fn is_fresh(&self, at: Mono) -> bool {
        self.missed == 0 && self.last_hit.is_some_and(|hit| at.since_s(hit) <= FRESH_S)
    }

    pub(super) fn is_found(&self) -> bool {
        let least = if self.object.group == Group::Stall { MIN_STALL_SCORE } else { MIN_WASTE_SCORE };
        self.is_looked_at() && self.best().hit_share() >= FOUND_SHARE && self.score() >= least
    }

    /// Enough is known of it for this sweep, or its place has been hidden for so long that nothing will be.
    pub(super) fn is_settled(&self, at: Mono) -> bool {
        self.is_looked_at() || self.state == FindState::Dismissed || self.is_given_up(at)
    }

    fn is_given_up(&self, at: Mono) -> bool {
        self.unseen_since.is_some_and(|since| at.since_s(since) >= GIVE_UP_S)
    }

    pub(super) fn settle(&mut self, at: Mono) {
        self.unseen_since.get_or_insert(at);
        // Where somebody stands before what was warned of, nobody knows whether it is gone.
        let is_nothing = match self.is_looked_at() {
            true => !self.is_found(),
            false => self.is_given_up(at) && self.warned.is_none(),
        };
        if self.state == FindState::Open && is_nothing {
            self.state = FindState::Dismissed;
        }
    }

    /// A known thing that the network names hardly any more, or a found one that it names no more.
    pub(super) fn is_gone(&self) -> bool {
        let is_named = self.scales.iter().any(|scale| scale.hit_share() >= VANISHED_SHARE);
        match self.state {
            FindState::Known => self.is_looked_at() && !is_named,
            FindState::Open => self.is_looked_at() && self.missed >= MISSED,
            FindState::Dismissed => self.warned.is_some(),
        }
    }
}
