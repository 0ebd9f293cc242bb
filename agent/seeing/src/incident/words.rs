//! What the witness says of a candidate: how much of what it was shown are goods, rubbish, people and vehicles, bare street; and
//! what that means for an incident that a rule is about to open. The judge asks how things behave; the witness, what they are.

use std::sync::Arc;

use kerbside_domain::detection::{CloseUp, Group};
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::{Act, Kind};

use super::opening_terms::Classification;
use super::refusal::{Check, Measure, Miss, WhyNot};
use super::tuning::words::{
    CONTRADICTED_CONFIDENCE, CONTRADICTED_DWELLS, FLOOR, LOOKS, MIN_GOODS_SHARE, MIN_LOOKS,
    MIN_RUBBISH_SHARE, SHOWN, TOLD_SCORE,
};

/// A label and the score of the same network for the same sort of object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) label: Arc<str>,
    pub(super) group: Group,
    /// 0..1.
    pub(super) score: f32,
}

/// Mean sums of words over the latest looks, 0..1 each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Words {
    goods: f32,
    rubbish: f32,
    movers: f32,
    street: f32,
    looks: u32,
}

impl Words {
    /// A look, if it was about the candidate.
    pub(super) fn sample(&mut self, bbox: &BBox, look: &CloseUp) {
        if look.part.intersection(bbox) < SHOWN * bbox.area() {
            return;
        }
        self.looks = (self.looks + 1).min(LOOKS);
        let weight = 1.0 / self.looks as f32;
        let sum = |groups: &[Group]| -> f32 {
            look.detections.iter().filter(|d| groups.contains(&d.group)).map(|d| d.confidence).sum()
        };
        let follow = |mean: &mut f32, now: f32| *mean += weight * (now - *mean);
        follow(&mut self.goods, sum(&[Group::Stall, Group::Goods, Group::Furniture]));
        follow(&mut self.rubbish, sum(&[Group::Waste, Group::Bin]));
        follow(&mut self.movers, sum(&[Group::Person, Group::Vehicle]));
        follow(&mut self.street, sum(&[Group::Other]));
    }

    /// What it would call an incident of a kind, with its score for that.
    pub(super) fn name(&self, kind: Kind) -> Option<Named> {
        let (label, group, score) = match kind {
            Kind::StallOccupying | Kind::StallMobileVendor | Kind::ShopfrontOverflow => {
                ("stall", Group::Stall, self.goods)
            }
            Kind::WasteExposed | Kind::WasteAccumulated => ("waste", Group::Waste, self.rubbish),
            _ => return None,
        };
        let told = self.counts() && score >= TOLD_SCORE;
        told.then(|| Named { label: label.into(), group, score })
    }

    fn counts(&self) -> bool {
        self.looks >= MIN_LOOKS
    }

    /// Of what speaks for goods or for people and vehicles alone, the goods' part, 0..1. `None`: it was not asked often enough.
    pub(super) fn goods_share(&self) -> Option<f32> {
        self.counts().then(|| share(self.goods, self.movers))
    }

    /// Of what speaks for a thing or for what is no thing, the thing's part, 0..1.
    pub(super) fn rubbish_share(&self) -> Option<f32> {
        self.counts().then(|| share(self.rubbish + self.goods, self.movers + self.street))
    }
}

/// Neither is much: neither is believed, and the share is a half.
fn share(this: f32, that: f32) -> f32 {
    (this + FLOOR) / (this + that + 2.0 * FLOOR)
}

/// What a rule is about to open, and what else is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accused {
    pub(super) found: Classification,
    /// The close-up network names such a thing by itself.
    pub(super) is_named: bool,
    /// A vehicle that is sold from is no contradiction.
    pub(super) is_vehicle: bool,
    pub(super) dwell_s: f64,
    /// Of the rule.
    pub(super) rule_dwell_s: f64,
}

/// The incident as the witness leaves it, or why it is none, or none yet.
pub(super) fn weigh(words: &Words, accused: Accused) -> Result<Classification, WhyNot> {
    let Accused { found, is_named, is_vehicle, dwell_s, rule_dwell_s } = accused;
    let doubted = Classification { confidence: found.confidence.min(CONTRADICTED_CONFIDENCE), ..found };
    match found.kind {
        Kind::StallOccupying | Kind::StallMobileVendor | Kind::ShopfrontOverflow => {
            let Some(share) = words.goods_share().filter(|share| *share < MIN_GOODS_SHARE) else {
                return Ok(found);
            };
            if is_named || is_vehicle || found.kind == Kind::ShopfrontOverflow {
                return Ok(doubted);
            }
            Err(WhyNot::OnlyPeople { check: Check::new(Measure::GoodsShare, share, MIN_GOODS_SHARE) })
        }
        Kind::WasteExposed | Kind::WasteAccumulated | Kind::PileGoods => {
            let contradicts = words.rubbish_share().is_some_and(|share| share < MIN_RUBBISH_SHARE);
            if !contradicts || is_named {
                return Ok(found);
            }
            let patient_s = CONTRADICTED_DWELLS * rule_dwell_s;
            if dwell_s < patient_s && found.act != Some(Act::InProgress) {
                let check = Check::new(Measure::DwellS, dwell_s, patient_s);
                return Err(WhyNot::NoKindFits { misses: vec![Miss { kind: found.kind, check }] });
            }
            Ok(doubted)
        }
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use kerbside_domain::detection::Detection;

    use super::*;

    const STALL: BBox = BBox { x: 0.4, y: 0.4, w: 0.2, h: 0.3 };

    fn after(looks: u32, said: &[(Group, f32)]) -> Words {
        let part = STALL.buffered(0.1);
        let detections = said.iter().map(|&(group, confidence)| Detection {
            label: "x".into(),
            group,
            confidence,
            bbox: part,
        });
        let look = CloseUp { part, detections: detections.collect() };
        let mut words = Words::default();
        (0..looks).for_each(|_| words.sample(&STALL, &look));
        words
    }

    fn accused(kind: Kind) -> Accused {
        let found = Classification { kind, act: Some(Act::FoundAfter), confidence: 0.7 };
        Accused { found, is_named: false, is_vehicle: false, dwell_s: 20.0, rule_dwell_s: 20.0 }
    }

    #[test]
    fn a_share_needs_looks_at_the_very_place_and_is_a_half_of_nothing() {
        assert_eq!(after(MIN_LOOKS - 1, &[(Group::Person, 0.9)]).goods_share(), None);
        assert_eq!(after(MIN_LOOKS, &[]).goods_share(), Some(0.5));
        let said = [(Group::Stall, 0.29), (Group::Person, 0.69)];
        let share = after(LOOKS + 3, &said).goods_share().unwrap();
        assert!((share - 0.3).abs() < 1e-5, "{share}");
        let mut words = Words::default();
        let elsewhere = CloseUp { part: BBox { x: 0.0, ..STALL }, detections: vec![] };
        (0..LOOKS).for_each(|_| words.sample(&STALL, &elsewhere));
        assert_eq!(words, Words::default());
    }

    #[test]
    fn only_people_are_no_stall_unless_something_else_names_it() {
        let kind = Kind::StallOccupying;
        let people = after(LOOKS, &[(Group::Stall, 0.01), (Group::Person, 0.6)]);
        assert!(matches!(weigh(&people, accused(kind)), Err(WhyNot::OnlyPeople { .. })));
        let named = weigh(&people, Accused { is_named: true, ..accused(kind) });
        assert_eq!(named.map(|c| c.confidence), Ok(CONTRADICTED_CONFIDENCE));
        let vehicle = Accused { is_vehicle: true, ..accused(Kind::StallMobileVendor) };
        assert_eq!(weigh(&people, vehicle).map(|c| c.confidence), Ok(CONTRADICTED_CONFIDENCE));
        for said in [&[(Group::Stall, 0.5), (Group::Person, 0.2)][..], &[]] {
            let goods = after(LOOKS, said);
            assert_eq!(weigh(&goods, accused(kind)).map(|c| c.confidence), Ok(0.7));
        }
        assert_eq!(weigh(&Words::default(), accused(kind)).map(|c| c.confidence), Ok(0.7));
    }

    #[test]
    fn rubbish_that_looks_like_bare_street_waits_and_is_doubted() {
        let kind = Kind::WasteExposed;
        let street = after(LOOKS, &[(Group::Waste, 0.0), (Group::Other, 0.8)]);
        assert!(matches!(weigh(&street, accused(kind)), Err(WhyNot::NoKindFits { .. })));
        let later = Accused { dwell_s: 20.0 * CONTRADICTED_DWELLS, ..accused(kind) };
        assert_eq!(weigh(&street, later).map(|c| c.confidence), Ok(CONTRADICTED_CONFIDENCE));
        let bag = after(LOOKS, &[(Group::Waste, 0.3), (Group::Other, 0.3)]);
        assert_eq!(weigh(&bag, accused(kind)).map(|c| c.confidence), Ok(0.7));
    }
}
