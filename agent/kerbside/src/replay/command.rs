//! `kerbside replay`: arguments to options, timeline to the terminal, outcome to an exit code.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::options::{Options, Outcome};
use super::run;
use super::scoring::Score;
use super::truth::Truth;
use crate::cli::{ReplayArgs, exit};
use crate::say;
use kerbside_domain::frame::CameraIx;
use kerbside_infer::REPLAY_RUN_LIMIT;
use kerbside_media::CaptureProgram;
use kerbside_site::config::Site;

/// Refusals that are printed at the end; all of them stand in a file.
const MAX_REFUSALS: usize = 20;

/// Plays the clip and prints; returns the exit code.
pub fn command(args: ReplayArgs, site: Site) -> anyhow::Result<u8> {
    let truth = match args.expect.as_deref().map(Truth::load) {
        Some(Err(error)) => {
            eprintln!("{error}");
            return Ok(exit::CONFIG);
        }
        Some(Ok(truth)) => Some(truth),
        None => None,
    };
    let start_wall_ms = start(&args, truth.as_ref(), site.device.utc_offset_s)?;
    let camera = camera(&site, args.camera.as_deref())?;
    let (cascade, manifests) = kerbside_infer::load_cascade(&site.models, REPLAY_RUN_LIMIT)?;
    let options = Options {
        site,
        camera,
        clip: args.clip,
        out: args.out.clone(),
        annotated: args.annotated,
        truth,
        start_wall_ms,
        realtime: args.realtime,
        lang: args.lang.lang(),
        exe: CaptureProgram::this()?,
        models: manifests.names(),
        record_inputs: false,
        hold_s: 0.0,
    };
    let outcome = run(options, cascade, &mut |line| say!("{line}"))?;
    print(&outcome, &args.out);
    let agrees = outcome.score.as_ref().is_none_or(Score::perfect);
    Ok(if agrees { exit::OK } else { exit::FAILED })
}

fn start(args: &ReplayArgs, truth: Option<&Truth>, utc_offset_s: i32) -> anyhow::Result<i64> {
    if let Some(text) = &args.start {
        let time = chrono::DateTime::parse_from_rfc3339(text).with_context(|| {
            format!("--start {text:?} is no RFC 3339 time such as 2026-11-21T08:00:00+08:00")
        })?;
        return Ok(time.timestamp_millis());
    }
    Ok(super::start_wall_ms(truth, utc_offset_s))
}

fn camera(site: &Site, id: Option<&str>) -> anyhow::Result<CameraIx> {
    let Some(id) = id else { return Ok(CameraIx(0)) };
    match site.cameras.iter().find(|c| c.id == id) {
        Some(camera) => Ok(camera.ix),
        None => {
            let ids: Vec<&str> = site.cameras.iter().map(|c| c.id.as_str()).collect();
            bail!("--camera {id}: the site knows {}", ids.join(", "))
        }
    }
}

fn print(outcome: &Outcome, out: &Path) {
    say!(
        "{:.1} s analysed in {} frames, {} of them by the detector; {} incident(s)",
        outcome.clip_s,
        outcome.frames,
        outcome.inferred,
        outcome.reports.len()
    );
    for shortfall in &outcome.shortfalls {
        say!("evidence incomplete: {shortfall}");
    }
    for sentence in outcome.refusals.iter().take(MAX_REFUSALS) {
        say!("{sentence}");
    }
    if let Some(more) = outcome.refusals.len().checked_sub(MAX_REFUSALS).filter(|more| *more > 0) {
        say!("... {more} more in {}", out.join("refusals.ndjson").display());
    }
    if let Some(score) = &outcome.score {
        print_score(score);
    }
    say!("written to {}", out.display());
}

fn print_score(score: &Score) {
    for m in &score.matches {
        match (m.reported_at_s, m.late_s) {
            (Some(at), Some(late)) => {
                let act = match m.act_agrees {
                    Some(true) => ", act agrees",
                    Some(false) => ", ACT DIFFERS",
                    None => "",
                };
                say!(
                    "hit    {} of {:.1} s: reported at {at:.1} s, {late:+.1} s from its dwell{act}",
                    m.kind.as_str(),
                    m.start_s
                );
            }
            _ => say!("MISSED {} of {:.1} s", m.kind.as_str(), m.start_s),
        }
    }
    for report in &score.false_reports {
        say!("FALSE  {} at {:.1} s ({:?})", report.kind.as_str(), report.at_s, report.bbox);
    }
    for s in &score.states {
        let reported =
            |at: Option<f64>| at.map_or("NEVER REPORTED".to_owned(), |at| format!("reported at {at:.1} s"));
        let back = s.end_s.map(|end| format!("; sees from {end:.1} s: {}", reported(s.recovered_at_s)));
        let back = back.unwrap_or_default();
        say!("camera {:?} from {:.1} s: {}{back}", s.blind, s.start_s, reported(s.reported_at_s));
    }
    for (at_s, state) in &score.false_states {
        say!("FALSE  camera {state:?} at {at_s:.1} s");
    }
    say!(
        "precision {:.2}, recall {:.2} ({} of {} events, {} false)",
        score.precision(),
        score.recall(),
        score.hits(),
        score.matches.len(),
        score.false_reports.len()
    );
}
