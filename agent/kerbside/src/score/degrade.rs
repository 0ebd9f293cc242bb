//! `score --degrade`: the same clips as a bad camera would send them, made by the ffmpeg program, and a table of a row each.
//!
//! A film that was made is deleted once it is played: eleven clips are 30 MB, fifteen rows of them half a gigabyte.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::case::Case;
use super::filters::{self, Degradation};
use super::play::{Played, play_clip};
use crate::cli::{ScoreArgs, exit};
use crate::say;
use kerbside_domain::camera_state::CameraState;
use kerbside_media::CaptureProgram;

/// Frames from one key frame to the next in what is made.
const GROUP: &str = "50";

/// One degradation over all clips.
#[derive(Debug, Serialize)]
struct Row {
    degraded_by: String,
    events: usize,
    found: usize,
    false_reports: usize,
    /// Share of the time that the cameras said they could not see, learning left out, 0..1.
    blind: f64,
    /// What was missed or reported falsely, and where.
    faults: Vec<String>,
}

/// Plays, prints and writes `degraded.md` and `degraded.json`; returns the exit code.
pub(super) fn command(args: &ScoreArgs, cases: &[Case], exe: &CaptureProgram) -> anyhow::Result<u8> {
    let degradations = match filters::read(&args.degrade) {
        Ok(degradations) => degradations,
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(exit::CONFIG);
        }
    };
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let films = tempfile::tempdir()?;
    let mut rows = Vec::new();
    for degradation in &degradations {
        let mut played = Vec::new();
        for case in cases {
            eprintln!("{}  {}", degradation.says(), case.name);
            let one = play_degraded(case, degradation, args, films.path(), exe);
            played.push(one.with_context(|| format!("{} degraded by {}", case.name, degradation.says()))?);
        }
        let row = Row::of(degradation, &played);
        row.faults.iter().for_each(|fault| eprintln!("  {fault}"));
        rows.push(row);
    }
    let text = table(&rows, cases.len());
    std::fs::write(args.out.join("degraded.md"), &text)?;
    std::fs::write(args.out.join("degraded.json"), format!("{:#}\n", serde_json::to_value(&rows)?))?;
    say!("{text}\nwritten to {}", args.out.display());
    Ok(exit::OK)
}

fn play_degraded(
    case: &Case,
    degradation: &Degradation,
    args: &ScoreArgs,
    films: &Path,
    exe: &CaptureProgram,
) -> anyhow::Result<Played> {
    let runs = args.out.join("runs").join(degradation.slug()).join(&case.name);
    if degradation.is_none() {
        return play_clip(case, &case.clip, &runs, exe);
    }
    let film = films.join(format!("{}-{}.mp4", case.name, degradation.slug()));
    degrade(&case.clip, degradation, args.seed, &film)?;
    let played = play_clip(case, &film, &runs, exe)?;
    std::fs::remove_file(&film).with_context(|| format!("deleting {}", film.display()))?;
    Ok(played)
}

fn degrade(clip: &Path, degradation: &Degradation, seed: u32, to: &Path) -> anyhow::Result<()> {
    let crf = degradation.crf().to_string();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y", "-i"]).arg(clip);
    ffmpeg.args([
        "-filter_complex",
        &degradation.graph(seed),
        "-an",
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
    ]);
    // One thread: the same bytes on every machine.
    ffmpeg.args(["-threads", "1", "-crf", &crf, "-g", GROUP, "-pix_fmt", "yuv420p"]).arg(to);
    let made = ffmpeg.stdin(Stdio::null()).output().context(
        "starting ffmpeg, which makes the degraded clips: install it (Debian: apt install ffmpeg)",
    )?;
    if !made.status.success() {
        bail!("ffmpeg: {}", String::from_utf8_lossy(&made.stderr).trim());
    }
    Ok(())
}

impl Row {
    fn of(degradation: &Degradation, played: &[Played]) -> Row {
        let mut row = Row {
            degraded_by: degradation.says(),
            events: 0,
            found: 0,
            false_reports: 0,
            blind: 0.0,
            faults: Vec::new(),
        };
        let (mut blind_s, mut all_s) = (0.0, 0.0);
        for one in played {
            row.events += one.score.matches.len();
            row.found += one.score.hits();
            row.false_reports += one.score.false_reports.len();
            for missed in one.score.matches.iter().filter(|m| m.incident_id.is_none()) {
                row.faults.push(format!("{}: {} missed", one.name, missed.kind.as_str()));
            }
            for report in &one.score.false_reports {
                let (kind, at_s) = (report.kind.as_str(), report.at_s);
                row.faults.push(format!("{}: {kind} at {at_s:.1} s is false", one.name));
            }
            blind_s += blind_time(one);
            all_s += one.clip_s;
        }
        row.blind = if all_s > 0.0 { blind_s / all_s } else { 0.0 };
        row
    }
}

/// How long the camera said that it could not see, learning left out, s.
fn blind_time(one: &Played) -> f64 {
    use kerbside_domain::camera_state::Blind;
    let ends = one.states.iter().skip(1).map(|s| s.0).chain([one.clip_s]);
    let spans = one.states.iter().zip(ends);
    let blind =
        spans.filter(|((_, state), _)| matches!(state, CameraState::Blind(why) if *why != Blind::Learning));
    blind.map(|((from, _), to)| (to - from).max(0.0)).sum()
}

fn table(rows: &[Row], clips: usize) -> String {
    let mut out = format!(
        "Clips: {clips}.\n\n| degraded by | events found | false | blind, % of the time |\n|---|--:|--:|--:|\n"
    );
    for row in rows {
        let Row { degraded_by, events, found, false_reports, blind, .. } = row;
        let blind = 100.0 * blind;
        let _ = writeln!(out, "| {degraded_by} | {found} of {events} | {false_reports} | {blind:.0} |");
    }
    out
}
