//! The fault suite as a program: `faults [--short] [PART ...]` runs it and writes `faults/results.json`,
//! `faults fuzz [SECONDS | TARGET SEED]` gives hostile input to everything that reads, `faults --into README.md` puts the last table into a document, `faults sim SEED` repeats one seed of the simulation, `faults box ...` is a box without cameras for its own use.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use kerbside_tests::faults::{PARTS, Scale, boxed, part, sim, table};
use kerbside_tests::{fuzz, repo};

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
    if let [first, rest @ ..] = args
        && first == "box"
    {
        return boxed::main(rest).map(|()| ExitCode::SUCCESS);
    }
    if let [first, rest @ ..] = args
        && first == "fuzz"
    {
        return fuzz(rest).map(|()| ExitCode::SUCCESS);
    }
    if let [part, seed] = args
        && part == "sim"
        && let Ok(seed) = seed.parse()
    {
        return sim::again(seed).map(|()| ExitCode::SUCCESS);
    }
    let results = repo().join("faults/results.json");
    if let [flag, document] = args
        && flag == "--into"
    {
        table::put_into(Path::new(document), &table::read(&results)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let scale = if args.iter().any(|a| a == "--short") { Scale::Short } else { Scale::Full };
    let wanted: Vec<&String> = args.iter().filter(|a| !a.starts_with("--")).collect();
    if let Some(unknown) = wanted.iter().find(|w| PARTS.iter().all(|(name, _)| *name != w.as_str())) {
        let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        anyhow::bail!("no part {unknown:?}; there are {}", names.join(", "));
    }
    let mut all = Vec::new();
    for (name, run) in
        PARTS.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w.as_str() == *name))
    {
        let rows = part(name, *run, scale);
        table::write(&results, &rows, if scale == Scale::Full { "full" } else { "short" })?;
        all.extend(rows);
    }
    for row in &all {
        println!("{}", table::line(row));
    }
    let held = all.iter().filter(|r| r.held).count();
    let skipped = all.iter().filter(|r| r.skipped.is_some()).count();
    println!("{held} of {} rows held, {skipped} skipped; {}", all.len(), results.display());
    let failed = all.iter().any(|r| !r.held && r.skipped.is_none());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
