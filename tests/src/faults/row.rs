//! One fault, as often as it was made: a line of the table.

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

    /// What must hold; what does not is written to stderr with the trial, and the row counts as not held.
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

    /// On one line, for a terminal.
    pub fn line(&self) -> String {
        match &self.skipped {
            Some(why) => format!("SKIPPED   {}: {why}", self.fault),
            None => format!(
                "{}  {}: {} trials, {} lost, {} twice, recovery {}; {}",
                if self.held { "held    " } else { "NOT HELD" },
                self.fault,
                self.trials,
                self.lost,
                self.duplicated,
                self.recovery(),
                self.figures
            ),
        }
    }

    /// The worst recovery as text.
    pub fn recovery(&self) -> String {
        self.worst_recovery_s.map_or_else(|| "-".to_owned(), |s| format!("{s:.1} s"))
    }

    /// For a test: fails if it was not held; if it was skipped, says so by name.
    pub fn check(&self, test: &str) -> Result<()> {
        match &self.skipped {
            Some(why) => kerbside_testkit::program::skipped(test, why),
            None => {
                println!("{}", self.line());
                ensure!(self.held, "{} did not hold", self.fault);
                Ok(())
            }
        }
    }
}
