//! The fault suite as a program; see [`USAGE`].

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use kerbside_testkit::repo;
use kerbside_tests::faults::{PARTS, Scale, box_process, part, simulation, table};
use kerbside_tests::fuzz;

const USAGE: &str = "\
faults [--short] [PART ...]      runs the suite, or parts of it, and writes faults/results.json
faults fuzz [SECONDS]            hostile input to everything that reads, a minute of it
faults fuzz TARGET SEED          one case again
faults sim SEED                  one seed of the simulation again
faults --into README.md          puts the last table into a document
faults box ...                   a box without cameras, for the suite's own use";

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `fuzz`: a minute; `fuzz SECONDS`; `fuzz TARGET SEED`: one case again.
fn fuzz(args: &[String]) -> Result<()> {
    let done = match args {
        [target, seed] => fuzz::run(Some(target), seed.parse()?, 1, None)?,
        [seconds] => {
            fuzz::run(None, fastrand::u64(..1 << 40), 0, Some(Duration::from_secs(seconds.parse()?)))?
        }
        _ => fuzz::run(None, fastrand::u64(..1 << 40), 0, Some(Duration::from_secs(60)))?,
    };
    println!("{done} cases");
    Ok(())
}

fn run(args: &[String]) -> Result<ExitCode> {
    let results = repo().join("faults/results.json");
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["-h" | "--help", ..] => println!("{USAGE}"),
        ["box", ..] => box_process::main(&args[1..])?,
        ["fuzz", ..] => fuzz(&args[1..])?,
        ["sim", seed] => simulation::again(seed.parse()?)?,
        ["--into", document] => table::put_into(Path::new(document), &table::read(&results)?)?,
        ["--short", parts @ ..] => return suite(Scale::Short, parts, &results),
        parts => return suite(Scale::Full, parts, &results),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the parts that are named, or all; each part's rows are written when it is done.
fn suite(scale: Scale, wanted: &[&str], results: &Path) -> Result<ExitCode> {
    if let Some(unknown) = wanted.iter().find(|w| PARTS.iter().all(|(name, _)| name != *w)) {
        let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        anyhow::bail!("no part {unknown:?}; there are {}\n{USAGE}", names.join(", "));
    }
    let mut all = Vec::new();
    for (name, run) in PARTS.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
        let rows = part(name, *run, scale);
        table::write(results, &rows, if scale == Scale::Full { "full" } else { "short" })?;
        all.extend(rows);
    }
    for row in &all {
        println!("{}", row.line());
    }
    let held = all.iter().filter(|r| r.held).count();
    let skipped = all.iter().filter(|r| r.skipped.is_some()).count();
    println!("{held} of {} rows held, {skipped} skipped; {}", all.len(), results.display());
    let failed = all.iter().any(|r| !r.held && r.skipped.is_none());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
