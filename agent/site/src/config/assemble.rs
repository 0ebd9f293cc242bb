//! From the TOML tree to a checked [`Site`]: the order in which the tables are checked.

use std::path::Path;

use super::check::{Check, SiteFacts};
use super::problem::Sink;
use super::read::Table;
use super::site::Site;
use super::{camera, outputs, raw, sensors, tables};

/// The form of configuration that this program reads.
const SCHEMA: i64 = 1;
const ROOT_TABLES: [&str; 13] = [
    "device", "centre", "patrol", "models", "codes", "grid", "health", "evidence", "gnss", "sensors",
    "sensor", "output", "camera",
];

/// Checks the whole tree. The result is only meaningful when the sink stayed empty.
pub(super) fn site(mut root: Table<'_>, base: &Path, sink: &mut Sink) -> Site {
    let known: Vec<&str> = ROOT_TABLES.into_iter().chain(["schema"]).collect();
    root.strike_unknown(&known, sink);
    let cx = &mut Check { sink, base };
    let (device, ring_budget_mb, box_was_placed) = tables::device(cx, &mut root);
    let centre = tables::centre(cx, &mut root);
    let patrol = tables::patrol(cx, &mut root);
    let models = tables::models(cx, &mut root);
    let codes = tables::codes(cx, &mut root);
    let grid = tables::grid(cx, &mut root);
    let health = tables::health(cx, &mut root);
    let evidence = tables::evidence(cx, &mut root);
    let (gnss, mobile_at) = sensors::gnss(cx, &mut root).unzip();
    let (mut sensors, views) = sensors::all(cx, &mut root, &codes);
    let outputs = outputs::all(cx, &mut root, sensors.broker.is_some());
    let facts = SiteFacts {
        outputs: &outputs,
        codes: &codes,
        evidence: &evidence,
        box_has_place: box_was_placed || gnss.is_some() || cx.sink.is_spoilt(&(0..0), "gnss"),
        sensors: &sensors.sensors,
    };
    let cameras = camera::all(cx, &mut root, &facts, ring_budget_mb);
    sensors::see(cx, &mut sensors, views, &cameras);
    sensors::moves(cx, mobile_at.flatten(), &device, &cameras, &sensors);
    let top: raw::Root = root.read(&ROOT_TABLES, cx.sink);
    match top.schema {
        Some(schema) if *schema.get_ref() != SCHEMA => {
            let what = format!("schema {} is not known to this program", schema.get_ref());
            cx.sink.at(schema.span(), what).help(format!("write schema = {SCHEMA}"));
        }
        Some(_) => {}
        None if cx.sink.is_spoilt(&(0..0), "schema") => {}
        None => {
            let help = format!("begin the file with: schema = {SCHEMA}");
            cx.sink.at(0..0, "missing key `schema`: which form of configuration this is").help(help);
        }
    }
    let warnings = Vec::new();
    Site {
        device,
        centre,
        patrol,
        models,
        codes,
        grid,
        health,
        evidence,
        gnss,
        sensors,
        outputs,
        cameras,
        warnings,
    }
}
