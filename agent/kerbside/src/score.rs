//! Score: how well the line sees, counted on events over a folder of clips with truths. Tables, `results.json`, pictures.
//!
//! Each clip is replayed once; other sensitivities are asked of a fresh core over the same inputs, for sensitivity moves
//! thresholds of the core only. It must not know how anything is seen: it compares what was said with what was true.

mod curve;
mod play;
mod table;
mod tally;
mod timeline;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::cli::{ScoreArgs, exit};
use crate::replay::truth::Truth;
use crate::say;
use kerbside_media::CaptureProgram;
use kerbside_site::config::Site;
use play::{Played, play};
use tally::Results;

/// The sensitivity that rules are tuned at, and the others that are tried.
const SENSITIVITIES: [u8; 5] = [1, 3, 5, 7, 10];

/// A truth and the clip that lies where it says.
#[derive(Debug)]
struct Case {
    /// The truth's file name without its ending.
    name: String,
    truth: Truth,
    clip: PathBuf,
    site: Site,
}

/// Plays, counts, prints and writes; the exit code. Missed events are figures here, not failures.
pub fn command(args: &ScoreArgs) -> anyhow::Result<u8> {
    let Some(cases) = cases(args)? else { return Ok(exit::CONFIG) };
    if cases.is_empty() {
        bail!("{}: no *.truth.toml whose clip is there", args.dir.display());
    }
    let exe = CaptureProgram::this()?;
    let mut played = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        eprintln!("{}/{}  {}", index + 1, cases.len(), case.name);
        let runs = args.out.join("runs").join(&case.name);
        played.push(play(case, &runs, &exe).with_context(|| case.name.clone())?);
    }
    let results = Results::of(&played);
    write(&args.out, &results, &played)?;
    say!("{}\nwritten to {}", table::text(&results), args.out.display());
    Ok(exit::OK)
}

/// All truths of the folder in order of name; `None` if one of them or a site is not in order (said on stderr).
fn cases(args: &ScoreArgs) -> anyhow::Result<Option<Vec<Case>>> {
    let mut truths = Vec::new();
    let entries = std::fs::read_dir(&args.dir).with_context(|| format!("reading {}", args.dir.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".truth.toml"));
        truths.extend(name.map(|name| (name.to_owned(), path.clone())));
    }
    truths.sort();
    let mut cases = Vec::new();
    for (name, path) in truths {
        let truth = match Truth::load(&path) {
            Ok(truth) => truth,
            Err(error) => {
                eprintln!("{error}");
                return Ok(None);
            }
        };
        let clip = args.dir.join(&truth.clip);
        if args.split.is_some() && args.split != truth.split {
            continue;
        }
        if !clip.is_file() {
            eprintln!("left out: {} is not there", clip.display());
            continue;
        }
        let site = match (&args.config, &truth.site) {
            (Some(config), _) => config.clone(),
            (None, Some(site)) => args.dir.join(site),
            (None, None) => bail!("{}: names no site, and there is no --config", path.display()),
        };
        match kerbside_site::config::load(&site) {
            Ok(site) => cases.push(Case { name, truth, clip, site }),
            Err(problems) => {
                eprint!("{problems}");
                return Ok(None);
            }
        }
    }
    Ok(Some(cases))
}

fn write(out: &Path, results: &Results, played: &[Played]) -> anyhow::Result<()> {
    let write = |name: &str, text: String| {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    write("results.json", format!("{:#}\n", serde_json::to_value(results)?))?;
    write("table.md", table::text(results))?;
    write("sensitivity.svg", curve::svg(results))?;
    for one in played {
        write(&format!("{}.svg", one.name), timeline::svg(one))?;
    }
    Ok(())
}
