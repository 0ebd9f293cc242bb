//! One video played, and what cores with each dwell report on the same inputs.

use std::path::Path;

use serde::Serialize;

use super::cause::Cause;
use crate::cli::NegativesArgs;
use crate::replay::options::Options;
use crate::replay::{rerun, run};
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;
use kerbside_domain::report::{Phase, Report};
use kerbside_domain::time::Mono;
use kerbside_infer::REPLAY_RUN_LIMIT;
use kerbside_media::CaptureProgram;
use kerbside_seeing::incident::Input;
use kerbside_site::config::Site;

/// What one video gave.
#[derive(Debug, Serialize)]
pub(super) struct Played {
    pub(super) name: String,
    pub(super) seconds: f64,
    pub(super) frames: u64,
    pub(super) inferred: u64,
    pub(super) runs: Vec<Run>,
}

/// The same video at one dwell.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    /// `None`: as the rules say.
    pub(super) dwell_s: Option<f64>,
    pub(super) reports: Vec<FalseReport>,
}

/// Every report of such a video is false.
#[derive(Debug, Serialize)]
pub(super) struct FalseReport {
    pub(super) at_s: f64,
    pub(super) kind: Kind,
    pub(super) confidence: f32,
    pub(super) bbox: BBox,
    pub(super) cause: Cause,
}

pub(super) fn play(
    video: &Path,
    site: &Site,
    args: &NegativesArgs,
    exe: &CaptureProgram,
) -> anyhow::Result<Played> {
    let name = video.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (cascade, manifests) = kerbside_infer::load_cascade(&site.models, REPLAY_RUN_LIMIT)?;
    let out = args.out.join("runs").join(&name);
    let options = Options { hold_s: args.hold, ..rerun::recorded(site, video, &out, exe, manifests.names()) };
    let outcome = run(options, cascade, &mut |_| {})?;
    let dwells =
        if args.dwell.is_empty() { vec![None] } else { args.dwell.iter().map(|d| Some(*d)).collect() };
    let runs = dwells
        .into_iter()
        .map(|dwell_s| Run { dwell_s, reports: false_reports(site, dwell_s, &outcome.inputs) });
    Ok(Played {
        name,
        seconds: outcome.clip_s,
        frames: outcome.frames,
        inferred: outcome.inferred,
        runs: runs.collect(),
    })
}

/// What a core with this dwell in each rule of the first camera opens on the same inputs.
fn false_reports(site: &Site, dwell_s: Option<f64>, inputs: &[Input]) -> Vec<FalseReport> {
    let mut site = rerun::with_rules(site, |rule| rule.dwell_s = dwell_s.unwrap_or(rule.dwell_s));
    site.cameras.truncate(1);
    let reports = rerun::reports_of(&site, inputs);
    reports.iter().filter(|report| report.phase == Phase::Opened).map(false_report).collect()
}

fn false_report(report: &Report) -> FalseReport {
    let Report { kind, confidence, bbox, .. } = *report;
    FalseReport { at_s: report.at.mono.since_s(Mono::ZERO), kind, confidence, bbox, cause: Cause::of(report) }
}
