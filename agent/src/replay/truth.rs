//! The truth of a clip, and how far a replay agrees with it. Pure.
//!
//! Scored on events as in the illegal-dumping contest of WACV 2026: one report may match one event; repeats count as false.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::frame::BBox;
use crate::incident::{Act, Kind};

/// Seconds that a report may come after its due moment (start + the rule's dwell) when the truth does not say.
const DEFAULT_TOLERANCE_S: f64 = 5.0;
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
    #[serde(default, rename = "event")]
    pub events: Vec<TrueEvent>,
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

#[derive(Clone, Debug, Default, Serialize)]
pub struct Score {
    pub matches: Vec<Match>,
    pub false_reports: Vec<Said>,
}

impl Score {
    pub fn hits(&self) -> usize {
        self.matches.iter().filter(|m| m.incident_id.is_some()).count()
    }

    pub fn perfect(&self) -> bool {
        self.false_reports.is_empty() && self.hits() == self.matches.len()
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
pub fn score(truth: &Truth, said: &[Said]) -> Score {
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
    result
}

fn agrees(event: &TrueEvent, said: &Said) -> bool {
    let due = event.start_s + said.rule_dwell_s;
    let (tx, ty) = event.bbox().centre();
    let (sx, sy) = said.bbox.centre();
    let distance = (tx - sx).hypot(ty - sy);
    said.kind == event.kind
        && said.at_s >= event.start_s
        && said.at_s <= due + event.tolerance_s.unwrap_or(DEFAULT_TOLERANCE_S)
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
        let score = score(&truth(BAG), &[said(23.0, 0.3), said(24.0, 0.3)]);
        assert_eq!((score.hits(), score.false_reports.len()), (1, 1));
        assert_eq!(score.matches[0].delay_s, Some(11.0));
        assert_eq!(score.matches[0].late_s, Some(1.0));
        assert_eq!(score.matches[0].act_agrees, Some(true));
        assert_eq!((score.precision(), score.recall()), (0.5, 1.0));
        assert!(!score.perfect());
    }

    #[test]
    fn too_late_too_early_or_elsewhere_is_a_miss_and_a_false_report() {
        for wrong in [said(11.0, 0.3), said(27.5, 0.3), said(23.0, 0.5)] {
            let score = score(&truth(BAG), &[wrong]);
            assert_eq!((score.hits(), score.false_reports.len()), (0, 1));
        }
    }

    #[test]
    fn silence_over_an_empty_truth_is_perfect() {
        assert!(score(&truth(""), &[]).perfect());
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let error = toml::from_str::<Truth>("clip = \"a\"\nfotage = \"real\"\n").unwrap_err().to_string();
        assert!(error.contains("fotage"), "{error}");
    }
}
