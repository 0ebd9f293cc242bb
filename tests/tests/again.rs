//! The same thing again and again, on clips that are played one after the other: one incident and its returns. And what a replay
//! says of its own clock.

#![allow(clippy::unwrap_used)] // A test may end by a panic in its helpers too.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::clip;
use kerbside_testkit::program::replay;
use serde_json::Value;

fn ffmpeg(args: &[&str]) -> Result<()> {
    let output = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(args).output().context("ffmpeg")?;
    ensure!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A committed clip `times` over, its packets as they are.
fn times_over(name: &str, times: usize, dir: &Path) -> Result<PathBuf> {
    let (list, out) = (dir.join("list.txt"), dir.join("again.mp4"));
    std::fs::write(&list, format!("file '{}'\n", clip(name).display()).repeat(times))?;
    let (list, made) = (list.to_string_lossy(), out.to_string_lossy());
    ffmpeg(&["-f", "concat", "-safe", "0", "-i", &list, "-c", "copy", &made])?;
    Ok(out)
}

/// The messages of a replay, in order.
fn reports(file: &Path, site: &str) -> Result<Vec<Value>> {
    let out = tempfile::tempdir()?;
    let (code, text) = replay(file, &clip(site), out.path(), &[])?;
    ensure!(code == Some(0), "exit {code:?}\n{text}");
    let lines = std::fs::read_to_string(out.path().join("incidents.ndjson"))?;
    Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn because(reports: &[Value], word: &str) -> usize {
    reports.iter().filter(|r| r["data"]["reported_because"] == word).count()
}

/// One incident with this many returns, each with its own beginning.
fn returns(reports: &[Value], returns: usize) -> Result<()> {
    let story: Vec<String> = reports
        .iter()
        .map(|r| format!("{} {} {}", r["id"], r["data"]["reported_because"], r["data"]["started"]))
        .collect();
    let counts = (because(reports, "dwell"), because(reports, "reappeared"));
    ensure!(counts == (1, returns), "opened and reappeared {counts:?}:\n{}", story.join("\n"));
    let mut began: Vec<&str> = reports.iter().filter_map(|r| r["data"]["started"].as_str()).collect();
    began.dedup();
    ensure!(began.len() == returns + 1 && began.is_sorted(), "{began:?}");
    ensure!(reports.iter().all(|r| r["data"]["first_seen"] == began[0]));
    Ok(())
}

#[test]
fn a_stall_that_is_packed_up_and_set_up_again_is_one_incident() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let reports = reports(&times_over("stall-setup.mp4", 5, dir.path())?, "kerb-day.site.toml")?;
    returns(&reports, 4)
}

#[test]
fn a_bag_that_is_fetched_and_left_again_is_one_incident() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let reports = reports(&times_over("bag-removed.mp4", 5, dir.path())?, "kerb-day.site.toml")?;
    returns(&reports, 4)
}

/// Two transport streams behind each other: the time of the second begins anew, as in files that a recorder joined. Its name has
/// colons, and nothing in it says when it was taken.
#[test]
fn joined_files_whose_time_begins_anew_play_on_and_claim_no_clock() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let part = dir.path().join("part.ts");
    ffmpeg(&["-i", clip("bag-removed.mp4").to_str().unwrap(), "-c", "copy", part.to_str().unwrap()])?;
    let bytes = std::fs::read(&part)?;
    let joined = dir.path().join("2026-11-27T10:00:00.ts");
    std::fs::write(&joined, [bytes.clone(), bytes].concat())?;
    let reports = reports(&joined, "kerb-day.site.toml")?;
    returns(&reports, 1)?;
    for report in &reports {
        let clock = &report["data"]["clock"];
        ensure!(clock["source"] == "replay" && clock["synced"] == false, "{report}");
    }
    Ok(())
}
