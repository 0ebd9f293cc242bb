//! The fault suite: what Kerbside survives, row by row, each with its count of trials, losses and the worst recovery.
//!
//! `make faults` runs every row in full; `tests/tests/survives.rs` runs the same rows in short. A row that this machine cannot
//! run is skipped by name, with the reason. Times are measured and shown; only the targets themselves are asserted.

pub mod above;
pub mod boxed;
pub mod camera;
pub mod damage;
pub mod disk;
pub mod full;
pub mod interop;
pub mod kill;
pub mod link;
pub mod models;
pub mod pace;
pub mod power;
pub mod promise;
pub mod sensors;
pub mod sim;
pub mod table;
pub mod upload;
pub mod writer;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// How many trials a row makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// For every test run on two cores.
    Short,
    /// The counts of the targets.
    Full,
}

impl Scale {
    pub fn pick(self, short: u64, full: u64) -> u64 {
        match self {
            Scale::Short => short,
            Scale::Full => full,
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub fault: String,
    pub trials: u64,
    /// Acknowledged things that were gone without a word.
    pub lost: u64,
    /// Things that came twice after de-duplication, or came back after they were done with.
    pub duplicated: u64,
    /// From the end of the fault (or the start after it) until work went on, s.
    pub worst_recovery_s: Option<f64>,
    pub held: bool,
    /// How the fault was made.
    pub how: String,
    /// What else was counted.
    pub figures: String,
    /// What repeats this row.
    pub command: String,
    /// Why it did not run here.
    pub skipped: Option<String>,
}

impl Row {
    pub fn new(fault: &str, how: &str) -> Row {
        Row { fault: fault.to_owned(), how: how.to_owned(), held: true, ..Row::default() }
    }

    pub fn skipped(fault: &str, how: &str, why: impl Into<String>) -> Row {
        Row { skipped: Some(why.into()), held: false, ..Row::new(fault, how) }
    }

    /// Keeps the worst.
    pub fn took(&mut self, s: f64) {
        self.worst_recovery_s = Some(self.worst_recovery_s.map_or(s, |worst| worst.max(s)));
    }

    /// What must hold; what does not is said on stderr with the trial, and the row counts as not held.
    pub fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.held = false;
            eprintln!("{}: NOT HELD: {}", self.fault, what());
        }
    }

    /// Nothing lost, nothing twice, and recovered within `limit_s`.
    pub fn judge(&mut self, limit_s: Option<f64>) {
        let (lost, twice) = (self.lost, self.duplicated);
        self.must(lost == 0 && twice == 0, || format!("{lost} lost, {twice} twice"));
        if let (Some(limit), Some(worst)) = (limit_s, self.worst_recovery_s) {
            self.must(worst <= limit, || format!("recovery took {worst:.1} s; {limit} s are allowed"));
        }
    }

    /// For a test: fails if it was not held; if it was skipped, says so by name.
    pub fn check(&self, test: &str) -> Result<()> {
        match &self.skipped {
            Some(why) => crate::skipped(test, why),
            None => {
                println!("{}", table::line(self));
                ensure!(self.held, "{} did not hold", self.fault);
                Ok(())
            }
        }
    }
}

type Run = fn(Scale) -> Result<Vec<Row>>;

/// Every part of the suite by the name that `faults NAME` takes.
pub const PARTS: &[(&str, Run)] = &[
    ("power", power::run),
    ("damage", damage::run),
    ("kill", kill::run),
    ("disk", full::run),
    ("link", link::run),
    ("backlog", link::backlogs),
    ("upload", upload::run),
    ("pace", pace::run),
    ("sim", sim::run),
    ("camera", camera::run),
    ("models", models::run),
    ("commands", above::commands),
    ("configuration", above::configuration),
    ("sensors", sensors::run),
    ("interop", interop::run),
];

/// Runs one part. An error of the suite itself is a row that did not hold, so that the others still run.
pub fn part(name: &str, run: Run, scale: Scale) -> Vec<Row> {
    let mut rows = run(scale).unwrap_or_else(|error| {
        eprintln!("{name}: {error:#}");
        vec![Row { held: false, figures: format!("the suite failed: {error:#}"), ..Row::new(name, "") }]
    });
    for row in &mut rows {
        row.command = format!("make faults FAULT={name}");
    }
    rows
}
