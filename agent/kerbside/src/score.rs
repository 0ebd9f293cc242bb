//! Score: how well the line sees, counted on events over a folder of clips with truths. Tables, `results.json`, pictures.
//!
//! Each clip is replayed once. For other sensitivities a fresh core gets the same inputs, because sensitivity moves thresholds
//! of the core only. It must not know how anything is seen: it compares reports with the truth.
//!
//! | file | owns |
//! |---|---|
//! | `case` | the clips, their truths and sites |
//! | `degrade`, `filters` | the same clips as a bad camera would send them, and their table |
//! | `play` | one clip played |
//! | `tally` | the counts |
//! | `table`, `curve`, `timeline` | tables and pictures |

mod case;
mod curve;
mod degrade;
mod filters;
mod play;
mod table;
mod tally;
mod timeline;

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::cli::{ScoreArgs, exit};
use crate::say;
use kerbside_media::CaptureProgram;
use play::{Played, play};
use tally::Results;

/// Plays, counts, prints and writes; returns the exit code. A missed event is a figure here, not a failure.
pub fn command(args: &ScoreArgs) -> anyhow::Result<u8> {
    let Some(cases) = case::load(args)? else { return Ok(exit::CONFIG) };
    if cases.is_empty() {
        bail!("{}: no *.truth.toml whose clip is there", args.dir.display());
    }
    let exe = CaptureProgram::this()?;
    if !args.degrade.is_empty() {
        return degrade::command(args, &cases, &exe);
    }
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
