//! A reading on the box's own broker and the sentences of a GNSS receiver travel the line to the centre.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use std::io::Write as _;
use std::net::TcpListener;

use anyhow::Result;
use kerbside_testkit::sensors::{gga, publish};
use kerbside_testkit::{Agent, Broker, Centre, LIMIT, Site, free_port};

const SENSORS: &str = r#"
[[sensor]]
id = "bin-1"
kind = "bin_level"
topic = "sensors/bin-1"
unit = "%"
max_age_s = 600
alarm_above = 85.0
alarm_for_s = 1
"#;

#[test]
fn readings_and_position_reach_the_centre() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let local = tempfile::tempdir()?;
    let sensors = Broker::start(local.path())?;
    let receiver = TcpListener::bind("127.0.0.1:0")?;
    // The camera is dead: the box's other senses do not depend on it.
    let camera = format!("rtsp://127.0.0.1:{}/cam1", free_port()?);
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[&camera])?;
    site.add_sensors(&sensors, receiver.local_addr()?, SENSORS)?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start(&site)?;

    let (mut sentences, _) = receiver.accept()?;
    for second in 0..5 {
        sentences.write_all(gga(second, 31.1124, 0).as_bytes())?;
    }
    let position = centre.message("device.position")?;
    let (lon, lat) = (position["data"]["lon_deg"].as_f64(), position["data"]["lat_deg"].as_f64());
    assert!(
        lon.is_some_and(|l| (l - 121.37608).abs() < 1e-4) && lat.is_some_and(|l| (l - 31.1124).abs() < 1e-4),
        "{position}"
    );
    assert!(position["data"]["source"].as_str().is_some_and(|s| s.starts_with("gnss")), "{position}");

    // Retained, so that it is there whenever the agent subscribes.
    publish(&sensors, ["-m", r#"{"value": 91.5, "unit": "%"}"#])?;
    let observed = centre.message("sensor.observation")?;
    let data = &observed["data"];
    assert_eq!((&data["sensor"], &data["unitOfMeasurement"]), (&"bin-1".into(), &"%".into()), "{observed}");
    assert_eq!(data["result"], 91.5);
    assert!(data["phenomenonTime"].is_string() && data["resultTime"].is_string(), "{observed}");

    // What is no reading is no observation, and harms nothing; the next reading comes through.
    publish(&sensors, ["-m", "{not json"])?;
    publish(&sensors, ["-m", r#"{"value": 92.0, "unit": "m"}"#])?;
    publish(&sensors, ["-m", r#"{"value": 93.0}"#])?;
    let all = centre.until("second observation", "sensor.observation", LIMIT, |all| {
        (all.len() >= 2).then(|| all.to_vec())
    })?;
    assert_eq!(all[1]["data"]["result"], 93.0, "{all:?}");
    agent.stop()
}
