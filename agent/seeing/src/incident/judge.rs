//! Is this candidate an incident of a kind that the rule names, and if not, why not? Pure judgement over what a candidate
//! knows. The order of questions is the order of this file.

use kerbside_domain::detection::Group;
use kerbside_domain::kind::{Act, Kind};
use kerbside_site::config::{Rule, Zone};

use super::candidate::Candidate;
use super::part::Explanation;
use super::refusal::Refusal;
use super::tuning::confidence;
use super::tuning::judge::{
    ACCUMULATED, HANDLED, MAX_AREA, MAX_ASPECT, MOSTLY_SHADE, NAMED_STALL_SHARE, OWNED_DWELLS,
    PATIENT_DWELLS, STEADY_SHARE, THIN, VENDOR_VISITS,
};
use super::warning;
use crate::rules::{OperatingPoint, REGION_SHARE, RuleStatus, rule_status, share_inside};

/// What the judge says of one candidate and one rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Judgement {
    /// Too early to say.
    NotYet,
    /// It is none, and why.
    No(Refusal),
    /// It is one.
    Incident(Classification),
}

/// What sort of incident it is, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Classification {
    pub(super) kind: Kind,
    pub(super) act: Option<Act>,
    /// 0..1, two decimals.
    pub(super) confidence: f32,
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
        Err(refusal) => Judgement::No(refusal),
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
        || (candidate.is_present() && candidate.explanation(point.max_covered).is_some());
    is_judgeable && candidate.dwell_s() >= warning::dwell_s(candidate, rule, now.wall_ms, now.utc_offset_s)
}

fn classify(
    candidate: &Candidate,
    zone: &Zone,
    rule: &Rule,
    point: &OperatingPoint,
    now: Circumstances,
) -> Result<Classification, Refusal> {
    match rule_status(rule, now.wall_ms, now.utc_offset_s) {
        RuleStatus::InForce => {}
        RuleStatus::OutsideSchedule => return Err(Refusal::OutsideSchedule),
        RuleStatus::Permitted { .. } => return Err(Refusal::Permitted),
    }
    match candidate.explanation(point.max_covered) {
        Some(Explanation::Vacated) => return Err(Refusal::Vacated),
        Some(Explanation::Person) => return Err(Refusal::Person),
        Some(Explanation::Vehicle) => return mobile_vendor(candidate, rule, point),
        None => {}
    }
    if candidate.attendance.shaded_share() > MOSTLY_SHADE {
        return Err(Refusal::Person);
    }
    check_plausible(candidate, rule, now.size_m2)?;
    if let Some(stall) = stall(candidate, zone, rule, point) {
        return Ok(stall);
    }
    if candidate.similarity() < point.min_similarity {
        return Err(Refusal::KeepsChanging);
    }
    if let Some(frontage) = frontage(candidate, zone, rule) {
        return Ok(frontage);
    }
    if is_bin_in_order(candidate, point) {
        return Err(Refusal::Bin);
    }
    waste(candidate, rule, point, now.witness_left)
        .or_else(|| goods(candidate, rule, point, now.witness_left))
        .ok_or(Refusal::NoKindFits)
}

fn check_plausible(candidate: &Candidate, rule: &Rule, size_m2: Option<f64>) -> Result<(), Refusal> {
    let bbox = candidate.bbox();
    let area = candidate.area_norm();
    let aspect = if bbox.w > 0.0 && bbox.h > 0.0 { (bbox.w / bbox.h).max(bbox.h / bbox.w) } else { f32::MAX };
    let small_on_ground = size_m2.zip(rule.min_size_m2).is_some_and(|(size, least)| size < least);
    if area < rule.min_area_norm || small_on_ground {
        Err(Refusal::TooSmall)
    } else if area > MAX_AREA {
        Err(Refusal::TooLarge)
    } else if aspect > MAX_ASPECT {
        Err(Refusal::ImplausibleShape)
    } else {
        Ok(())
    }
}

/// A static cluster with an attendant present most of the time. Where the detector calls it a stall, less is required.
fn stall(candidate: &Candidate, zone: &Zone, rule: &Rule, point: &OperatingPoint) -> Option<Classification> {
    let attendance = &candidate.attendance;
    let score = candidate.labels.scores().stall;
    let is_named = score >= point.min_score;
    if candidate.similarity() < point.min_similarity - HANDLED {
        return None;
    }
    let required =
        if is_named { point.min_attendant_share * NAMED_STALL_SHARE } else { point.min_attendant_share };
    let share = attendance.attendant_share();
    if share < required || attendance.steadiest_share() < required * STEADY_SHARE {
        return None;
    }
    let visits = attendance.visits();
    if !is_named && visits == 0 && candidate.filled() < THIN {
        return None;
    }
    let with_vehicle = candidate.witness().is_some_and(|w| w.group == Group::Vehicle);
    let kinds = [
        (zone.frontage, Kind::ShopfrontOverflow),
        (with_vehicle, Kind::StallMobileVendor),
        (true, Kind::StallOccupying),
    ];
    let kind = first_listed(rule, kinds)?;
    let range = (1.0 - required).max(confidence::MIN_RANGE);
    let confidence = confidence::STALL
        + confidence::STALL_ATTENDANCE * (share - required) / range
        + confidence::VISIT * visits.min(confidence::STALL_VISITS) as f32;
    let confidence = if is_named { confidence.max(score) } else { confidence };
    Some(Classification { kind, act: Some(Act::InProgress), confidence: rounded(confidence) })
}

/// A cart, tricycle or van is a vehicle to the detector; with an attendant and visitors it sells.
fn mobile_vendor(
    candidate: &Candidate,
    rule: &Rule,
    point: &OperatingPoint,
) -> Result<Classification, Refusal> {
    let attendance = &candidate.attendance;
    let sells = attendance.attendant_share() >= point.min_attendant_share
        && attendance.steadiest_share() >= point.min_attendant_share * STEADY_SHARE
        && attendance.visits() >= VENDOR_VISITS;
    if !sells || !rule.kinds.contains(&Kind::StallMobileVendor) {
        return Err(Refusal::Vehicle);
    }
    let visits = attendance.visits().min(confidence::VENDOR_VISITS);
    let confidence = rounded(confidence::STALL + confidence::VISIT * visits as f32);
    Ok(Classification { kind: Kind::StallMobileVendor, act: Some(Act::InProgress), confidence })
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
) -> Option<Classification> {
    let scores = candidate.labels.scores();
    let overflows = scores.overflow >= point.min_score && scores.overflow > scores.waste;
    if let Some(kind) = first_listed(rule, [(overflows, Kind::BinOverflow)]) {
        return Some(Classification { kind, act: None, confidence: rounded(scores.overflow) });
    }
    let is_goods = scores.goods >= point.min_score && scores.goods > scores.waste;
    if is_goods || !is_abandoned(candidate, rule, point) {
        return None;
    }
    let accumulated = candidate.parts.len() >= ACCUMULATED;
    let kind = first_listed(rule, [(accumulated, Kind::WasteAccumulated), (true, Kind::WasteExposed)])?;
    let act = act(candidate, witness_left);
    let range = (1.0 - point.min_similarity).max(confidence::MIN_RANGE);
    let steady = (candidate.similarity() - point.min_similarity) / range;
    let seen_left = if act == Act::InProgress { confidence::WASTE_SEEN_LEFT } else { 0.0 };
    let unnamed = confidence::WASTE + confidence::WASTE_STEADY * steady + seen_left;
    let is_named = scores.waste >= point.min_score;
    let confidence = if is_named { unnamed.max(scores.waste) } else { unnamed };
    Some(Classification { kind, act: Some(act), confidence: rounded(confidence) })
}

/// Nobody is with it, and it has been alone long enough. One who was with it long and most of the time may come back: a
/// vendor who fetches water, goods that are being carried in.
fn is_abandoned(candidate: &Candidate, rule: &Rule, point: &OperatingPoint) -> bool {
    let attendance = &candidate.attendance;
    let is_owned = attendance.attended_s() >= OWNED_DWELLS * rule.dwell_s
        && attendance.attendant_share() >= point.min_attendant_share;
    let required_s = if is_owned { PATIENT_DWELLS * rule.dwell_s } else { rule.dwell_s };
    !attendance.is_paused_at() && attendance.alone_s() >= required_s
}

/// Whatever else stands there, for longer.
fn goods(
    candidate: &Candidate,
    rule: &Rule,
    point: &OperatingPoint,
    witness_left: bool,
) -> Option<Classification> {
    let attendance = &candidate.attendance;
    let patient_s = PATIENT_DWELLS * rule.dwell_s;
    let kind = first_listed(rule, [(candidate.dwell_s() >= patient_s, Kind::PileGoods)])?;
    let is_owned =
        attendance.attendant_share() >= point.min_attendant_share && attendance.alone_s() < patient_s;
    if attendance.is_attended() || is_owned {
        return None;
    }
    let (base, for_goods) = confidence::GOODS;
    let confidence = rounded(base + for_goods * candidate.labels.scores().goods);
    Some(Classification { kind, act: Some(act(candidate, witness_left)), confidence })
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
