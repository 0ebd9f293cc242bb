//! The centre commands a box through a real broker: what it signed is done once, whatever else is refused, over `kill -9` too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::clips::sha256;
use kerbside_testkit::{Agent, Broker, Cameras, Centre, LIMIT, Site, clip, command};
use serde_json::Value;

#[test]
fn the_centre_and_nobody_else_commands_a_box() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let cameras = Cameras::serve(&[("/cam1", &clip("bag-left.mp4"))], true)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?])?;
    let (ours, theirs) = (dir.path().join("ops.key"), dir.path().join("thief.key"));
    let public = key(&ours)?;
    key(&theirs)?;
    site.edit(|text| text.replacen("[models]", &format!("{public}\n[models]"), 1))?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start_on_time(&site)?;
    let opened = centre.message("matter.opened")?;
    let incident = opened["data"]["incident_id"].as_str().context("no id")?.to_owned();

    // A recheck: an answer, and a matter of its own with a picture.
    let recheck = ["recheck", "--incident", &incident, "--id", "c-recheck"];
    let (code, first) = send(&broker, &ours, &recheck)?;
    ensure!(code == Some(0), "{first}");
    assert_eq!(first["data"]["detail"]["incident_id"], incident.as_str());
    assert_eq!(first["data"]["detail"]["result"], "persisting", "{first}");
    let recheck_matter = centre.message("matter.recheck")?;
    assert_eq!(recheck_matter["data"]["recheck"]["result"], "persisting");
    assert_eq!(recheck_matter["data"]["recheck"]["commands"][0], "c-recheck");
    let after = centre.until("an available picture after it", "matter.updated", LIMIT, |all| {
        let mut evidence = all.iter().filter_map(|m| m["data"]["evidence"].as_array()).flatten();
        evidence.find(|e| e["role"] == "after" && e["state"] == "available").cloned()
    })?;
    is_on_the_disk(&site, &after)?;

    // A picture by order.
    let (code, snapshot) = send(&broker, &ours, &["snapshot", "--camera", "cam1"])?;
    ensure!(code == Some(0), "{snapshot}");
    let files = snapshot["data"]["detail"]["files"].as_array().context("no files")?;
    files.iter().try_for_each(|file| is_on_the_disk(&site, file))?;
    assert!(files.iter().any(|f| f["path"].as_str().unwrap().ends_with(".jpg")), "{snapshot}");

    // Signed by somebody else; for an incident that is none; with a verb that does not exist.
    for (key, args, why) in [
        (&theirs, &["restart"][..], "signature"),
        (&ours, &["recheck", "--incident", "01UNKNOWN"], "no such incident"),
        (&ours, &["shell", "--args", "{\"run\": \"reboot\"}"], "unknown verb"),
        (&ours, &["snapshot", "--camera", "cam9"], "no such camera"),
    ] {
        let (code, reply) = send(&broker, key, args)?;
        assert_eq!(code, Some(70), "{reply}");
        assert_eq!(reply["data"]["result"], "refused", "{reply}");
        assert!(reply["data"]["reason"].as_str().unwrap().contains(why), "{reply}");
    }
    // Retained, a true one all the same: it lies at the broker for ever and must never be obeyed from there.
    retain(&broker, &ours)?;
    let refused = |agent: &Agent| {
        agent.logged("refusal of the retained command", LIMIT, |e| {
            e["refusal"].as_str().is_some_and(|r| r.contains("retained"))
        })
    };
    refused(&agent)?;

    // Killed, and the same command again: the stored answer, and nobody looks again.
    agent.kill()?;
    let agent = Agent::start_on_time(&site)?;
    refused(&agent)?;
    let (_, again) = send(&broker, &ours, &recheck)?;
    assert_eq!((&again["id"], &again["sequence"]), (&first["id"], &first["sequence"]), "{again}");

    // It goes when it is told to, and says so first.
    let (code, reply) = send(&broker, &ours, &["restart"])?;
    ensure!(code == Some(0), "{reply}");
    let status = agent.wait(LIMIT)?;
    assert_eq!(status.code(), Some(75));
    let rechecks = centre.messages("matter.recheck");
    assert_eq!(rechecks.len(), 1, "{rechecks:?}");
    Ok(())
}

/// A key of the centre; what goes into the site.
fn key(path: &Path) -> Result<String> {
    let output = command(&["key", "new", &path.to_string_lossy()])?.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.replace("\"thief\"", "\"ops\""))
}

fn sender(broker: &Broker, key: &Path, args: &[&str]) -> Result<Command> {
    let mut send = command(&["command"])?;
    send.args(args).args(["--broker", &broker.url(), "--division", "310112", "--edge", "demo-box-01"]);
    send.args(["--key-id", "ops", "--actor", "desk-3", "--key"]).arg(key);
    Ok(send)
}

/// Exit code and answer of one command.
fn send(broker: &Broker, key: &Path, args: &[&str]) -> Result<(Option<i32>, Value)> {
    let output = sender(broker, key, args)?.output()?;
    let reply = serde_json::from_slice(&output.stdout);
    let reply = reply.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok((output.status.code(), reply))
}

fn retain(broker: &Broker, key: &Path) -> Result<()> {
    let output = sender(broker, key, &["restart", "--print", "--expires", "86400"])?.output()?;
    let text = String::from_utf8(output.stdout)?;
    let (topic, body) = text.trim_end().split_once(' ').context("no topic")?;
    broker.publish_retained(topic, ["-m", body])
}

fn is_on_the_disk(site: &Site, file: &Value) -> Result<()> {
    let path = site.evidence_dir().join(file["path"].as_str().context("no path")?);
    assert_eq!(file["sha256"], sha256(&path)?, "{file}");
    Ok(())
}
