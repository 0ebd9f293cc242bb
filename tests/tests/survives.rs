//! The fault suite in short: the same rows as `make faults`, with fewer trials.

use anyhow::Result;
use kerbside_tests::faults::{Row, Scale, damage, kill, power};

fn check(test: &str, rows: Vec<Row>) -> Result<()> {
    rows.iter().try_for_each(|row| row.check(test))
}

#[test]
fn power_cuts() -> Result<()> {
    check("survives::power_cuts", power::run(Scale::Short)?)
}

#[test]
fn damaged_files() -> Result<()> {
    check("survives::damaged_files", damage::run(Scale::Short)?)
}

#[test]
fn kills() -> Result<()> {
    check("survives::kills", kill::run(Scale::Short)?)
}
