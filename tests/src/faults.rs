//! The fault suite: what Kerbside survives, row by row, each with its count of trials, losses and the worst recovery.
//!
//! `make faults` runs every row in full; `tests/tests/survives.rs` runs the same rows in short. A row that this machine cannot
//! run is skipped by name, with the reason. Times are measured and shown; only the targets themselves are asserted.

pub mod box_process;
pub mod camera;
pub mod clocks;
pub mod damage;
pub mod disk_faults;
pub mod doors;
pub mod flood;
pub mod forgery;
pub mod interop;
pub mod intruder;
pub mod kill;
pub mod link;
pub mod loop_disk;
pub mod models;
pub mod power;
pub mod promise;
pub mod refusals;
mod row;
pub mod sensors;
pub mod simulation;
pub mod soak;
pub mod store_speed;
pub mod table;
pub mod upload;
pub mod writer;

use anyhow::Result;

pub use row::{Row, Scale};

type Run = fn(Scale) -> Result<Vec<Row>>;

/// Every part of the suite by the name that `faults NAME` takes.
pub const PARTS: &[(&str, Run)] = &[
    ("power", power::run),
    ("damage", damage::run),
    ("forgery", forgery::run),
    ("kill", kill::run),
    ("disk", disk_faults::run),
    ("link", link::run),
    ("backlog", link::backlogs),
    ("flood", flood::run),
    ("upload", upload::run),
    ("doors", doors::run),
    ("pace", store_speed::run),
    ("sim", simulation::run),
    ("camera", camera::run),
    ("intruder", intruder::run),
    ("models", models::run),
    ("commands", refusals::commands),
    ("configuration", refusals::configuration),
    ("clocks", clocks::run),
    ("sensors", sensors::run),
    ("interop", interop::run),
    ("soak", soak::run),
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
