//! The fault suite in short: the same rows as `make faults`, with fewer trials.

use anyhow::Result;
use kerbside_tests::faults::{
    Row, Scale, camera, clocks, damage, disk_faults, doors, flood, forgery, interop, intruder, kill, link,
    models, power, refusals, sensors, simulation, store_speed, upload,
};

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
fn forged_traces() -> Result<()> {
    check("survives::forged_traces", forgery::run(Scale::Short)?)
}

#[test]
fn kills() -> Result<()> {
    check("survives::kills", kill::run(Scale::Short)?)
}

#[test]
fn floods() -> Result<()> {
    check("survives::floods", flood::run(Scale::Short)?)
}

#[test]
fn failing_disks() -> Result<()> {
    check("survives::failing_disks", disk_faults::run(Scale::Short)?)
}

#[test]
fn simulated_weeks() -> Result<()> {
    check("survives::simulated_weeks", simulation::run(Scale::Short)?)
}

/// The same seeds every time; `make fuzz` takes new ones.
#[test]
fn hostile_input() -> Result<()> {
    kerbside_tests::fuzz::run(None, 1, 1500, None).map(drop)
}

#[test]
fn failing_cameras() -> Result<()> {
    check("survives::failing_cameras", camera::run(Scale::Short)?)
}

#[test]
fn intruders_in_the_child() -> Result<()> {
    check("survives::intruders_in_the_child", intruder::run(Scale::Short)?)
}

#[test]
fn unusable_models() -> Result<()> {
    check("survives::unusable_models", models::run(Scale::Short)?)
}

#[test]
fn strangers_at_the_doors() -> Result<()> {
    check("survives::strangers_at_the_doors", doors::run(Scale::Short)?)
}

#[test]
fn false_commands_and_configurations() -> Result<()> {
    check("survives::false_commands", refusals::commands(Scale::Short)?)?;
    check("survives::false_configurations", refusals::configuration(Scale::Short)?)
}

#[test]
fn wrong_clocks() -> Result<()> {
    check("survives::wrong_clocks", clocks::run(Scale::Short)?)
}

#[test]
fn lying_sensors() -> Result<()> {
    check("survives::lying_sensors", sensors::run(Scale::Short)?)
}

#[test]
fn another_box() -> Result<()> {
    check("survives::another_box", interop::run(Scale::Short)?)
}

#[test]
fn brokers() -> Result<()> {
    check("survives::brokers", link::run(Scale::Short)?)
}

#[test]
fn backlogs() -> Result<()> {
    check("survives::backlogs", link::backlogs(Scale::Short)?)
}

#[test]
fn uploads() -> Result<()> {
    check("survives::uploads", upload::run(Scale::Short)?)
}

#[test]
fn a_long_journal() -> Result<()> {
    check("survives::a_long_journal", store_speed::run(Scale::Short)?)
}
