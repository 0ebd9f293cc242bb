//! A camera's password stands nowhere but in the site file, wherever in the address it is written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use anyhow::{Result, ensure};
use kerbside_testkit::rtsp::{Camera, Film, Login, Quirk, Scheme};
use kerbside_testkit::{Agent, Broker, Centre, LIMIT, Site, command, free_port};

const CANARY: &str = "SECRET9";

/// Everything that the box wrote: log, pages, messages, journal, what `check`, `doctor` and `journal show` print.
#[test]
fn no_password_of_a_camera_leaves_the_site_file() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let nobody = free_port()?;
    let input = ["-f", "lavfi", "-t", "2", "-i", "testsrc=size=320x180:rate=10"];
    let film = Film::encode(dir.path(), "film", &input, 10)?;
    let strict = Camera::odd(film, vec![Quirk::Asks(Login::new(Scheme::DigestSha256, "admin", "other"))])?;
    let at = format!("127.0.0.1:{nobody}");
    let urls = [
        format!("rtsp://{at}/user=admin_password={CANARY}_channel=1_stream=1.sdp"),
        format!("http://{at}/flv?port=1935&app=bcs&user=admin&password={CANARY}"),
        format!("rtsp://admin:pa#{CANARY}@{at}/s1"),
        format!("rtsp://admin:pa/{CANARY}@{at}/s1"),
        format!("rtsps://admin:{CANARY}@{at}/s1"),
        strict.url_with(&format!("admin:{CANARY}@")),
        format!("{}?token={CANARY}", strict.url()),
    ];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &urls)?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start(&site)?;
    for camera in 0..5 {
        agent.camera_state(camera, "Off(Unreachable)", 0, LIMIT)?;
    }
    for camera in 5..7 {
        agent.camera_state(camera, "Off(Unauthorised)", 0, LIMIT)?;
    }
    let health = centre.message_where("device.health", "with a reason", |h| {
        h["data"]["cameras"]["cam6"]["reason"] == "unauthorised"
    })?;
    ensure!(health["data"]["cameras"]["cam1"]["reason"] == "unreachable", "{health}");
    let metrics = agent.get("/metrics")?.1;
    ensure!(metrics.contains("kerbside_camera_off{camera=\"cam6\",reason=\"unauthorised\"} 1"), "{metrics}");
    let mut written =
        vec![metrics, agent.get("/healthz")?.1, agent.log().join("\n"), centre.lines().join("\n")];
    agent.stop()?;
    let site_file = site.path().to_string_lossy().into_owned();
    let journal = site.data_dir().join("journal").to_string_lossy().into_owned();
    for arguments in [&["check", &site_file][..], &["doctor", &site_file], &["journal", "show", &journal]] {
        let output = command(arguments)?.output()?;
        written.push(String::from_utf8_lossy(&output.stdout).into_owned());
        written.push(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    for entry in std::fs::read_dir(site.data_dir().join("journal"))? {
        written.push(String::from_utf8_lossy(&std::fs::read(entry?.path())?).into_owned());
    }
    // An address that cannot be read is refused without its secret.
    site.edit(|text| text.replacen("rtsp://admin:pa/", "rtsp://admin:12/", 1))?;
    let refused = command(&["check", &site_file])?.output()?;
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(refused.contains("two ways") && refused.contains("%2F"), "{refused}");
    written.push(refused);
    for text in &written {
        let line = text.lines().find(|line| line.contains(CANARY));
        ensure!(line.is_none(), "{line:?}");
    }
    ensure!(written.iter().any(|text| text.contains("***")), "something was hidden");
    Ok(())
}
