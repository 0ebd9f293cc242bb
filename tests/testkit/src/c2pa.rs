//! What other people's C2PA verifiers say of a file.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::program::skipped;
use crate::repo;

const SCRIPT: &str = include_str!("c2pa.py");

/// Two verifiers with nothing in common: c2pa-rs (through `c2pa-python`) and `encypher-c2pa`, as `make setup` fetched them.
#[derive(Debug)]
pub struct Verifiers {
    packages: PathBuf,
}

/// What one of them says.
#[derive(Debug)]
pub struct Verdict {
    pub tool: String,
    /// The signature is valid, and nothing was changed since.
    pub intact: bool,
    /// The signer is vouched for by the given authority.
    pub trusted: bool,
    /// All that it says.
    pub report: Value,
}

impl Verifiers {
    /// `None`: this machine has none, and the skipped test is named.
    pub fn find(test: &str) -> Result<Option<Verifiers>> {
        let packages = match std::env::var_os("KERBSIDE_DEPS") {
            Some(deps) => PathBuf::from(deps),
            None => repo().join(".deps"),
        };
        let packages = packages.join("c2pa-verifiers").join(std::env::consts::ARCH);
        if packages.join("encypher_c2pa").is_dir() && packages.join("c2pa").is_dir() {
            return Ok(Some(Verifiers { packages }));
        }
        skipped(test, "no C2PA verifiers: `tools/setup test` fetches them from PyPI")?;
        Ok(None)
    }

    /// The verdicts on one file, `anchor` being the one authority that is trusted.
    pub fn judge(&self, file: &Path, anchor: Option<&Path>) -> Result<Vec<Verdict>> {
        let mut run = Command::new("python3");
        run.args(["-c", SCRIPT]).arg(anchor.unwrap_or(Path::new("-"))).arg(file);
        // Nothing of the user's own settings, and nothing written there.
        run.env("PYTHONPATH", &self.packages).env("PYTHONDONTWRITEBYTECODE", "1").env("HOME", "/nonexistent");
        let output = run.output().context("python3")?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the verifiers failed on {}: {text}", file.display());
        let all: Value = serde_json::from_slice(&output.stdout)?;
        let verdicts = all[0].as_array().context("no verdicts")?;
        Ok(verdicts.iter().map(verdict).collect())
    }
}

fn verdict(of: &Value) -> Verdict {
    Verdict {
        tool: of["tool"].as_str().unwrap_or_default().to_owned(),
        intact: of["intact"] == true,
        trusted: of["trusted"] == true,
        report: of["report"].clone(),
    }
}
