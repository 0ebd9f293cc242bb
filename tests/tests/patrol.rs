//! The patrol report of a running box: whatever goes wrong is in the first report after it, with its name. A real camera, a real serial
//! port, a real broker of sensors, and the machine's word for its clock.

#![allow(clippy::unwrap_used)] // A test may end by a panic in its helpers too.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use kerbside_domain::time::instant_ms;
use kerbside_testkit::{Agent, Broker, Cameras, Centre, Pty, Site, clip, program};
use serde_json::Value;

const PERIOD_S: u32 = 6;
const MAX_AGE_S: i64 = 5;

/// Text of a message's time, ms.
fn ms(time: &Value) -> Result<i64> {
    time.as_str().and_then(instant_ms).with_context(|| format!("{time} is no time"))
}

/// What came in at one thread may be at another a moment later, ms.
const AT_ONCE_MS: i64 = 500;

/// Waits for the first report whose period ends after `known_ms`, when the box knew of the fault, and holds it to the reason.
fn degraded_at_once(centre: &Centre, known_ms: i64, reason: &str, about: (&str, Value)) -> Result<Value> {
    let ends = |report: &Value| ms(&report["data"]["to"]).is_ok_and(|to| to > known_ms + AT_ONCE_MS);
    let first = centre.message_where("patrol.report", reason, ends)?;
    let data = &first["data"];
    let why = data["why"].as_array().context("no reasons")?;
    let is_named = why.iter().any(|w| w["reason"] == reason && w[about.0] == about.1);
    ensure!(data["verdict"] == "degraded" && is_named, "{reason} of {about:?} is not in {first}");
    Ok(first)
}

/// No report so far names this reason.
fn not_yet(centre: &Centre, reason: &str) {
    for report in centre.messages("patrol.report") {
        let why = report["data"]["why"].as_array().unwrap();
        assert!(why.iter().all(|w| w["reason"] != reason), "{reason} in {report}");
    }
}

#[test]
fn every_fault_is_in_the_first_report_after_it_with_its_name() -> Result<()> {
    let test = "patrol::every_fault_is_in_the_first_report_after_it";
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return program::skipped(test, "this machine's time service vouches for any clock");
    }
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let local = tempfile::tempdir()?;
    let sensors = Broker::start(local.path())?;
    let port = Pty::open()?;
    // A cloth hangs over its lens from 14 to 33 s.
    let cameras = Cameras::serve(&[("/cam1", &clip("camera-covered.mp4"))], true)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?])?;
    site.set("sensors", "broker", &sensors.url())?;
    site.edit(|text| {
        let serial = format!("serial:{}", port.path().display());
        format!(
            "{text}\n[patrol]\nperiod_s = {PERIOD_S}\n\
             \n[[sensor]]\nid = \"smoke-1\"\nkind = \"smoke\"\ntopic = \"sensors/bin-1\"\nunit = \"ppm\"\n\
             max_age_s = 600\nalarm_above = 50.0\nalarm_for_s = 0\n\
             \n[[sensor]]\nid = \"bin-2\"\nkind = \"bin_level\"\nsource = {serial:?}\nunit = \"%\"\n\
             max_age_s = {MAX_AGE_S}\n"
        )
    })?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start_on_time(&site)?;

    // The cloth. Until then the camera was only learning.
    let covered = centre.message_where("camera.state", "covered", |m| m["data"]["why"] == "covered")?;
    not_yet(&centre, "camera_blind");
    degraded_at_once(&centre, ms(&covered["data"]["since"])?, "camera_blind", ("camera_id", "cam1".into()))?;

    // A smoke alarm, and nobody has cleared it.
    not_yet(&centre, "sensor_alarm");
    kerbside_testkit::sensors::publish(&sensors, ["-m", r#"{"value": 82.0, "unit": "ppm"}"#])?;
    let alarm = centre.message_where("sensor.alarm", "smoke", |m| m["data"]["sensor"] == "smoke-1")?;
    degraded_at_once(&centre, ms(&alarm["time"])?, "sensor_alarm", ("sensor", "smoke-1".into()))?;

    // A sensor that was there, and whose cable is pulled.
    port.say("{\"value\": 40.0, \"unit\": \"%\"}\n")?;
    let read = centre.message_where("sensor.observation", "bin", |m| m["data"]["sensor"] == "bin-2")?;
    drop(port);
    let silent_ms = ms(&read["data"]["phenomenonTime"])? + MAX_AGE_S * 1000;
    let report = degraded_at_once(&centre, silent_ms, "sensor_silent", ("sensor", "bin-2".into()))?;
    let sensors = report["data"]["sensors"].as_array().context("no sensors")?;
    let cut_off = sensors.iter().find(|s| s["sensor"] == "bin-2").context("not listed")?;
    assert_eq!((&cut_off["condition"], &cut_off["value"]), (&"silent".into(), &40.0.into()), "{report}");

    // Nobody vouches for the clock any more; the box asks once a minute.
    not_yet(&centre, "clock_unvouched");
    Agent::discipline(&site, false)?;
    let lost = agent.logged("a clock that nobody vouches for", kerbside_testkit::LIMIT, |e| {
        e["message"] == "the wall clock's quality" && e["quality"] == "None"
    })?;
    let report =
        degraded_at_once(&centre, ms(&lost["timestamp"])?, "clock_unvouched", ("camera_id", Value::Null))?;
    assert_eq!(report["data"]["clock"]["synced"], false, "{report}");
    agent.stop()
}
