//! Is this spot an incident of a kind that the rule names, and if not, why not? Pure judgement over what a spot knows.
//! The order of questions is the order of this file.

use crate::rules::{Force, OperatingPoint, REGION_SHARE, force, share_inside};
use kerbside_domain::detection::Group;
use kerbside_site::config::{Rule, Zone};

use super::spot::{Explained, MIN_ASKED, Spot};
use super::{Act, Kind};

/// A changed share of the picture beyond this is no thing on the ground.
const MAX_AREA_NORM: f32 = 0.25;
/// Sides of a plausible thing differ by no more than this factor.
const MAX_ASPECT: f32 = 6.0;
/// Goods that merely stand there get this many dwells before somebody is told.
const PATIENT_DWELLS: f64 = 3.0;
/// Attended for that many dwells, a thing belongs to somebody even while nobody is there.
const KEPT_DWELLS: f64 = 2.0;
/// One who stays must be there for half of the share asked of all who stay: a queue of strangers is no vendor.
const STEADY_SHARE: f32 = 0.5;
/// Goods of a stall are handled all the time: it may look so much less like itself.
const HANDLED: f32 = 0.3;
/// What is nothing but people and their shade for this share of the time is no thing.
const MOSTLY_SHADE: f32 = 0.6;
/// Less of its own box than this: legs and a long shade beside them, or goods that a name or a customer must tell of.
const THIN: f32 = 0.35;
/// Where the detector names a stall, this much of the usual attendance is enough.
const NAMED_STALL_SHARE: f32 = 0.5;
/// A vehicle with somebody beside it becomes a vendor's when so many others paused there.
const VENDOR_VISITS: u32 = 2;
/// That many things together are an accumulation.
const ACCUMULATED: usize = 3;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    pub(super) act: Option<Act>,
    /// 0..1, two decimals.
    pub(super) confidence: f32,
}

/// What the judge needs besides spot, zone and rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) wall_ms: i64,
    pub(super) utc_offset_s: i32,
    /// The one who was there when it appeared has left.
    pub(super) witness_left: bool,
    /// On the ground, where the camera can tell.
    pub(super) size_m2: Option<f64>,
}

/// The finding, or a reason in one word; `Err(None)`: too early to say.
pub(super) fn judge(
    spot: &Spot,
    zone: &Zone,
    rule: &Rule,
    now: Circumstances,
) -> Result<Finding, Option<&'static str>> {
    if spot.asked() < MIN_ASKED || share_inside(&zone.polygon_norm, &spot.bbox()) < REGION_SHARE {
        return Err(None);
    }
    let point = OperatingPoint::of(rule.sensitivity);
    let explained = spot.explained(point.max_covered);
    // A vehicle's region is behind its own box by nature; everything else must be in sight to be judged.
    let judgeable = spot.in_the_open() || (spot.present() && explained.is_some());
    if !judgeable || spot.dwell_s() < rule.dwell_s {
        return Err(None);
    }
    match force(rule, now.wall_ms, now.utc_offset_s) {
        Force::InForce => {}
        Force::OutsideSchedule => return Err(Some("outside_schedule")),
        Force::Permitted { .. } => return Err(Some("permitted")),
    }
    match explained {
        Some(Explained::Vacated) => return Err(Some("vacated")),
        Some(Explained::Person) => return Err(Some("person")),
        Some(Explained::Vehicle) => return vehicle_vendor(spot, rule, &point),
        None => {}
    }
    if spot.company.shaded_share() > MOSTLY_SHADE {
        return Err(Some("person"));
    }
    plausible(spot, rule, now.size_m2)?;
    let found = stall(spot, zone, rule, &point);
    if found.is_none() && spot.similarity() < point.min_similarity {
        return Err(Some("keeps_changing"));
    }
    let found = found.or_else(|| frontage(spot, zone, rule));
    if found.is_none() && is_bin(spot, &point) {
        return Err(Some("bin"));
    }
    let found = found
        .or_else(|| waste(spot, rule, &point, now.witness_left))
        .or_else(|| goods(spot, rule, &point, now.witness_left));
    found.ok_or(Some("no_kind_fits"))
}

fn plausible(spot: &Spot, rule: &Rule, size_m2: Option<f64>) -> Result<(), Option<&'static str>> {
    let bbox = spot.bbox();
    let area = spot.area_norm();
    let aspect = if bbox.w > 0.0 && bbox.h > 0.0 { (bbox.w / bbox.h).max(bbox.h / bbox.w) } else { f32::MAX };
    let small_on_ground = size_m2.zip(rule.min_size_m2).is_some_and(|(size, least)| size < least);
    if area < rule.min_area_norm || small_on_ground {
        Err(Some("too_small"))
    } else if area > MAX_AREA_NORM {
        Err(Some("too_large"))
    } else if aspect > MAX_ASPECT {
        Err(Some("implausible_shape"))
    } else {
        Ok(())
    }
}

/// A static cluster with an attendant present most of the time; the detector's word lowers what is asked.
fn stall(spot: &Spot, zone: &Zone, rule: &Rule, point: &OperatingPoint) -> Option<Finding> {
    let named = spot.labels.scores().stall >= point.min_score;
    let share = spot.company.attendant_share();
    if spot.similarity() < point.min_similarity - HANDLED {
        return None;
    }
    let asked = if named { point.min_attendant_share * NAMED_STALL_SHARE } else { point.min_attendant_share };
    if share < asked || spot.company.steadiest_share() < asked * STEADY_SHARE {
        return None;
    }
    let visits = spot.company.visits();
    if !named && visits == 0 && spot.filled() < THIN {
        return None;
    }
    let with_vehicle = spot.witness().is_some_and(|w| w.group == Group::Vehicle);
    let kind = [
        (zone.frontage, Kind::ShopfrontOverflow),
        (with_vehicle, Kind::StallMobileVendor),
        (true, Kind::StallOccupying),
    ];
    let kind = kind.into_iter().find(|k| k.0 && rule.kinds.contains(&k.1))?.1;
    let confidence = 0.5 + 0.25 * (share - asked) / (1.0 - asked).max(0.1) + 0.05 * visits.min(3) as f32;
    let confidence = if named { confidence.max(spot.labels.scores().stall) } else { confidence };
    Some(Finding { kind, act: Some(Act::InProgress), confidence: rounded(confidence) })
}

/// A cart, tricycle or van is a vehicle to the detector; with an attendant and visitors it sells.
fn vehicle_vendor(spot: &Spot, rule: &Rule, point: &OperatingPoint) -> Result<Finding, Option<&'static str>> {
    let company = &spot.company;
    let sells = company.attendant_share() >= point.min_attendant_share
        && company.steadiest_share() >= point.min_attendant_share * STEADY_SHARE
        && company.visits() >= VENDOR_VISITS;
    if !sells || !rule.kinds.contains(&Kind::StallMobileVendor) {
        return Err(Some("vehicle"));
    }
    let confidence = rounded(0.5 + 0.05 * company.visits().min(6) as f32);
    Ok(Finding { kind: Kind::StallMobileVendor, act: Some(Act::InProgress), confidence })
}

/// Things before a shop's own front, attended or not.
fn frontage(spot: &Spot, zone: &Zone, rule: &Rule) -> Option<Finding> {
    let here = zone.frontage && rule.kinds.contains(&Kind::ShopfrontOverflow);
    here.then(|| Finding {
        kind: Kind::ShopfrontOverflow,
        act: None,
        confidence: rounded(0.55 + 0.3 * spot.labels.scores().goods),
    })
}

/// A bin that holds what was thrown into it is where it belongs, wherever somebody has put it.
fn is_bin(spot: &Spot, point: &OperatingPoint) -> bool {
    let labels = spot.labels.scores();
    labels.bin >= point.min_score && labels.bin > labels.waste.max(labels.overflow)
}

/// Alone for the rule's dwell, and either named by the detector or a thing that nothing explains.
fn waste(spot: &Spot, rule: &Rule, point: &OperatingPoint, witness_left: bool) -> Option<Finding> {
    let listed = |kind: Kind| rule.kinds.contains(&kind);
    let act = Some(act(spot, witness_left));
    let labels = spot.labels.scores();
    let overflows = labels.overflow >= point.min_score && labels.overflow > labels.waste;
    if overflows && listed(Kind::BinOverflow) {
        return Some(Finding { kind: Kind::BinOverflow, act: None, confidence: rounded(labels.overflow) });
    }
    let named = labels.waste >= point.min_score;
    let goods = labels.goods >= point.min_score && labels.goods > labels.waste;
    let company = &spot.company;
    // One who was with it long and most of the time may come back: a vendor fetching water, goods being carried in.
    let kept = company.attended_s() >= KEPT_DWELLS * rule.dwell_s
        && company.attendant_share() >= point.min_attendant_share;
    let alone_needed_s = if kept { PATIENT_DWELLS * rule.dwell_s } else { rule.dwell_s };
    if goods || company.paused_now() || company.alone_s() < alone_needed_s {
        return None;
    }
    let kind = [(spot.parts.len() >= ACCUMULATED, Kind::WasteAccumulated), (true, Kind::WasteExposed)];
    let kind = kind.into_iter().find(|k| k.0 && listed(k.1))?.1;
    let steady = (spot.similarity() - point.min_similarity) / (1.0 - point.min_similarity).max(0.1);
    let unexplained = 0.55 + 0.15 * steady + if act == Some(Act::InProgress) { 0.15 } else { 0.0 };
    let confidence = if named { unexplained.max(labels.waste) } else { unexplained };
    Some(Finding { kind, act, confidence: rounded(confidence) })
}

/// Whatever else stands there, for longer.
fn goods(spot: &Spot, rule: &Rule, point: &OperatingPoint, witness_left: bool) -> Option<Finding> {
    let company = &spot.company;
    let long = spot.dwell_s() >= PATIENT_DWELLS * rule.dwell_s;
    if !rule.kinds.contains(&Kind::PileGoods) || !long || company.attended_now() {
        return None;
    }
    if company.attendant_share() >= point.min_attendant_share
        && company.alone_s() < PATIENT_DWELLS * rule.dwell_s
    {
        return None;
    }
    let confidence = rounded(0.5 + 0.4 * spot.labels.scores().goods);
    Some(Finding { kind: Kind::PileGoods, act: Some(act(spot, witness_left)), confidence })
}

/// Somebody was seen leaving it, or the result was found.
fn act(spot: &Spot, witness_left: bool) -> Act {
    if spot.witness().is_some() && witness_left { Act::InProgress } else { Act::FoundAfter }
}

fn rounded(confidence: f32) -> f32 {
    (confidence.clamp(0.0, 0.99) * 100.0).round() / 100.0
}
