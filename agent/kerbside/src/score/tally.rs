//! Counting: events, hits, false reports and delays, per kind, footage, split and condition. Pure.
//!
//! A share of nothing is no figure: precision without reports and recall without events are absent, not 1.

use std::collections::BTreeMap;

use serde::Serialize;

use super::play::Played;
use crate::replay::scoring::Score;
use crate::replay::truth::Footage;
use kerbside_domain::kind::Kind;

/// Splits together, in `Figures` of a kind.
pub(super) const ALL_SPLITS: &str = "all";

#[derive(Debug, Serialize)]
pub(super) struct Results {
    pub(super) version: &'static str,
    pub(super) models: Vec<String>,
    /// Kind, then footage, then split (`all`, `tune`, `report`).
    pub(super) kinds: BTreeMap<&'static str, BTreeMap<Footage, BTreeMap<String, Figures>>>,
    /// False reports of every kind together, by footage and condition.
    pub(super) conditions: BTreeMap<Footage, BTreeMap<String, Quiet>>,
    pub(super) cameras: Cameras,
    /// All clips pooled, each rule at this sensitivity.
    pub(super) sensitivities: BTreeMap<u8, Figures>,
    pub(super) clips: Vec<Clip>,
}

/// The figures of clips of one sort. Times are in seconds; `hours` is the footage that was analysed.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) clips: usize,
    pub(super) hours: f64,
    pub(super) events: usize,
    pub(super) hits: usize,
    pub(super) false_reports: usize,
    pub(super) precision: Option<f64>,
    pub(super) recall: Option<f64>,
    pub(super) f1: Option<f64>,
    /// Mean of report minus true start; it contains the rule's dwell.
    pub(super) delay_s: Option<f64>,
    /// The same beyond the rule's dwell: mean and largest.
    pub(super) beyond_dwell_s: Option<f64>,
    pub(super) beyond_dwell_max_s: Option<f64>,
    pub(super) false_per_camera_day: Option<f64>,
    #[serde(skip)]
    delays: Vec<(f64, f64)>,
}

/// False reports by time. `at_most` is the upper 95 % bound for so few hours.
#[derive(Debug, Default, Serialize)]
pub(super) struct Quiet {
    pub(super) clips: usize,
    pub(super) hours: f64,
    pub(super) false_reports: usize,
    pub(super) false_per_camera_day: Option<f64>,
    pub(super) false_per_camera_day_at_most: Option<f64>,
}

/// Faults that cameras reported of themselves: covered, moved, frozen, black.
#[derive(Debug, Default, Serialize)]
pub(super) struct Cameras {
    pub(super) faults: usize,
    pub(super) reported: usize,
    pub(super) false_faults: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Clip {
    pub(super) name: String,
    pub(super) footage: Footage,
    pub(super) split: String,
    pub(super) condition: String,
    pub(super) seconds: f64,
    pub(super) frames: u64,
    pub(super) inferred: u64,
    pub(super) score: Score,
}

impl Results {
    pub(super) fn of(played: &[Played]) -> Results {
        let mut models: Vec<String> = played.iter().map(|p| p.model.clone()).collect();
        models.sort_unstable();
        models.dedup();
        let mut results = Results {
            version: env!("CARGO_PKG_VERSION"),
            models,
            kinds: BTreeMap::new(),
            conditions: BTreeMap::new(),
            cameras: Cameras::default(),
            sensitivities: BTreeMap::new(),
            clips: played.iter().map(clip).collect(),
        };
        for one in played {
            results.count(one);
        }
        let by_split = results.kinds.values_mut().flat_map(|k| k.values_mut()).flat_map(|f| f.values_mut());
        by_split.chain(results.sensitivities.values_mut()).for_each(Figures::finish);
        results.conditions.values_mut().flat_map(|c| c.values_mut()).for_each(Quiet::finish);
        results
    }

    fn count(&mut self, one: &Played) {
        let reported = one.score.false_reports.iter().map(|s| s.kind);
        let named = one.events.iter().map(|e| e.kind).chain(reported);
        let mut kinds: Vec<Kind> = one.kinds.iter().copied().chain(named).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            let by_split = self.kinds.entry(kind.as_str()).or_default().entry(one.footage).or_default();
            for split in [ALL_SPLITS, &one.split] {
                by_split.entry(split.to_owned()).or_default().add(&one.score, one.clip_s, |k| k == kind);
            }
        }
        for (sensitivity, score) in &one.by_sensitivity {
            self.sensitivities.entry(*sensitivity).or_default().add(score, one.clip_s, |_| true);
        }
        let by_condition = self.conditions.entry(one.footage).or_default();
        let quiet = by_condition.entry(one.condition.clone()).or_default();
        quiet.clips += 1;
        quiet.hours += one.clip_s / 3600.0;
        quiet.false_reports += one.score.false_reports.len();
        self.cameras.faults += one.score.states.len();
        self.cameras.reported += one.score.states.iter().filter(|s| s.agrees()).count();
        self.cameras.false_faults += one.score.false_states.len();
    }
}

impl Figures {
    fn add(&mut self, score: &Score, clip_s: f64, counts: impl Fn(Kind) -> bool) {
        self.clips += 1;
        self.hours += clip_s / 3600.0;
        self.false_reports += score.false_reports.iter().filter(|s| counts(s.kind)).count();
        for m in score.matches.iter().filter(|m| counts(m.kind)) {
            self.events += 1;
            self.hits += usize::from(m.incident_id.is_some());
            self.delays.extend(m.delay_s.zip(m.late_s));
        }
    }

    fn finish(&mut self) {
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        self.precision = share(self.hits, self.hits + self.false_reports);
        self.recall = share(self.hits, self.events);
        self.f1 = share(2 * self.hits, self.hits + self.false_reports + self.events);
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| {
            let sum: f64 = self.delays.iter().map(of).sum();
            (!self.delays.is_empty()).then(|| tenths(sum / self.delays.len() as f64))
        };
        self.delay_s = mean(&|d| d.0);
        self.beyond_dwell_s = mean(&|d| d.1);
        self.beyond_dwell_max_s = self.delays.iter().map(|d| d.1).reduce(f64::max).map(tenths);
        self.false_per_camera_day = per_day(self.false_reports as f64, self.hours);
    }
}

impl Quiet {
    fn finish(&mut self) {
        self.false_per_camera_day = per_day(self.false_reports as f64, self.hours);
        self.false_per_camera_day_at_most = per_day(poisson_at_most(self.false_reports), self.hours);
    }
}

fn clip(one: &Played) -> Clip {
    Clip {
        name: one.name.clone(),
        footage: one.footage,
        split: one.split.clone(),
        condition: one.condition.clone(),
        seconds: tenths(one.clip_s),
        frames: one.frames,
        inferred: one.inferred,
        score: one.score.clone(),
    }
}

fn per_day(count: f64, hours: f64) -> Option<f64> {
    (hours > 0.0).then(|| tenths(count * 24.0 / hours))
}

/// Upper 95 % bound of the mean of a Poisson count, by Wilson and Hilferty's cube root (within 1 % from 0 on: 2.97 for 3.00).
fn poisson_at_most(count: usize) -> f64 {
    let n = count as f64 + 1.0;
    n * (1.0 - 1.0 / (9.0 * n) + 1.645 / (3.0 * n.sqrt())).powi(3)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::scoring::{FirstReport, score};
    use crate::replay::truth::Truth;

    const BAG: &str =
        "[[event]]\nkind = \"waste.exposed\"\nstart_s = 12.0\nbbox_norm = [0.3, 0.5, 0.1, 0.1]\n";

    fn report(kind: Kind, at_s: f64) -> FirstReport {
        let bbox = kerbside_domain::frame::BBox { x: 0.3, y: 0.5, w: 0.1, h: 0.1 };
        FirstReport { incident_id: format!("i{at_s}"), kind, act: None, at_s, bbox, rule_dwell_s: 10.0 }
    }

    fn played(footage: &str, split: &str, events: &str, reports: &[FirstReport]) -> Played {
        let text = format!("clip = \"a.mp4\"\nfootage = \"{footage}\"\nscene = \"s\"\n{events}");
        let truth: Truth = toml::from_str(&text).unwrap();
        let score = score(&truth, reports, &[]);
        Played {
            name: "a".into(),
            footage: truth.footage,
            split: split.into(),
            condition: "rain".into(),
            kinds: vec![Kind::WasteExposed, Kind::StallOccupying],
            events: truth.events,
            blind: Vec::new(),
            clip_s: 360.0,
            frames: 1800,
            inferred: 900,
            model: "street 1".into(),
            by_sensitivity: [(5, score.clone())].into(),
            score,
            reports: reports.to_vec(),
            states: Vec::new(),
        }
    }

    #[test]
    fn kinds_footage_and_splits_are_counted_apart() {
        let waste = |at_s| report(Kind::WasteExposed, at_s);
        let results = Results::of(&[
            played("synthetic", "tune", BAG, &[waste(23.0)]),
            played("synthetic", "report", BAG, &[waste(24.0), report(Kind::StallOccupying, 50.0)]),
            played("real", "report", "", &[]),
        ]);
        let waste = &results.kinds["waste.exposed"][&Footage::Synthetic];
        assert_eq!((waste["all"].events, waste["all"].hits, waste["tune"].hits), (2, 2, 1));
        assert_eq!((waste["all"].f1, waste["all"].delay_s), (Some(1.0), Some(11.5)));
        assert_eq!((waste["all"].beyond_dwell_s, waste["all"].beyond_dwell_max_s), (Some(1.5), Some(2.0)));
        let stall = &results.kinds["stall.occupying"][&Footage::Synthetic];
        assert_eq!((stall["report"].precision, stall["report"].recall), (Some(0.0), None));
        assert_eq!(stall["report"].false_per_camera_day, Some(240.0));
        assert_eq!(stall["tune"].precision, None);
        let real = &results.kinds["waste.exposed"][&Footage::Real]["all"];
        assert_eq!((real.f1, real.false_per_camera_day), (None, Some(0.0)));
        let quiet = &results.conditions[&Footage::Real]["rain"];
        assert_eq!((quiet.clips, quiet.false_reports), (1, 0));
        assert!((quiet.false_per_camera_day_at_most.unwrap() - 719.0).abs() < 8.0, "3 of 0.1 h");
        assert_eq!(results.sensitivities[&5].false_reports, 1);
    }

    #[test]
    fn the_bound_of_a_count_is_that_of_the_tables() {
        for (count, bound) in [(0, 2.996), (1, 4.744), (3, 7.754), (10, 16.962)] {
            let ours = poisson_at_most(count);
            assert!((ours / bound - 1.0).abs() < 0.01, "{count}: {ours}");
        }
    }
}
