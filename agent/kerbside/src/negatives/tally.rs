//! Counting: false reports by dwell and cause, an hour, with the bound that so few hours allow. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cause::Cause;
use super::play::{Played, Run};

/// All videos.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    pub(super) version: &'static str,
    /// By dwell; the first is that of the rules, or the first that was asked for.
    pub(super) totals: Vec<Total>,
    pub(super) videos: Vec<Played>,
}

/// All videos at one dwell.
#[derive(Debug, Serialize)]
pub(super) struct Total {
    pub(super) dwell_s: Option<f64>,
    pub(super) videos: usize,
    pub(super) hours: f64,
    pub(super) false_reports: usize,
    pub(super) per_hour: f64,
    /// With 95 % confidence at most. Without any report it is three by the hours.
    pub(super) per_hour_at_most: f64,
    pub(super) causes: BTreeMap<Cause, usize>,
    pub(super) confidences: Vec<f32>,
}

impl Results {
    pub(super) fn of(videos: Vec<Played>) -> Results {
        let runs = videos.iter().map(|v| v.runs.len()).min().unwrap_or_default();
        let totals = (0..runs).map(|index| Total::of(&videos, index)).collect();
        Results { version: env!("CARGO_PKG_VERSION"), totals, videos }
    }
}

impl Total {
    fn of(videos: &[Played], index: usize) -> Total {
        let hours = videos.iter().map(|v| v.seconds).sum::<f64>() / 3600.0;
        let runs: Vec<&Run> = videos.iter().map(|v| &v.runs[index]).collect();
        let mut causes: BTreeMap<Cause, usize> = BTreeMap::new();
        let reports = || runs.iter().flat_map(|run| &run.reports);
        reports().for_each(|report| *causes.entry(report.cause).or_default() += 1);
        let false_reports = reports().count();
        let by_hour = |count: f64| if hours > 0.0 { count / hours } else { 0.0 };
        Total {
            dwell_s: runs.first().and_then(|run| run.dwell_s),
            videos: videos.len(),
            hours,
            false_reports,
            per_hour: by_hour(false_reports as f64),
            per_hour_at_most: by_hour(at_most(false_reports)),
            causes,
            confidences: reports().map(|report| report.confidence).collect(),
        }
    }
}

/// The largest mean of a Poisson count of which this count, or fewer, would still be seen once in twenty times.
fn at_most(count: usize) -> f64 {
    let share_up_to = |mean: f64| {
        let terms = (1..=count).scan((-mean).exp(), |term, k| {
            *term *= mean / k as f64;
            Some(*term)
        });
        (-mean).exp() + terms.sum::<f64>()
    };
    let (mut low, mut high) = (count as f64, 2.0 * count as f64 + 10.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        (low, high) = if share_up_to(middle) > 0.05 { (middle, high) } else { (low, middle) };
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_tables_and_without_a_report_the_rule_of_three() {
        for (count, bound) in [(0, 2.996), (1, 4.744), (3, 7.754), (10, 16.962), (100, 118.079)] {
            assert!((at_most(count) - bound).abs() < 0.002, "{count}: {}", at_most(count));
        }
    }

    #[test]
    fn hours_are_pooled_and_causes_are_counted() {
        let report = |cause| super::super::play::FalseReport {
            at_s: 1.0,
            kind: kerbside_domain::kind::Kind::WasteExposed,
            confidence: 0.4,
            bbox: kerbside_domain::frame::BBox { x: 0.1, y: 0.1, w: 0.1, h: 0.1 },
            cause,
        };
        let video = |causes: &[Cause]| Played {
            name: "a.mp4".into(),
            seconds: 1800.0,
            frames: 9000,
            inferred: 900,
            runs: vec![
                Run { dwell_s: Some(10.0), reports: causes.iter().map(|c| report(*c)).collect() },
                Run { dwell_s: Some(60.0), reports: Vec::new() },
            ],
        };
        let results = Results::of(vec![video(&[Cause::Nobody, Cause::Vehicle]), video(&[Cause::Nobody])]);
        let [short, long] = results.totals.as_slice() else { panic!("{results:?}") };
        assert_eq!((short.hours, short.false_reports, short.per_hour), (1.0, 3, 3.0));
        assert_eq!((short.causes[&Cause::Nobody], short.causes[&Cause::Vehicle]), (2, 1));
        assert!((long.per_hour_at_most - 3.0).abs() < 0.01 && long.per_hour == 0.0);
    }
}
