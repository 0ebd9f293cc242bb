//! A word at the place: what is remembered of it, and what a rule does next. Plain data and questions to it; `warning` acts.

use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::Moment;
use kerbside_site::config::{Rule, WarnFirst};

use super::opening_terms::Opening;
use crate::rules::is_within;

/// What shall be said at the place, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Id of the incident that it may become.
    pub incident_id: String,
    /// Which camera sees it.
    pub camera: CameraIx,
    /// When the rule was fulfilled.
    pub at: Moment,
    /// Ids of the outputs.
    pub by: Vec<String>,
}

/// A candidate that was warned.
#[derive(Clone, Debug)]
pub(super) struct Warned {
    pub(super) at: Moment,
    /// How long it had stood by then, s.
    pub(super) dwell_s: f64,
    /// Whether an output spoke; unknown until it answers.
    pub(super) spoken: Option<bool>,
    /// The id that the outputs were told: they answer by it, whatever the incident is called by then.
    pub(super) told_as: String,
    /// What it would have been.
    pub(super) opening: Opening,
}

/// What a rule does with a candidate that fulfils it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Warn now.
    Warn,
    /// It was warned: wait.
    Wait,
    /// Open the case.
    Open,
}

/// How long a candidate must stand, warned or not, until the rule does its next step, s.
pub(super) fn dwell_s(warned: Option<&Warned>, rule: &Rule, wall_ms: i64, utc_offset_s: i32) -> f64 {
    match warns(warned, rule, wall_ms, utc_offset_s) {
        Some(warn) => warn.after_s,
        None => rule.dwell_s,
    }
}

/// The next step for a candidate that fulfils the rule.
pub(super) fn step(warned: Option<&Warned>, rule: &Rule, at: Moment, utc_offset_s: i32) -> Step {
    let Some(warn) = warns(warned, rule, at.wall_ms, utc_offset_s) else { return Step::Open };
    match warned {
        None => Step::Warn,
        Some(warned) if at.mono.since_s(warned.at.mono) < warn.wait_s => Step::Wait,
        Some(_) => Step::Open,
    }
}

/// How the rule warns this candidate: not in quiet hours, unless it has been warned already.
fn warns<'a>(
    warned: Option<&Warned>,
    rule: &'a Rule,
    wall_ms: i64,
    utc_offset_s: i32,
) -> Option<&'a WarnFirst> {
    let warn = rule.warn.as_ref()?;
    let is_quiet = is_within(&warn.quiet, wall_ms, utc_offset_s);
    (warned.is_some() || !is_quiet).then_some(warn)
}
