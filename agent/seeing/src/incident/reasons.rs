//! Reasons: what was seen and why it was called so, for the officer who reads. In a fixed order and rounded, so that a replay
//! gives the same.

use serde_json::{Value, json};

use kerbside_domain::detection::Group;

use super::candidate::Candidate;

/// Name and value.
pub(super) type Reasons = Vec<(String, Value)>;

/// What the box did before it opened a case. These stay when the other reasons are made anew.
const WARNED: &str = "warned_after_s";
const WARNING: &str = "warning";
const WELCOME: &str = "welcome_at";

const SHORTFALL: &str = "evidence_shortfall";

/// What a candidate knows.
pub(super) fn of(candidate: &Candidate, size_m2: Option<f64>) -> Reasons {
    let appeared_with = match candidate.witness().map(|w| w.group) {
        Some(Group::Vehicle) => "vehicle",
        Some(_) => "person",
        None => "nobody",
    };
    let attendance = &candidate.attendance;
    let mut reasons = vec![
        ("dwell_s", json!(tenths(candidate.dwell_s()))),
        ("alone_s", json!(tenths(attendance.alone_s()))),
        ("area_norm", json!((f64::from(candidate.area_norm()) * 1e5).round() / 1e5)),
        ("similarity", json!(hundredths(candidate.similarity()))),
        ("attendant_share", json!(hundredths(attendance.attendant_share()))),
        ("visits", json!(attendance.visits())),
        ("appeared_with", json!(appeared_with)),
    ];
    let scores = candidate.labels.scores();
    let scores = [
        ("waste_score", scores.waste),
        ("overflow_score", scores.overflow),
        ("bin_score", scores.bin),
        ("stall_score", scores.stall),
        ("goods_score", scores.goods),
    ];
    reasons.extend(scores.into_iter().filter(|s| s.1 > 0.0).map(|s| (s.0, json!(hundredths(s.1)))));
    let words = &candidate.labels.words;
    let shares = [("witness_goods", words.goods_share()), ("witness_thing", words.rubbish_share())];
    reasons.extend(shares.into_iter().filter_map(|(name, share)| Some((name, json!(hundredths(share?))))));
    reasons.extend(candidate.review.answer().map(|answer| ("looked_back", json!(answer))));
    reasons.extend(size_m2.map(|size| ("size_m2", json!(tenths(size)))));
    reasons.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What is missing of the latest evidence comes last.
pub(super) fn set_shortfall(reasons: &mut Reasons, shortfall: Option<String>) {
    reasons.retain(|r| r.0 != SHORTFALL);
    reasons.extend(shortfall.map(|shortfall| (SHORTFALL.to_owned(), json!(shortfall))));
}

/// What was said at the place, after how long, and whether an output spoke.
pub(super) fn set_warned(reasons: &mut Reasons, dwell_s: f64, spoken: Option<bool>) {
    reasons.retain(|r| r.0 != WARNED);
    reasons.push((WARNED.to_owned(), json!(tenths(dwell_s))));
    set_spoken(reasons, spoken);
}

/// Whether an output spoke.
pub(super) fn set_spoken(reasons: &mut Reasons, spoken: Option<bool>) {
    let word = match spoken {
        Some(true) => "spoken",
        Some(false) => "not_spoken",
        None => "not_known",
    };
    reasons.retain(|r| r.0 != WARNING);
    reasons.push((WARNING.to_owned(), json!(word)));
}

/// Where vendors are welcome instead, each place once.
pub(super) fn set_welcome<'a>(reasons: &mut Reasons, places: impl Iterator<Item = &'a str>) {
    let mut welcome: Vec<&str> = Vec::new();
    for place in places {
        if !welcome.contains(&place) {
            welcome.push(place);
        }
    }
    reasons.retain(|r| r.0 != WELCOME);
    if !welcome.is_empty() {
        reasons.push((WELCOME.to_owned(), json!(welcome.join("; "))));
    }
}

/// The reasons as they are now, with what stays of the older ones.
pub(super) fn renew(older: &mut Reasons, newer: Reasons) {
    older.retain(|r| [WARNED, WARNING, WELCOME].contains(&r.0.as_str()));
    older.splice(0..0, newer);
}

fn hundredths(share: f32) -> f64 {
    (f64::from(share) * 100.0).round() / 100.0
}

/// Rounded to one decimal.
pub(super) fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
