//! What hangs on the box beside cameras: sensors and a GNSS receiver travel the line to the centre, and a rule speaks at the place.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use std::io::Write as _;
use std::net::TcpListener;

use anyhow::Result;
use kerbside_testkit::sensors::{gga, publish};
use kerbside_testkit::{Agent, Broker, Cameras, Centre, LIMIT, Site, clip, free_port};

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

/// A bag lies there from 11.7 to 34.2 s. The rule warns after 10 s and would open a minute later: it is taken away in time.
#[test]
fn what_goes_away_after_a_warning_is_settled() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let local = tempfile::tempdir()?;
    let own = Broker::start(local.path())?;
    let source = clip("bag-removed.mp4");
    let cameras = Cameras::serve(&[("/cam1", &source)], false)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?])?;
    let (sound, said) = (dir.path().join("move-on.wav"), dir.path().join("said"));
    std::fs::write(&sound, "请勿占道\n")?;
    let play = format!("cat \"$0\" >> {}", said.display());
    site.set("sensors", "broker", &own.url())?;
    site.edit(|text| {
        let warn = "clear_after_s = 6\n\n  [camera.zone.rule.warn]\n  by = [\"loud\", \"sign\"]\n  wait_s = 60\n";
        let outputs = format!(
            "\n[[output]]\nid = \"loud\"\nkind = \"player\"\nprogram = [\"sh\", \"-c\", {play:?}]\nfile = {sound:?}\n\
             \n[[output]]\nid = \"sign\"\nkind = \"mqtt\"\ntopic = \"signs/1\"\npayload = \"move on\"\n"
        );
        text.replacen("clear_after_s = 6\n", warn, 1) + &outputs
    })?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start(&site)?;

    let settled = centre.message("matter.settled")?;
    let data = &settled["data"];
    assert_eq!((&data["state"], &data["revision"]), (&"settled".into(), &1.into()), "{settled}");
    assert_eq!(data["reasons"]["warning"], "spoken", "{settled}");
    assert_eq!(std::fs::read_to_string(&said)?, "请勿占道\n", "one warning, spoken once");
    own.logged("the sign's message", |line| line.contains("demo-box-01-outputs"))?;
    let named = centre.message_where("matter.updated", "with the pictures", |m| {
        m["data"]["evidence"].as_array().is_some_and(|e| e.iter().any(|i| i["role"] == "after"))
    })?;
    let roles = named["data"]["evidence"].as_array().unwrap().iter().map(|i| i["role"].as_str().unwrap());
    let roles: Vec<&str> = roles.collect();
    assert!(roles.contains(&"before") && named["data"]["state"] == "settled", "{named}");
    assert!(centre.messages("matter.opened").is_empty(), "nobody is sent");
    agent.stop()
}
