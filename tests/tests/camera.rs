//! Cameras fail in their own ways; each way has its name, costs that camera only, and ends when the camera is back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use anyhow::Result;
use kerbside_testkit::{Agent, Broker, Cameras, Centre, LIMIT, Site, clip, free_port};

/// `stall_after_s` is 5; silence must be told within this, s.
const SILENCE_S: f64 = 10.0;

#[test]
fn a_dead_camera_is_named_and_the_other_goes_on_freezes_and_comes_back() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let cameras = Cameras::serve(&[("/cam1", &clip("quiet-day.mp4"))], true)?;
    let nobody = format!("rtsp://127.0.0.1:{}/cam2", free_port()?);
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?, &nobody])?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start(&site)?;

    // Nobody answers for the second; the first is watched all the same, and the centre knows of both.
    agent.camera_state(1, "Off(Unreachable)", 0, LIMIT)?;
    agent.watching("cam1")?;
    let health = centre.message_where("device.health", "with both cameras", |h| {
        h["data"]["cameras"]["cam2"] != serde_json::Value::Null
    })?;
    let cam2 = health["data"]["cameras"]["cam2"].to_string();
    assert!(cam2.contains("off"), "{health}");
    assert_eq!(agent.get("/healthz")?.0, "HTTP/1.1 200 OK");

    // The first keeps its connection but sends no more.
    cameras.pause()?;
    let silent = agent.camera_state(0, "Off(Silent)", 0, LIMIT)?;
    // Counted from the last packet that came, however long a busy machine took over those before it.
    let s = silent["why"]
        .as_str()
        .and_then(|w| w.strip_prefix("no packet for ")?.strip_suffix(" s")?.parse().ok());
    assert!(s.is_some_and(|s: f64| (5.0..=SILENCE_S).contains(&s)), "{silent}");
    cameras.resume()?;
    agent.camera_state(0, "Watching", 1, LIMIT)?;
    assert_eq!(agent.get("/healthz")?.0, "HTTP/1.1 200 OK");
    agent.stop()?;
    assert!(centre.messages("matter.opened").is_empty(), "a camera that fails is no incident");
    Ok(())
}

#[test]
fn a_camera_that_is_switched_off_is_seen_again_when_it_is_back() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let quiet = clip("quiet-day.mp4");
    let cameras = Cameras::serve(&[("/cam1", &quiet)], true)?;
    let (url, port) = (cameras.url(0)?.to_owned(), cameras.port()?);
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[&url])?;
    let agent = Agent::start(&site)?;
    agent.camera_state(0, "Watching", 0, LIMIT)?;
    drop(cameras);
    let off = |e: &serde_json::Value| {
        e["message"] == "source state"
            && e["state"].as_str().is_some_and(|s| s.starts_with("Off(") && s != "Off(Connecting)")
    };
    agent.logged("state of the switched-off camera", LIMIT, off)?;
    let _back = Cameras::serve_on(port, &[("/cam1", &quiet)], true)?;
    agent.camera_state(0, "Watching", 1, LIMIT)?;
    agent.stop()
}
