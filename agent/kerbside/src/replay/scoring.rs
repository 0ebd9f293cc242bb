//! How far a replay agrees with the truth of its clip. Pure.
//!
//! Events are scored as in the illegal-dumping contest of WACV 2026: one report may match one event; repeats count as false.
//! What a camera reports of itself (covered, moved, frozen, black) is scored too.

use serde::Serialize;

use super::truth::{BlindPeriod, TrueEvent, Truth};
use kerbside_domain::camera_state::{Blind, CameraState};
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::{Act, Kind};
use kerbside_domain::report::{Phase, Report};
use kerbside_domain::time::Mono;
use kerbside_site::config::Site;

/// How late a report may come when the truth does not say, s: after the start of the event and the dwell of the rule.
const DEFAULT_TOLERANCE_S: f64 = 5.0;
/// How early it may come, s: the truth is rounded, and parts of a thing are seen before it lies quite still. A report that
/// comes earlier has not waited for its dwell, whatever it found.
const EARLY_S: f64 = 2.0;
/// Time within which a camera reports that it cannot see, and that it sees again, when the truth does not say, s.
const DEFAULT_STATE_TOLERANCE_S: f64 = 10.0;
/// Distance of box centres when the truth does not say, in shares of the picture.
const DEFAULT_TOLERANCE_NORM: f32 = 0.1;

/// The report that opened an incident, as far as scoring needs it.
#[derive(Clone, Debug, Serialize)]
pub struct FirstReport {
    pub incident_id: String,
    pub kind: Kind,
    pub act: Option<Act>,
    /// Seconds of the clip at which the report left the core.
    pub at_s: f64,
    pub bbox: BBox,
    pub rule_dwell_s: f64,
}

impl FirstReport {
    /// `None` for later revisions, which bring nothing new to the score.
    pub(crate) fn of(report: &Report, site: &Site) -> Option<FirstReport> {
        let camera = site.camera(report.camera);
        let zone = camera.and_then(|c| c.zones.iter().find(|z| z.id == report.zone));
        let rule = zone.and_then(|z| z.rules.iter().find(|r| r.id == report.rule));
        (report.phase == Phase::Opened).then(|| FirstReport {
            incident_id: report.incident_id.clone(),
            kind: report.kind,
            act: report.act,
            at_s: report.at.mono.since_s(Mono::ZERO),
            bbox: report.bbox,
            rule_dwell_s: rule.map_or(0.0, |r| r.dwell_s),
        })
    }
}

/// One event of the truth, and the report that matched it.
#[derive(Clone, Debug, Serialize)]
pub struct Match {
    pub kind: Kind,
    pub start_s: f64,
    pub reported_at_s: Option<f64>,
    /// Report minus start of the event, seconds.
    pub delay_s: Option<f64>,
    /// Delay beyond the rule's dwell, seconds.
    pub late_s: Option<f64>,
    pub act_agrees: Option<bool>,
    pub incident_id: Option<String>,
}

/// A change of the camera's state, and the second of the clip.
pub type StateChange = (f64, CameraState);

/// A time of blindness in the truth, and when the camera reported it and its end.
#[derive(Clone, Debug, Serialize)]
pub struct StateMatch {
    pub blind: Blind,
    pub start_s: f64,
    pub reported_at_s: Option<f64>,
    pub end_s: Option<f64>,
    pub recovered_at_s: Option<f64>,
}

impl StateMatch {
    pub fn agrees(&self) -> bool {
        self.reported_at_s.is_some() && self.end_s.is_some() == self.recovered_at_s.is_some()
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Score {
    pub matches: Vec<Match>,
    pub false_reports: Vec<FirstReport>,
    pub states: Vec<StateMatch>,
    /// Reported as covered, moved, frozen or black while it was none of them.
    pub false_states: Vec<StateChange>,
}

impl Score {
    pub fn hits(&self) -> usize {
        self.matches.iter().filter(|m| m.incident_id.is_some()).count()
    }

    pub fn perfect(&self) -> bool {
        let states = self.false_states.is_empty() && self.states.iter().all(StateMatch::agrees);
        states && self.false_reports.is_empty() && self.hits() == self.matches.len()
    }

    /// Share of reports that were right; 1 when there were none.
    pub fn precision(&self) -> f64 {
        ratio(self.hits(), self.hits() + self.false_reports.len())
    }

    /// Share of events that were reported; 1 when there were none.
    pub fn recall(&self) -> f64 {
        ratio(self.hits(), self.matches.len())
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// Matches reports to events, earliest report first; each at most once.
pub fn score(truth: &Truth, reports: &[FirstReport], states: &[StateChange]) -> Score {
    let mut reports: Vec<&FirstReport> = reports.iter().collect();
    reports.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    let mut used = vec![false; reports.len()];
    let mut result = Score::default();
    for event in &truth.events {
        let hit =
            reports.iter().enumerate().find(|(i, report)| !used[*i] && agrees(event, report)).map(|(i, _)| i);
        if let Some(i) = hit {
            used[i] = true;
        }
        result.matches.push(matched(event, hit.map(|i| reports[i])));
    }
    result.false_reports =
        reports.iter().zip(&used).filter(|(_, used)| !**used).map(|(s, _)| (*s).clone()).collect();
    result.states = truth.cameras.iter().map(|period| matched_period(period, states)).collect();
    result.false_states = states.iter().filter(|s| is_fault(s) && !excused(truth, s)).copied().collect();
    result
}

/// Learning and a change of light pass by themselves; these four mean that something is wrong with the camera.
fn is_fault((_, state): &StateChange) -> bool {
    let faults = [Blind::Covered, Blind::Moved, Blind::Frozen, Blind::Black];
    matches!(state, CameraState::Blind(why) if faults.contains(why))
}

fn excused(truth: &Truth, (at_s, _): &StateChange) -> bool {
    let within =
        |t: &BlindPeriod| *at_s >= t.start_s && t.end_s.is_none_or(|end| *at_s <= end + tolerance_s(t));
    truth.cameras.iter().any(within)
}

fn agrees(event: &TrueEvent, report: &FirstReport) -> bool {
    let due_s = event.start_s + report.rule_dwell_s;
    let late_s = event.tolerance_s.unwrap_or(DEFAULT_TOLERANCE_S);
    let (tx, ty) = event.bbox().centre();
    let (sx, sy) = report.bbox.centre();
    let distance = (tx - sx).hypot(ty - sy);
    report.kind == event.kind
        && report.at_s >= due_s - EARLY_S.min(late_s)
        && report.at_s <= due_s + late_s
        && distance <= event.tolerance_norm.unwrap_or(DEFAULT_TOLERANCE_NORM)
}

fn matched(event: &TrueEvent, report: Option<&FirstReport>) -> Match {
    Match {
        kind: event.kind,
        start_s: event.start_s,
        reported_at_s: report.map(|s| s.at_s),
        delay_s: report.map(|s| s.at_s - event.start_s),
        late_s: report.map(|s| s.at_s - event.start_s - s.rule_dwell_s),
        act_agrees: report.and_then(|s| event.act.map(|act| s.act == Some(act))),
        incident_id: report.map(|s| s.incident_id.clone()),
    }
}

fn tolerance_s(period: &BlindPeriod) -> f64 {
    period.tolerance_s.unwrap_or(DEFAULT_STATE_TOLERANCE_S)
}

fn matched_period(period: &BlindPeriod, states: &[StateChange]) -> StateMatch {
    let first = |state: CameraState, from: f64| {
        let until = from + tolerance_s(period);
        states.iter().find(|s| s.1 == state && s.0 >= from && s.0 <= until).map(|s| s.0)
    };
    StateMatch {
        blind: period.blind,
        start_s: period.start_s,
        reported_at_s: first(CameraState::Blind(period.blind), period.start_s),
        end_s: period.end_s,
        recovered_at_s: period.end_s.and_then(|end| first(CameraState::Watching, end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(events: &str) -> Truth {
        toml::from_str(&format!("clip = \"a.mp4\"\nfootage = \"synthetic\"\nscene = \"s\"\n{events}"))
            .unwrap()
    }

    fn reported(at_s: f64, x: f32) -> FirstReport {
        FirstReport {
            incident_id: format!("i{at_s}"),
            kind: Kind::WasteExposed,
            act: Some(Act::InProgress),
            at_s,
            bbox: BBox { x, y: 0.5, w: 0.1, h: 0.1 },
            rule_dwell_s: 10.0,
        }
    }

    const BAG: &str = "[[event]]\nkind = \"waste.exposed\"\nact = \"in_progress\"\nstart_s = 12.0\nbbox_norm = [0.3, 0.5, 0.1, 0.1]\n";

    #[test]
    fn one_report_matches_one_event_and_repeats_are_false() {
        let score = score(&truth(BAG), &[reported(23.0, 0.3), reported(24.0, 0.3)], &[]);
        assert_eq!((score.hits(), score.false_reports.len()), (1, 1));
        assert_eq!(score.matches[0].delay_s, Some(11.0));
        assert_eq!(score.matches[0].late_s, Some(1.0));
        assert_eq!(score.matches[0].act_agrees, Some(true));
        assert_eq!((score.precision(), score.recall()), (0.5, 1.0));
        assert!(!score.perfect());
    }

    #[test]
    fn too_late_too_early_or_elsewhere_is_a_miss_and_a_false_report() {
        // Due at 22 s: 2 s of grace before, 5 s after.
        for wrong in [reported(11.0, 0.3), reported(19.9, 0.3), reported(27.1, 0.3), reported(23.0, 0.5)] {
            let score = score(&truth(BAG), &[wrong], &[]);
            assert_eq!((score.hits(), score.false_reports.len()), (0, 1));
        }
        for right in [reported(20.1, 0.3), reported(26.9, 0.3)] {
            assert!(score(&truth(BAG), &[right], &[]).perfect());
        }
    }

    #[test]
    fn silence_over_an_empty_truth_is_perfect() {
        assert!(score(&truth(""), &[], &[]).perfect());
    }

    #[test]
    fn a_camera_says_in_time_that_it_is_covered_and_that_it_sees_again() {
        const CLOTH: &str = "[[camera]]\nblind = \"covered\"\nstart_s = 14.0\nend_s = 33.0\n";
        let (covered, watching) = (CameraState::Blind(Blind::Covered), CameraState::Watching);
        let perfect = |states: &[StateChange]| score(&truth(CLOTH), &[], states).perfect();
        assert!(perfect(&[(3.0, watching), (18.0, covered), (36.0, watching)]));
        assert!(!perfect(&[(3.0, watching)]), "never said");
        assert!(!perfect(&[(25.0, covered), (36.0, watching)]), "too late");
        assert!(!perfect(&[(18.0, covered)]), "never back");
        assert!(!perfect(&[(5.0, covered), (18.0, covered), (36.0, watching)]), "once too often");
        let dim = CameraState::Blind(Blind::LightChanged);
        assert!(score(&truth(""), &[], &[(5.0, dim), (9.0, watching)]).perfect(), "light changes by itself");
    }
}
