//! One video played, and what cores with each dwell report on the same inputs.

use std::path::Path;

use serde::Serialize;

use super::cause::Cause;
use crate::cli::NegativesArgs;
use crate::replay::options::Options;
use crate::replay::{run, start_wall_ms};
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::kind::Kind;
use kerbside_domain::lang::Lang;
use kerbside_domain::report::{Phase, Report};
use kerbside_domain::time::Mono;
use kerbside_infer::REPLAY_RUN_LIMIT;
use kerbside_media::CaptureProgram;
use kerbside_seeing::incident::{Core, Effect, Input};
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
    let options = Options {
        site: site.clone(),
        camera: CameraIx(0),
        clip: video.to_owned(),
        out: args.out.join("runs").join(&name),
        annotated: None,
        truth: None,
        start_wall_ms: start_wall_ms(None, site.device.utc_offset_s),
        realtime: false,
        lang: Lang::En,
        exe: exe.clone(),
        models: manifests.names(),
        record_inputs: true,
        hold_s: args.hold,
    };
    let outcome = run(options, cascade, &mut |_| {})?;
    let dwells =
        if args.dwell.is_empty() { vec![None] } else { args.dwell.iter().map(|d| Some(*d)).collect() };
    let runs = dwells
        .into_iter()
        .map(|dwell_s| Run { dwell_s, reports: reports_of(&with_dwell(site, dwell_s), &outcome.inputs) });
    Ok(Played {
        name,
        seconds: outcome.clip_s,
        frames: outcome.frames,
        inferred: outcome.inferred,
        runs: runs.collect(),
    })
}

fn with_dwell(site: &Site, dwell_s: Option<f64>) -> Site {
    let mut site = site.clone();
    site.cameras.truncate(1);
    for rule in site.cameras.iter_mut().flat_map(|c| &mut c.zones).flat_map(|z| &mut z.rules) {
        rule.dwell_s = dwell_s.unwrap_or(rule.dwell_s);
    }
    site
}

/// What a core with this site opens on the same inputs.
fn reports_of(site: &Site, inputs: &[Input]) -> Vec<FalseReport> {
    let (mut core, mut effects) = (Core::new(site), Vec::new());
    for input in inputs {
        core.step(input.clone(), &mut effects);
    }
    let reports = effects.into_iter().filter_map(|effect| match effect {
        Effect::Report(report) if report.phase == Phase::Opened => Some(*report),
        _ => None,
    });
    reports.map(|report| false_report(&report)).collect()
}

fn false_report(report: &Report) -> FalseReport {
    let Report { kind, confidence, bbox, .. } = *report;
    FalseReport { at_s: report.at.mono.since_s(Mono::ZERO), kind, confidence, bbox, cause: Cause::of(report) }
}
