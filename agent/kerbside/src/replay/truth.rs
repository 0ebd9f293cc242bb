//! The truth of a clip, and how far a replay agrees with it. Pure.
//!
//! Scored on events as in the illegal-dumping contest of WACV 2026: one report may match one event; repeats count as false.
//! What a camera says of itself (covered, moved, frozen, black) is held against the truth too.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use kerbside_domain::camera_state::{Blind, CameraState};
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::{Act, Kind};
use kerbside_domain::report::{Phase, Report};
use kerbside_domain::time::Mono;
use kerbside_site::config::Site;

/// Seconds that a report may come after its due moment (start + the rule's dwell) when the truth does not say.
const DEFAULT_TOLERANCE_S: f64 = 5.0;
/// Seconds that it may come before: the truth's own rounding and what is seen of a thing before it lies quite still. A
/// report that comes earlier has not waited for its dwell, whatever it found.
const EARLY_S: f64 = 2.0;
/// Seconds within which a camera says what has befallen it, and that it sees again.
const DEFAULT_STATE_TOLERANCE_S: f64 = 10.0;
/// Distance of box centres, in shares of the picture, when the truth does not say.
const DEFAULT_TOLERANCE_NORM: f32 = 0.1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Footage {
    Synthetic,
    Composite,
    Real,
}

/// `NAME.truth.toml` beside a clip.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    pub clip: PathBuf,
    /// Configuration of the clip's scene, relative to the truth.
    #[serde(default)]
    pub site: Option<PathBuf>,
    pub footage: Footage,
    pub scene: String,
    #[serde(default)]
    pub split: Option<String>,
    /// RFC 3339: what the wall clock showed at the first frame.
    #[serde(default)]
    pub start_wall: Option<String>,
    #[serde(default)]
    pub note: Option<String>,
    /// Weather and light in a word, e.g. `day`, `night`, `rain`; for the account of false reports.
    #[serde(default)]
    pub condition: Option<String>,
    #[serde(default, rename = "event")]
    pub events: Vec<TrueEvent>,
    /// When the camera cannot see, and why.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<TrueState>,
}

/// A time during which the camera is blind in truth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrueState {
    pub blind: Blind,
    pub start_s: f64,
    /// Absent: to the end of the clip.
    #[serde(default)]
    pub end_s: Option<f64>,
    #[serde(default)]
    pub tolerance_s: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrueEvent {
    pub kind: Kind,
    #[serde(default)]
    pub act: Option<Act>,
    /// The thing is at rest and alone (a stall: set up), seconds from the clip's start.
    pub start_s: f64,
    #[serde(default)]
    pub end_s: Option<f64>,
    /// x, y, w, h in shares of the picture.
    pub bbox_norm: [f32; 4],
    #[serde(default)]
    pub tolerance_s: Option<f64>,
    #[serde(default)]
    pub tolerance_norm: Option<f32>,
}

#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    #[error("{path}: cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {why}")]
    Parse { path: PathBuf, why: String },
}

impl Truth {
    pub fn load(path: &Path) -> Result<Truth, TruthError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|e| TruthError::Parse {
            path: path.to_owned(),
            why: e.to_string().trim_end().to_owned(),
        })
    }

    /// Wall clock at the first frame, ms since the Unix epoch; `None` when absent.
    pub fn start_wall_ms(&self) -> Option<i64> {
        let text = self.start_wall.as_deref()?;
        chrono::DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_millis())
    }
}

/// What a replay said, as far as scoring cares.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    pub incident_id: String,
    pub kind: Kind,
    pub act: Option<Act>,
    /// Seconds of the clip at which the report left the core.
    pub at_s: f64,
    pub bbox: BBox,
    pub rule_dwell_s: f64,
}

impl Said {
    /// What a first report says; later revisions say nothing new to a scorer.
    pub fn of(report: &Report, site: &Site) -> Option<Said> {
        let camera = site.camera(report.camera);
        let zone = camera.and_then(|c| c.zones.iter().find(|z| z.id == report.zone));
        let rule = zone.and_then(|z| z.rules.iter().find(|r| r.id == report.rule));
        (report.phase == Phase::Opened).then(|| Said {
            incident_id: report.incident_id.clone(),
            kind: report.kind,
            act: report.act,
            at_s: report.at.mono.since_s(Mono::ZERO),
            bbox: report.bbox,
            rule_dwell_s: rule.map_or(0.0, |r| r.dwell_s),
        })
    }
}

/// One event of the truth and what became of it.
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

/// What a camera said of itself, at which second of the clip.
pub type SaidState = (f64, CameraState);

/// One time of blindness in truth, and when the camera said so and said that it sees again.
#[derive(Clone, Debug, Serialize)]
pub struct StateMatch {
    pub blind: Blind,
    pub start_s: f64,
    pub said_at_s: Option<f64>,
    pub end_s: Option<f64>,
    pub seeing_at_s: Option<f64>,
}

impl StateMatch {
    pub fn agrees(&self) -> bool {
        self.said_at_s.is_some() && self.end_s.is_some() == self.seeing_at_s.is_some()
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Score {
    pub matches: Vec<Match>,
    pub false_reports: Vec<Said>,
    pub states: Vec<StateMatch>,
    /// Covered, moved, frozen or black while it was none of them.
    pub false_states: Vec<SaidState>,
}

impl Score {
    pub fn hits(&self) -> usize {
        self.matches.iter().filter(|m| m.incident_id.is_some()).count()
    }

    pub fn perfect(&self) -> bool {
        let states = self.false_states.is_empty() && self.states.iter().all(StateMatch::agrees);
        states && self.false_reports.is_empty() && self.hits() == self.matches.len()
    }

    /// Share of reports that were right; 1 when nothing was said.
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
pub fn score(truth: &Truth, said: &[Said], states: &[SaidState]) -> Score {
    let mut said: Vec<&Said> = said.iter().collect();
    said.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    let mut taken = vec![false; said.len()];
    let mut result = Score::default();
    for event in &truth.events {
        let hit = said.iter().enumerate().find(|(i, s)| !taken[*i] && agrees(event, s)).map(|(i, _)| i);
        if let Some(i) = hit {
            taken[i] = true;
        }
        result.matches.push(matched(event, hit.map(|i| said[i])));
    }
    result.false_reports =
        said.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(s, _)| (*s).clone()).collect();
    result.states = truth.cameras.iter().map(|t| t.matched(states)).collect();
    result.false_states = states.iter().filter(|s| is_fault(s) && !excused(truth, s)).copied().collect();
    result
}

/// Learning and a change of light come and go by themselves; these four say that something is wrong with the camera.
fn is_fault((_, state): &SaidState) -> bool {
    let faults = [Blind::Covered, Blind::Moved, Blind::Frozen, Blind::Black];
    matches!(state, CameraState::Blind(why) if faults.contains(why))
}

fn excused(truth: &Truth, (at_s, _): &SaidState) -> bool {
    let within =
        |t: &TrueState| *at_s >= t.start_s && t.end_s.is_none_or(|end| *at_s <= end + t.tolerance_s());
    truth.cameras.iter().any(within)
}

impl TrueState {
    fn tolerance_s(&self) -> f64 {
        self.tolerance_s.unwrap_or(DEFAULT_STATE_TOLERANCE_S)
    }

    fn matched(&self, states: &[SaidState]) -> StateMatch {
        let first = |state: CameraState, from: f64| {
            let until = from + self.tolerance_s();
            states.iter().find(|s| s.1 == state && s.0 >= from && s.0 <= until).map(|s| s.0)
        };
        StateMatch {
            blind: self.blind,
            start_s: self.start_s,
            said_at_s: first(CameraState::Blind(self.blind), self.start_s),
            end_s: self.end_s,
            seeing_at_s: self.end_s.and_then(|end| first(CameraState::Watching, end)),
        }
    }
}

fn agrees(event: &TrueEvent, said: &Said) -> bool {
    let due_s = event.start_s + said.rule_dwell_s;
    let late_s = event.tolerance_s.unwrap_or(DEFAULT_TOLERANCE_S);
    let (tx, ty) = event.bbox().centre();
    let (sx, sy) = said.bbox.centre();
    let distance = (tx - sx).hypot(ty - sy);
    said.kind == event.kind
        && said.at_s >= due_s - EARLY_S.min(late_s)
        && said.at_s <= due_s + late_s
        && distance <= event.tolerance_norm.unwrap_or(DEFAULT_TOLERANCE_NORM)
}

fn matched(event: &TrueEvent, said: Option<&Said>) -> Match {
    Match {
        kind: event.kind,
        start_s: event.start_s,
        reported_at_s: said.map(|s| s.at_s),
        delay_s: said.map(|s| s.at_s - event.start_s),
        late_s: said.map(|s| s.at_s - event.start_s - s.rule_dwell_s),
        act_agrees: said.and_then(|s| event.act.map(|act| s.act == Some(act))),
        incident_id: said.map(|s| s.incident_id.clone()),
    }
}

impl TrueEvent {
    pub fn bbox(&self) -> BBox {
        let [x, y, w, h] = self.bbox_norm;
        BBox { x, y, w, h }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(events: &str) -> Truth {
        toml::from_str(&format!("clip = \"a.mp4\"\nfootage = \"synthetic\"\nscene = \"s\"\n{events}"))
            .unwrap()
    }

    fn said(at_s: f64, x: f32) -> Said {
        Said {
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
        let score = score(&truth(BAG), &[said(23.0, 0.3), said(24.0, 0.3)], &[]);
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
        for wrong in [said(11.0, 0.3), said(19.9, 0.3), said(27.1, 0.3), said(23.0, 0.5)] {
            let score = score(&truth(BAG), &[wrong], &[]);
            assert_eq!((score.hits(), score.false_reports.len()), (0, 1));
        }
        for right in [said(20.1, 0.3), said(26.9, 0.3)] {
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
        let perfect = |states: &[SaidState]| score(&truth(CLOTH), &[], states).perfect();
        assert!(perfect(&[(3.0, watching), (18.0, covered), (36.0, watching)]));
        assert!(!perfect(&[(3.0, watching)]), "never said");
        assert!(!perfect(&[(25.0, covered), (36.0, watching)]), "too late");
        assert!(!perfect(&[(18.0, covered)]), "never back");
        assert!(!perfect(&[(5.0, covered), (18.0, covered), (36.0, watching)]), "once too often");
        let dim = CameraState::Blind(Blind::LightChanged);
        assert!(score(&truth(""), &[], &[(5.0, dim), (9.0, watching)]).perfect(), "light changes by itself");
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let error = toml::from_str::<Truth>("clip = \"a\"\nfotage = \"real\"\n").unwrap_err().to_string();
        assert!(error.contains("fotage"), "{error}");
    }
}
