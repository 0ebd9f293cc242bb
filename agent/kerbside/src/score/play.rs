//! One clip played, and the reports of cores with other sensitivities on the same inputs.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use super::case::{Case, SENSITIVITIES};
use crate::replay::options::Options;
use crate::replay::scoring::{FirstReport, Score, StateChange, score};
use crate::replay::truth::{BlindPeriod, Footage, TrueEvent};
use crate::replay::{rerun, run, start_wall_ms};
use kerbside_domain::kind::Kind;
use kerbside_infer::REPLAY_RUN_LIMIT;
use kerbside_media::CaptureProgram;

/// What a clip shows in truth, and what was reported.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) name: String,
    pub(super) footage: Footage,
    pub(super) split: String,
    pub(super) condition: String,
    /// Kinds of the site's rules.
    pub(super) kinds: Vec<Kind>,
    pub(super) events: Vec<TrueEvent>,
    pub(super) blind: Vec<BlindPeriod>,
    pub(super) clip_s: f64,
    pub(super) frames: u64,
    pub(super) inferred: u64,
    pub(super) model: String,
    pub(super) score: Score,
    pub(super) reports: Vec<FirstReport>,
    pub(super) states: Vec<StateChange>,
    pub(super) by_sensitivity: BTreeMap<u8, Score>,
}

/// Replays the clip with the sensitivities of its site; what it writes goes to `runs`.
pub(super) fn play(case: &Case, runs: &Path, exe: &CaptureProgram) -> anyhow::Result<Played> {
    play_clip(case, &case.clip, runs, exe)
}

/// The same with another film of the same scene at `clip`.
pub(super) fn play_clip(
    case: &Case,
    clip: &Path,
    runs: &Path,
    exe: &CaptureProgram,
) -> anyhow::Result<Played> {
    let (cascade, manifests) = kerbside_infer::load_cascade(&case.site.models, REPLAY_RUN_LIMIT)?;
    let models = manifests.names();
    let model = [&models.street, &models.close_up, &models.witness].into_iter().flatten();
    let model = model.map(|m| format!("{} {}", m.name, m.version)).collect::<Vec<_>>().join(", ");
    let truth = &case.truth;
    let start_wall_ms = start_wall_ms(Some(truth), case.site.device.utc_offset_s);
    let options = Options {
        truth: Some(truth.clone()),
        start_wall_ms,
        ..rerun::recorded(&case.site, clip, runs, exe, models)
    };
    let outcome = run(options, cascade, &mut |_| {})?;
    let by_sensitivity = SENSITIVITIES.into_iter().map(|sensitivity| {
        let site = rerun::with_rules(&case.site, |rule| rule.sensitivity = sensitivity);
        let reports = rerun::reports_of(&site, &outcome.inputs);
        let first: Vec<_> = reports.iter().filter_map(|report| FirstReport::of(report, &site)).collect();
        (sensitivity, score(truth, &first, &[]))
    });
    let camera = case.site.cameras.first().context("the site has no camera")?;
    let mut kinds: Vec<Kind> =
        camera.zones.iter().flat_map(|z| &z.rules).flat_map(|r| &r.kinds).copied().collect();
    kinds.sort_unstable();
    kinds.dedup();
    Ok(Played {
        name: case.name.clone(),
        footage: truth.footage,
        split: truth.split.clone().unwrap_or_else(|| "none".to_owned()),
        condition: truth.condition.clone().unwrap_or_else(|| "day".to_owned()),
        kinds,
        events: truth.events.clone(),
        blind: truth.cameras.clone(),
        clip_s: outcome.clip_s,
        frames: outcome.frames,
        inferred: outcome.inferred,
        model,
        by_sensitivity: by_sensitivity.collect(),
        score: outcome.score.unwrap_or_default(),
        reports: outcome.reports,
        states: outcome.states,
    })
}
