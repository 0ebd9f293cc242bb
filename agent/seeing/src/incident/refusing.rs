//! Refusing: says of which thing, by which rule and why it is no incident, as the judge finds it or when it ends unjudged.

use kerbside_domain::detection::Group;
use kerbside_domain::time::Moment;
use kerbside_site::config::{Camera, Rule};

use super::candidate::Candidate;
use super::context::StepContext;
use super::effect::Effect;
use super::part::PartSource;
use super::refusal::{Check, Fate, Measure, Refusal, Thing, WhyNot};
use super::tuning::frames::MIN_DETECTIONS;
use super::tuning::refusal::{EXPLAINED_LEAST_SHARE, LEAST_S, LEAST_SHARE};
use crate::rules::{REGION_SHARE, share_inside};

/// A rule refuses a candidate that stands there. True when it says this reason for the first time.
pub(super) fn refuse(
    camera: &Camera,
    candidate: &mut Candidate,
    (zone, rule): (&str, &str),
    why: WhyNot,
    at: Moment,
    context: &mut StepContext<'_>,
) -> bool {
    let Some(why) = candidate.refusals.insert(zone, rule, why).cloned() else { return false };
    context.counters.refuse(rule, why.kind());
    tell(camera, candidate, (zone, rule), why, at, Fate::Standing, context);
    true
}

/// A candidate ends: what was said of it gets its end, and rules that never came to judge it say why.
pub(super) fn end(camera: &Camera, candidate: &mut Candidate, fate: Fate, context: &mut StepContext<'_>) {
    let last = candidate.sight.last;
    if matches!(fate, Fate::Gone | Fate::LostSight) {
        let bbox = candidate.sight.bbox;
        let zones = camera.zones.iter().filter(|z| share_inside(&z.polygon_norm, &bbox) >= REGION_SHARE);
        for (zone, rule) in zones.flat_map(|z| z.rules.iter().map(move |r| (z, r))) {
            let is_told = candidate.refusals.of(&zone.id, &rule.id).is_some();
            let unjudged =
                (!is_told && is_worth_telling(candidate, rule)).then(|| why(candidate, rule, &fate));
            if let Some(why) = unjudged {
                context.counters.refuse(&rule.id, why.kind());
                tell(camera, candidate, (&zone.id, &rule.id), why, last, fate.clone(), context);
            }
        }
    }
    for told in candidate.refusals.take() {
        tell(camera, candidate, (&told.zone, &told.rule), told.why, last, fate.clone(), context);
    }
}

/// Most regions are people who stop for a moment, and specks.
fn is_worth_telling(candidate: &Candidate, rule: &Rule) -> bool {
    let sight = &candidate.sight;
    let share = if sight.is_explained { EXPLAINED_LEAST_SHARE } else { LEAST_SHARE };
    !sight.is_bare_ground
        && sight.area_norm >= rule.min_area_norm
        && sight.dwell_s >= (share * rule.dwell_s).max(LEAST_S).min(rule.dwell_s)
}

/// Why a rule never came to judge a candidate.
fn why(candidate: &Candidate, rule: &Rule, fate: &Fate) -> WhyNot {
    let sight = &candidate.sight;
    let check = Check::new(Measure::DwellS, sight.dwell_s, rule.dwell_s);
    if sight.dwell_s < rule.dwell_s {
        match fate {
            Fate::LostSight => WhyNot::Interrupted { check },
            _ => WhyNot::Gone { check },
        }
    } else if sight.detections < MIN_DETECTIONS {
        let check = Check::new(Measure::DetectorFrames, sight.detections, MIN_DETECTIONS);
        WhyNot::NotAnalysed { check }
    } else {
        WhyNot::Hidden { check }
    }
}

fn tell(
    camera: &Camera,
    candidate: &Candidate,
    (zone, rule): (&str, &str),
    why: WhyNot,
    to: Moment,
    fate: Fate,
    context: &mut StepContext<'_>,
) {
    let sight = &candidate.sight;
    let (region, track) = match sight.source {
        PartSource::Region(id) => (Some(id), None),
        PartSource::Track(id) => (None, Some(id)),
    };
    let (label, group) = match (candidate.labels.name(None), &why) {
        (_, WhyNot::Person { .. }) => (None, Some(Group::Person)),
        (_, WhyNot::Vehicle { .. }) => (None, Some(Group::Vehicle)),
        (Some(named), _) => (Some(named.label), Some(named.group)),
        (None, _) => (None, None),
    };
    context.effects.push(Effect::Refused(Box::new(Refusal {
        id: format!("{}.{zone}.{rule}", candidate.thing_id),
        camera: camera.ix,
        zone: zone.to_owned(),
        rule: rule.to_owned(),
        thing: Thing { candidate: candidate.id, region, track, label, group, bbox: sight.bbox },
        from: to.dating(sight.from),
        to,
        seen_at: sight.at,
        why,
        fate,
    })));
}
