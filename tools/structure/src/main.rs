//! The rules of the source as a program; see [`USAGE`].

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use kerbside_structure::{crates, cycles, errors, exceptions, modules, queues, sleeps};

const USAGE: &str = "\
structure                  every rule: crates, cycles, clocks, sleeps, queues, errors, exceptions; what breaks one is printed, exit code 1
structure cycles [ROOT]    module cycles of every crate, or of the one whose lib.rs is ROOT
structure crates           the picture of the crates
structure crates --check   whether ARCHITECTURE.md has that picture, and whether every edge keeps the order
structure crates --write   puts the picture into ARCHITECTURE.md";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            problems.iter().for_each(|problem| println!("{problem}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("structure: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<Vec<String>> {
    let root = repository();
    match arguments {
        [] => {
            let all = [
                order(&root)?,
                cycles_of_all(&root)?,
                sleeps::problems(&root)?,
                queues::problems(&root)?,
                errors::problems(&root)?,
                advisories(&root)?,
            ];
            Ok(all.concat())
        }
        ["cycles"] => cycles_of_all(&root),
        ["cycles", lib] => cycles_of(Path::new(lib)),
        ["crates"] => {
            print!("{}", crates::picture(&crates::read(&root)?));
            Ok(Vec::new())
        }
        ["crates", "--check"] => order(&root),
        ["crates", "--write"] => {
            let document = root.join("ARCHITECTURE.md");
            let text = crates::with_picture(&std::fs::read_to_string(&document)?, &crates::read(&root)?)?;
            std::fs::write(&document, text)?;
            Ok(Vec::new())
        }
        _ => {
            println!("{USAGE}");
            Ok(Vec::new())
        }
    }
}

/// This program is built where it is used: the checkout it came from.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned).unwrap_or_default()
}

fn order(root: &Path) -> Result<Vec<String>> {
    let all = crates::read(root)?;
    let mut problems = crates::problems(&all);
    let document = std::fs::read_to_string(root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    if crates::with_picture(&document, &all)? != document {
        problems
            .push("ARCHITECTURE.md: the picture of the crates is old: run `tools/crates --write`".to_owned());
    }
    Ok(problems)
}

fn cycles_of_all(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for one in crates::read(root)? {
        for lib in &one.roots {
            found
                .extend(cycles_of(Path::new(lib))?.into_iter().map(|cycle| format!("{}: {cycle}", one.name)));
        }
    }
    Ok(found)
}

fn cycles_of(lib: &Path) -> Result<Vec<String>> {
    let arrows = modules::arrows(lib)?;
    Ok(cycles::cycles(&arrows).iter().map(ToString::to_string).collect())
}

fn advisories(root: &Path) -> Result<Vec<String>> {
    let read = |name: &str| std::fs::read_to_string(root.join(name)).with_context(|| name.to_owned());
    exceptions::problems(&read("deny.toml")?, &read("Cargo.lock")?)
}
