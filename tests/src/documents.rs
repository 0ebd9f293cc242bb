//! What the documents quote, run: every block marked `console` is a session whose commands must still give what stands below them.
//!
//! In a block, `$ ` begins a command (bash), `> ` goes on with it, `? 78` is its exit code where it is not 0, and the rest is its
//! output, where `[..]` stands for anything within a line and a line `...` for any lines. A command without output below it is
//! only run. The commands of one document run in order in one [`Sandbox`].

mod block;
mod names;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use snapbox::data::DataFormat;
use snapbox::filter::NormalizeToExpected;
use snapbox::{Assert, Data};

pub use block::{Step, steps};
pub use names::unknown_names;

/// Longest time that one command may take, s.
const LIMIT_S: u32 = 300;

/// A folder that looks like the repository's root to a command, in which whatever it writes is thrown away.
#[derive(Debug)]
pub struct Sandbox {
    dir: tempfile::TempDir,
    path: String,
}

impl Sandbox {
    /// `links`: what of `root` is to be seen. `programs`: the folder in which the programs lie.
    pub fn new(root: &Path, links: &[&str], programs: &Path) -> Result<Sandbox> {
        let dir = tempfile::tempdir()?;
        for name in links {
            std::os::unix::fs::symlink(root.join(name), dir.path().join(name))?;
        }
        std::fs::create_dir(dir.path().join("home"))?;
        let path = std::env::var("PATH").unwrap_or_default();
        Ok(Sandbox { path: format!("{}:{path}", programs.display()), dir })
    }

    /// Exit code and output, both streams as they come.
    fn run(&self, command: &str) -> Result<(i32, String)> {
        let mut bash = Command::new("timeout");
        bash.arg(LIMIT_S.to_string())
            .args(["bash", "-c"])
            .arg(format!("exec 2>&1; set -o pipefail; {command}"));
        bash.current_dir(self.dir.path()).stdin(Stdio::null());
        bash.env("PATH", &self.path).env("HOME", self.dir.path().join("home"));
        bash.env("NO_COLOR", "1").env("COLUMNS", "100").env_remove("RUST_BACKTRACE");
        let output = bash.output().context("bash")?;
        let code =
            output.status.code().with_context(|| format!("`{command}` ended with {}", output.status))?;
        let here = format!("{}/", self.dir.path().display());
        Ok((code, String::from_utf8_lossy(&output.stdout).replace(&here, "")))
    }
}

/// How a document is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Check,
    /// What is there today is written into the document; lines that a wildcard still matches stay.
    Write,
}

/// Exit code and output of each command, by all commands of a document: the same session in two languages is run once.
#[derive(Debug, Default)]
pub struct Outcomes(BTreeMap<Vec<String>, Vec<(i32, String)>>);

impl Outcomes {
    fn of(&mut self, steps: &[Step], sandbox: &Sandbox) -> Result<&[(i32, String)]> {
        let commands: Vec<String> = steps.iter().map(|step| step.command.clone()).collect();
        let outcomes = match self.0.entry(commands) {
            Entry::Occupied(earlier) => earlier.into_mut(),
            Entry::Vacant(new) => {
                new.insert(steps.iter().map(|step| sandbox.run(&step.command)).collect::<Result<_>>()?)
            }
        };
        Ok(outcomes)
    }
}

/// Runs every step of a document. The problems, each with its place.
pub fn run(document: &Path, sandbox: &Sandbox, mode: Mode, outcomes: &mut Outcomes) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(document).with_context(|| document.display().to_string())?;
    let mut problems = Vec::new();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let all = steps(&text).with_context(|| document.display().to_string())?;
    // From the end, so that line numbers before a change stay right.
    for (step, (code, output)) in all.iter().zip(outcomes.of(&all, sandbox)?).rev() {
        let place = format!("{}:{}: `{}`", document.display(), step.line, step.command);
        if *code != step.code {
            problems.push(format!("{place}: exit code {code}, not {}\n{output}", step.code));
        } else if let Some(expected) = &step.expected {
            let expected = Data::text(expected.clone());
            match mode {
                Mode::Check => {
                    let got = Data::text(output.clone());
                    let judged = Assert::new().redact_with(snapbox::Redactions::new()).try_eq(
                        Some(&place),
                        got,
                        expected,
                    );
                    problems.extend(judged.err().map(|difference| difference.to_string()));
                }
                Mode::Write => {
                    let actual = Data::text(output.clone()).coerce_to(DataFormat::Text);
                    let today = NormalizeToExpected::new().redact().normalize(actual, &expected).to_string();
                    let indent = " ".repeat(step.indent);
                    lines.splice(
                        step.output_lines.clone(),
                        today.lines().map(|line| format!("{indent}{line}")),
                    );
                }
            }
        }
    }
    problems.reverse();
    if mode == Mode::Write {
        ensure!(problems.is_empty(), "{}", problems.join("\n"));
        std::fs::write(document, lines.join("\n") + "\n")?;
    }
    Ok(problems)
}

/// Every document for people below `root`: README.md, ARCHITECTURE.md and all of docs/.
pub fn all(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md"].map(|name| root.join(name)).into();
    let mut open = vec![root.join("docs")];
    while let Some(folder) = open.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    if found.iter().any(|path| !path.is_file()) {
        bail!("README.md or ARCHITECTURE.md is missing in {}", root.display());
    }
    found.sort();
    Ok(found)
}
