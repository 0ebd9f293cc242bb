//! Every clip of `test-videos/` against its truth, and the same clip twice.

#![allow(clippy::unwrap_used)] // A test may end by a panic in its helpers too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::clips::sha256;
use kerbside_testkit::program::replay;
use kerbside_testkit::{clip, command, repo};

/// Clips played at once: a replay uses one core and a decoder beside it.
const AT_ONCE: usize = 2;

#[derive(Debug)]
struct Scored {
    truth: PathBuf,
    clip: PathBuf,
    site: PathBuf,
}

/// Truths of `test-videos/` in order of name. The clip's own line is `clip = "..."`, its scene's `site = "..."`.
fn scored() -> Result<Vec<Scored>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(repo().join("test-videos"))? {
        let truth = entry?.path();
        if !truth.to_string_lossy().ends_with(".truth.toml") {
            continue;
        }
        let text = std::fs::read_to_string(&truth)?;
        let value = |key: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(key)?.trim().strip_prefix('='))?;
            Some(clip(line.trim().trim_matches('"')))
        };
        let (clip, site) = (value("clip").context("clip")?, value("site").context("site")?);
        found.push(Scored { truth, clip, site });
    }
    found.sort_by(|a, b| a.truth.cmp(&b.truth));
    Ok(found)
}

#[test]
fn every_clip_gives_the_incidents_of_its_truth_and_no_others() -> Result<()> {
    let (there, absent): (Vec<_>, Vec<_>) = scored()?.into_iter().partition(|s| s.clip.is_file());
    for scored in absent {
        let real = scored.clip.starts_with(clip("real"));
        ensure!(real, "{} is missing", scored.clip.display());
        eprintln!("SKIPPED: {} is not there; `make footage` fetches it", scored.clip.display());
    }
    ensure!(there.len() >= 8, "only {} clips", there.len());
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(scored) = there.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = agrees(scored) {
                        failures.lock().unwrap().push(format!("{error:#}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    ensure!(failures.is_empty(), "{} of {} clips:\n{}", failures.len(), there.len(), failures.join("\n"));
    Ok(())
}

fn agrees(scored: &Scored) -> Result<()> {
    let out = tempfile::tempdir()?;
    let truth = scored.truth.to_string_lossy();
    let (code, text) = replay(&scored.clip, &scored.site, out.path(), &["--expect", &truth])?;
    ensure!(code == Some(0), "== {}: exit {code:?}\n{text}", scored.clip.display());
    ensure!(!text.contains("evidence incomplete"), "== {}:\n{text}", scored.clip.display());
    Ok(())
}

/// A quiet street, with an event in the truth that never happens: a miss is a figure, not a failure.
#[test]
fn score_writes_figures_tables_and_pictures() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let truth = format!(
        "clip = {:?}\nfootage = \"synthetic\"\nscene = \"kerb-day\"\nsplit = \"report\"\ncondition = \"day\"\n\
         [[event]]\nkind = \"waste.exposed\"\nstart_s = 10.0\nbbox_norm = [0.5, 0.5, 0.1, 0.1]\n",
        clip("quiet-day.mp4")
    );
    std::fs::write(dir.path().join("quiet.truth.toml"), truth)?;
    let (out, site) = (dir.path().join("out"), clip("kerb-day.site.toml"));
    let score =
        command(&["score"])?.arg(dir.path()).arg("--config").arg(site).arg("--out").arg(&out).output()?;
    let text = String::from_utf8_lossy(&score.stdout);
    ensure!(score.status.success(), "{text}\n{}", String::from_utf8_lossy(&score.stderr));
    ensure!(text.contains("| waste.exposed | synthetic | report | 1 |"), "{text}");
    let results: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("results.json"))?)?;
    let waste = &results["kinds"]["waste.exposed"]["synthetic"]["all"];
    assert_eq!((&waste["recall"], &waste["precision"]), (&0.0.into(), &serde_json::Value::Null));
    assert_eq!((&waste["clips"], &waste["false_per_camera_day"]), (&1.into(), &0.0.into()));
    for picture in ["quiet.svg", "sensitivity.svg"] {
        ensure!(std::fs::read_to_string(out.join(picture))?.ends_with("</svg>\n"), "{picture}");
    }
    Ok(())
}

/// The control first: where it fails the other row says nothing. Half a minute of one clip, because each row is a replay.
#[test]
fn a_degraded_clip_is_made_played_and_counted_beside_its_control() -> Result<()> {
    let (dir, rows) = (tempfile::tempdir()?, ["none", "crf:38"]);
    std::fs::copy(clip("bag-left.truth.toml"), dir.path().join("bag-left.truth.toml"))?;
    let cut = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(clip("bag-left.mp4"))
        .args(["-t", "30", "-c", "copy"])
        .arg(dir.path().join("bag-left.mp4"))
        .status()?;
    ensure!(cut.success(), "ffmpeg: {cut}");
    let out = dir.path().join("out");
    let mut score = command(&["score", "--clips", "bag-left"])?;
    rows.iter().for_each(|row| {
        score.args(["--degrade", row]);
    });
    let site = clip("kerb-day.site.toml");
    let score = score.arg(dir.path()).arg("--config").arg(site).arg("--out").arg(&out).output()?;
    let text = String::from_utf8_lossy(&score.stdout);
    ensure!(score.status.success(), "{text}\n{}", String::from_utf8_lossy(&score.stderr));
    ensure!(text.contains("| H.264, crf 38 | 1 of 1 | 0 |"), "{text}");
    let table: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("degraded.json"))?)?;
    let table = table.as_array().context("rows")?;
    assert_eq!(table.len(), rows.len());
    for row in table {
        let figures = ["events", "found", "false_reports"].map(|key| row[key].as_u64());
        ensure!(figures == [Some(1), Some(1), Some(0)], "{row:#}\n{text}");
    }
    Ok(())
}

#[test]
fn the_same_clip_twice_gives_the_same_bytes() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let out = ["first", "second"].map(|name| dir.path().join(name));
    let played: Vec<Result<BTreeMap<PathBuf, String>>> = std::thread::scope(|scope| {
        let threads = out.each_ref().map(|out| scope.spawn(|| played(out)));
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let [first, second] = <[_; 2]>::try_from(played).unwrap();
    let (first, second) = (first?, second?);
    ensure!(first.len() >= 6, "incidents.ndjson and five files of evidence, not {first:?}");
    assert_eq!(first, second);
    Ok(())
}

/// Every file that a replay wrote, with its hash.
fn played(out: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let (code, text) = replay(&clip("bag-left.mp4"), &clip("kerb-day.site.toml"), out, &[])?;
    ensure!(code == Some(0), "exit {code:?}\n{text}");
    let mut files = BTreeMap::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(out)?.to_owned(), sha256(&path)?);
            }
        }
    }
    Ok(files)
}
