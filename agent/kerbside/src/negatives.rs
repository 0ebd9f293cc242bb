//! Negatives: a folder of videos in which there is nothing to report. Whatever is reported is false; counted by the hour, with the
//! bound that so few hours allow, and by cause.
//!
//! Each video is replayed once. For each dwell a fresh core gets the same inputs. It must not know how anything is seen.
//!
//! | file | owns |
//! |---|---|
//! | `play` | one video played, its false reports at each dwell |
//! | `cause` | why something was reported |
//! | `tally` | the counts and their bound |
//! | `table` | the tables |

mod cause;
mod play;
mod table;
mod tally;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use kerbside_domain::kind::Kind;
use kerbside_site::config::{Rule, Site, Zone};

use crate::cli::{NegativesArgs, exit};
use crate::say;
use kerbside_media::CaptureProgram;
use play::play;
use tally::Results;

/// Endings of the files that are played.
const VIDEOS: [&str; 7] = ["avi", "gif", "mkv", "mov", "mp4", "ts", "webm"];

/// Plays, counts, prints and writes; returns the exit code. A false report is a figure here, not a failure.
pub fn command(args: &NegativesArgs) -> anyhow::Result<u8> {
    let mut site = match kerbside_site::config::load(&args.config) {
        Ok(site) => site,
        Err(problems) => {
            eprint!("{problems}");
            return Ok(exit::CONFIG);
        }
    };
    if let Some(dwell) = args.dwell.iter().find(|dwell| !(1.0..=86_400.0).contains(*dwell)) {
        bail!("--dwell {dwell}: a dwell is 1 to 86400 s");
    }
    if !(0.0..=3600.0).contains(&args.hold) {
        bail!("--hold {}: a picture is held for 0 to 3600 s", args.hold);
    }
    if args.whole_picture {
        watch_everything(&mut site)?;
    }
    let videos = videos(args)?;
    let exe = CaptureProgram::this()?;
    let mut played = Vec::new();
    for (index, video) in videos.iter().enumerate() {
        eprintln!("{}/{}  {}", index + 1, videos.len(), video.display());
        played.push(play(video, &site, args, &exe).with_context(|| video.display().to_string())?);
    }
    let results = Results::of(played);
    write(&args.out, &results)?;
    say!("{}\nwritten to {}", table::text(&results), args.out.display());
    Ok(exit::OK)
}

fn videos(args: &NegativesArgs) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(&args.dir).with_context(|| format!("reading {}", args.dir.display()))?;
    let mut videos = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let is_wanted = args.only.as_ref().is_none_or(|part| name.contains(part.as_str()));
        if is_wanted && VIDEOS.contains(&ending.as_str()) {
            videos.push(path);
        }
    }
    videos.sort();
    if videos.is_empty() {
        bail!("{}: no video of a known ending ({}) there", args.dir.display(), VIDEOS.join(", "));
    }
    Ok(videos)
}

/// One zone over the whole picture, one rule for every kind that a camera can see.
fn watch_everything(site: &mut Site) -> anyhow::Result<()> {
    let camera = site.cameras.first_mut().context("the site has no camera")?;
    let rules = camera.zones.iter().flat_map(|z| &z.rules);
    let pattern = rules.min_by(|a, b| a.dwell_s.total_cmp(&b.dwell_s)).context("the site has no rule")?;
    let kinds = Kind::SEEN.into_iter().filter(|kind| *kind != Kind::ShopfrontOverflow).collect();
    let rule = Rule {
        id: "everything".to_owned(),
        kinds,
        min_size_m2: None,
        with: None,
        warn: None,
        ..pattern.clone()
    };
    let polygon_norm = vec![(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
    let zone =
        Zone { id: "picture".to_owned(), name: None, polygon_norm, frontage: false, rules: vec![rule] };
    camera.zones = vec![zone];
    camera.control_points = Vec::new();
    Ok(())
}

fn write(out: &Path, results: &Results) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let write = |name: &str, text: String| {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    write("results.json", format!("{:#}\n", serde_json::to_value(results)?))?;
    write("table.md", table::text(results))
}
