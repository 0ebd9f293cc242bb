//! Is this candidate an incident of a kind that the rule names, and if not, why not? Pure judgement over what a candidate
//! knows. The order of questions is the order of this file.

use kerbside_domain::detection::Group;
use kerbside_domain::kind::{Act, Kind};
use kerbside_site::config::{Rule, Zone};

use super::candidate::Candidate;
use super::opening_terms::Classification;
use super::part::{Explained, Explanation};
use super::refusal::{Check, Measure, Miss, WhyNot};
use super::tuning::confidence;
use super::tuning::judge::{
    ACCUMULATED, HANDLED, MAX_AREA, MAX_ASPECT, MOSTLY_SHADE, NAMED_STALL_SHARE, OWNED_DWELLS,
    PATIENT_DWELLS, STEADY_SHARE, THIN, VENDOR_VISITS,
};
use super::warned;
use crate::rules::{OperatingPoint, REGION_SHARE, RuleStatus, hours_text, rule_status, share_inside};

/// What the judge says of one candidate and one rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Judgement {
    /// Too early to say.
    NotYet,
    /// It is none, and why.
    No(WhyNot),
    /// It is one.
    Incident(Classification),
}

/// What the judge needs besides candidate, zone and rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) wall_ms: i64,
    pub(super) utc_offset_s: i32,
    /// The one who was there when it appeared has left.
    pub(super) witness_left: bool,
    /// On the ground, where the camera can tell.
    pub(super) size_m2: Option<f64>,
}

/// One candidate against one rule.
pub(super) fn judge(candidate: &Candidate, zone: &Zone, rule: &Rule, now: Circumstances) -> Judgement {
    let point = OperatingPoint::of(rule.sensitivity);
    if !is_ready(candidate, zone, rule, &point, now) {
        return Judgement::NotYet;
    }
    match classify(candidate, zone, rule, &point, now) {
        Ok(classification) => Judgement::Incident(classification),
        Err(why) => Judgement::No(why),
    }
}

/// It was sampled, stands in the zone, can be judged in this frame, and has stood until the rule's next step.
fn is_ready(
    candidate: &Candidate,
    zone: &Zone,
    rule: &Rule,
    point: &OperatingPoint,
    now: Circumstances,
) -> bool {
    if !candidate.is_sampled() || share_inside(&zone.polygon_norm, &candidate.bbox()) < REGION_SHARE {
        return false;
    }
    // A vehicle's region is behind its own box by nature; everything else must be in sight to be judged.
    let is_judgeable = candidate.is_in_the_open()
        || (candidate.is_present() && candidate.explained(point.max_covered).is_some());
    is_judgeable
        && candidate.dwell_s()
            >= warned::dwell_s(candidate.warned.as_ref(), rule, now.wall_ms, now.utc_offset_s)
}

fn classify(
    candidate: &Candidate,
    zone: &Zone,
    rule: &Rule,
    point: &OperatingPoint,
    now: Circumstances,
) -> Result<Classification, WhyNot> {
    match rule_status(rule, now.wall_ms, now.utc_offset_s) {
        RuleStatus::InForce => {}
        RuleStatus::OutsideSchedule => {
            return Err(WhyNot::OutsideSchedule { hours: hours_text(&rule.schedule) });
        }
        RuleStatus::Permitted { holder, hours } => {
            return Err(WhyNot::Permitted { holder, hours: hours_text(&[hours]) });
        }
    }
    match candidate.explained(point.max_covered) {
        Some(Explained { by: Explanation::Vacated, .. }) => return Err(WhyNot::Vacated),
        Some(Explained { by: Explanation::Person, check }) => return Err(WhyNot::Person { check }),
        Some(Explained { by: Explanation::Vehicle, check }) => {
            return mobile_vendor(candidate, rule, point, check);
        }
        None => {}
    }
    let shaded = candidate.attendance.shaded_share();
    if shaded > MOSTLY_SHADE {
        return Err(WhyNot::Person { check: Check::new(Measure::ShadeShare, shaded, MOSTLY_SHADE) });
    }
    check_plausible(candidate, rule, now.size_m2)?;
    let mut misses = Vec::new();
    match stall(candidate, zone, rule, point) {
        Ok(stall) => return Ok(stall),
        Err(miss) => misses.extend(miss),
    }
    // The goods of a stall are handled all the time: where the rule asks for nothing else, change says nothing.
    let asks_for_more =
        rule.kinds.iter().any(|k| !matches!(k, Kind::StallOccupying | Kind::StallMobileVendor));
    if asks_for_more && candidate.similarity() < point.min_similarity {
        let check = Check::new(Measure::Similarity, candidate.similarity(), point.min_similarity);
        return Err(WhyNot::KeepsChanging { check, misses });
    }
    if let Some(frontage) = frontage(candidate, zone, rule) {
        return Ok(frontage);
    }
    if is_bin_in_order(candidate, point) {
        let check = Check::new(Measure::BinScore, candidate.labels.scores().bin, point.min_score);
        return Err(WhyNot::Bin { check });
    }
    for found in
        [waste(candidate, rule, point, now.witness_left), goods(candidate, rule, point, now.witness_left)]
    {
        match found {
            Ok(classification) => return Ok(classification),
            Err(miss) => misses.extend(miss),
        }
    }
    Err(WhyNot::NoKindFits { misses })
}

fn check_plausible(candidate: &Candidate, rule: &Rule, size_m2: Option<f64>) -> Result<(), WhyNot> {
    let bbox = candidate.bbox();
    let area = candidate.area_norm();
    let aspect = if bbox.w > 0.0 && bbox.h > 0.0 { (bbox.w / bbox.h).max(bbox.h / bbox.w) } else { f32::MAX };
    let small_on_ground = size_m2.zip(rule.min_size_m2).filter(|(size, least)| size < least);
    if area < rule.min_area_norm {
        Err(WhyNot::TooSmall { check: Check::new(Measure::AreaShare, area, rule.min_area_norm) })
    } else if let Some((size, least)) = small_on_ground {
        Err(WhyNot::TooSmall { check: Check::new(Measure::GroundM2, size, least) })
    } else if area > MAX_AREA {
        Err(WhyNot::TooLarge { check: Check::new(Measure::LargestAreaShare, area, MAX_AREA) })
    } else if aspect > MAX_ASPECT {
        Err(WhyNot::ImplausibleShape { check: Check::new(Measure::AspectRatio, aspect, MAX_ASPECT) })
    } else {
        Ok(())
    }
}

/// What is missing for a kind; `None`: the rule does not ask for it.
type Lack = Option<Miss>;

fn lacks(kind: Kind, measure: Measure, value: impl Into<f64>, threshold: impl Into<f64>) -> Lack {
    Some(Miss { kind, check: Check::new(measure, value, threshold) })
}

/// A static cluster with an attendant present most of the time. Where the detector calls it a stall, less is required.
fn stall(
    candidate: &Candidate,
    zone: &Zone,
    rule: &Rule,
    point: &OperatingPoint,
) -> Result<Classification, Lack> {
    let attendance = &candidate.attendance;
    let with_vehicle = candidate.witness().is_some_and(|w| w.group == Group::Vehicle);
    let kinds = [
        (zone.frontage, Kind::ShopfrontOverflow),
        (with_vehicle, Kind::StallMobileVendor),
        (true, Kind::StallOccupying),
    ];
    let kind = first_listed(rule, kinds).ok_or(None)?;
    let least_similar = point.min_similarity - HANDLED;
    if candidate.similarity() < least_similar {
        return Err(lacks(kind, Measure::Similarity, candidate.similarity(), least_similar));
    }
    let score = candidate.labels.scores().stall;
    let is_named = score >= point.min_score;
    let required =
        if is_named { point.min_attendant_share * NAMED_STALL_SHARE } else { point.min_attendant_share };
    let share = attendance.attendant_share();
    if share < required {
        return Err(lacks(kind, Measure::AttendedShare, share, required));
    }
    let steadiest = attendance.steadiest_share();
    if steadiest < required * STEADY_SHARE {
        return Err(lacks(kind, Measure::SteadiestShare, steadiest, required * STEADY_SHARE));
    }
    let visits = attendance.visits();
    if !is_named && visits == 0 && candidate.filled() < THIN {
        return Err(lacks(kind, Measure::FilledShare, candidate.filled(), THIN));
    }
    let range = (1.0 - required).max(confidence::MIN_RANGE);
    let confidence = confidence::STALL
        + confidence::STALL_ATTENDANCE * (share - required) / range
        + confidence::VISIT * visits.min(confidence::STALL_VISITS) as f32;
    let confidence = if is_named { confidence.max(score) } else { confidence };
    Ok(Classification { kind, act: Some(Act::InProgress), confidence: rounded(confidence) })
}

/// A cart, tricycle or van is a vehicle to the detector; with an attendant and visitors it sells. `check`: why it is a vehicle.
fn mobile_vendor(
    candidate: &Candidate,
    rule: &Rule,
    point: &OperatingPoint,
    check: Check,
) -> Result<Classification, WhyNot> {
    let attendance = &candidate.attendance;
    let kind = Kind::StallMobileVendor;
    if !rule.kinds.contains(&kind) {
        return Err(WhyNot::Vehicle { check, misses: Vec::new() });
    }
    let (required, steady) = (point.min_attendant_share, point.min_attendant_share * STEADY_SHARE);
    let (share, steadiest) = (attendance.attendant_share(), attendance.steadiest_share());
    let miss = if share < required {
        lacks(kind, Measure::AttendedShare, share, required)
    } else if steadiest < steady {
        lacks(kind, Measure::SteadiestShare, steadiest, steady)
    } else if attendance.visits() < VENDOR_VISITS {
        lacks(kind, Measure::Visits, attendance.visits(), VENDOR_VISITS)
    } else {
        None
    };
    if let Some(miss) = miss {
        return Err(WhyNot::Vehicle { check, misses: vec![miss] });
    }
    let visits = attendance.visits().min(confidence::VENDOR_VISITS);
    let confidence = rounded(confidence::STALL + confidence::VISIT * visits as f32);
    Ok(Classification { kind, act: Some(Act::InProgress), confidence })
}

/// Objects before a shop's own front, attended or not.
fn frontage(candidate: &Candidate, zone: &Zone, rule: &Rule) -> Option<Classification> {
    let kind = first_listed(rule, [(zone.frontage, Kind::ShopfrontOverflow)])?;
    let (base, for_goods) = confidence::FRONTAGE;
    let confidence = rounded(base + for_goods * candidate.labels.scores().goods);
    Some(Classification { kind, act: None, confidence })
}

/// A bin that holds what was thrown into it is where it belongs, wherever somebody has put it.
fn is_bin_in_order(candidate: &Candidate, point: &OperatingPoint) -> bool {
    let scores = candidate.labels.scores();
    scores.bin >= point.min_score && scores.bin > scores.waste.max(scores.overflow)
}

/// Alone for the rule's dwell, and either named by the detector or an object that nothing explains.
fn waste(
    candidate: &Candidate,
    rule: &Rule,
    point: &OperatingPoint,
    witness_left: bool,
) -> Result<Classification, Lack> {
    let scores = candidate.labels.scores();
    let overflows = scores.overflow >= point.min_score && scores.overflow > scores.waste;
    if let Some(kind) = first_listed(rule, [(overflows, Kind::BinOverflow)]) {
        return Ok(Classification { kind, act: None, confidence: rounded(scores.overflow) });
    }
    let accumulated = candidate.parts.len() >= ACCUMULATED;
    let kinds = [(accumulated, Kind::WasteAccumulated), (true, Kind::WasteExposed)];
    let Some(kind) = first_listed(rule, kinds) else {
        let bin = first_listed(rule, [(true, Kind::BinOverflow)]).ok_or(None)?;
        return Err(lacks(bin, Measure::OverflowScore, scores.overflow, point.min_score.max(scores.waste)));
    };
    if scores.goods >= point.min_score && scores.goods > scores.waste {
        return Err(lacks(kind, Measure::GoodsScore, scores.goods, point.min_score.max(scores.waste)));
    }
    check_abandoned(kind, candidate, rule, point)?;
    let act = act(candidate, witness_left);
    let range = (1.0 - point.min_similarity).max(confidence::MIN_RANGE);
    let steady = (candidate.similarity() - point.min_similarity) / range;
    let seen_left = if act == Act::InProgress { confidence::WASTE_SEEN_LEFT } else { 0.0 };
    let unnamed = confidence::WASTE + confidence::WASTE_STEADY * steady + seen_left;
    let is_named = scores.waste >= point.min_score;
    let confidence = if is_named { unnamed.max(scores.waste) } else { unnamed };
    Ok(Classification { kind, act: Some(act), confidence: rounded(confidence) })
}

/// Nobody is with it, and it has been alone long enough. One who was with it long and most of the time may come back: a
/// vendor who fetches water, goods that are being carried in.
fn check_abandoned(
    kind: Kind,
    candidate: &Candidate,
    rule: &Rule,
    point: &OperatingPoint,
) -> Result<(), Lack> {
    let attendance = &candidate.attendance;
    let is_owned = attendance.attended_s() >= OWNED_DWELLS * rule.dwell_s
        && attendance.attendant_share() >= point.min_attendant_share;
    let required_s = if is_owned { PATIENT_DWELLS * rule.dwell_s } else { rule.dwell_s };
    if attendance.alone_s() < required_s {
        return Err(lacks(kind, Measure::AloneS, attendance.alone_s(), required_s));
    }
    if attendance.is_paused_at() { Err(lacks(kind, Measure::PeopleBeside, 1, 0)) } else { Ok(()) }
}

/// Whatever else stands there, for longer.
fn goods(
    candidate: &Candidate,
    rule: &Rule,
    point: &OperatingPoint,
    witness_left: bool,
) -> Result<Classification, Lack> {
    let attendance = &candidate.attendance;
    let patient_s = PATIENT_DWELLS * rule.dwell_s;
    let kind = first_listed(rule, [(true, Kind::PileGoods)]).ok_or(None)?;
    if candidate.dwell_s() < patient_s {
        return Err(lacks(kind, Measure::DwellS, candidate.dwell_s(), patient_s));
    }
    if attendance.is_attended() {
        return Err(lacks(kind, Measure::PeopleBeside, 1, 0));
    }
    if attendance.attendant_share() >= point.min_attendant_share && attendance.alone_s() < patient_s {
        return Err(lacks(kind, Measure::AloneS, attendance.alone_s(), patient_s));
    }
    let (base, for_goods) = confidence::GOODS;
    let confidence = rounded(base + for_goods * candidate.labels.scores().goods);
    Ok(Classification { kind, act: Some(act(candidate, witness_left)), confidence })
}

/// The first kind whose condition holds and that the rule names.
fn first_listed<const N: usize>(rule: &Rule, kinds: [(bool, Kind); N]) -> Option<Kind> {
    kinds.into_iter().find(|(holds, kind)| *holds && rule.kinds.contains(kind)).map(|(_, kind)| kind)
}

/// Somebody was seen leaving it, or the result was found.
fn act(candidate: &Candidate, witness_left: bool) -> Act {
    if candidate.witness().is_some() && witness_left { Act::InProgress } else { Act::FoundAfter }
}

fn rounded(value: f32) -> f32 {
    (value.clamp(0.0, confidence::MOST) * 100.0).round() / 100.0
}
