//! SIGHUP: the site file is read again while the box runs. Other signals end nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::{Agent, Broker, Centre, Site, command, free_port};
use rustix::process::{Signal, kill_process};
use serde_json::Value;

fn key(path: &Path, more: &str) -> Result<String> {
    let output = command(&["key", "new", &path.to_string_lossy()])?.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)? + more)
}

/// Exit code and answer of one command, signed by that key.
fn send(broker: &Broker, key: &Path, verb: &[&str]) -> Result<(Option<i32>, Value)> {
    let mut send = command(&["command"])?;
    send.args(verb).args(["--broker", &broker.url(), "--division", "310112", "--edge", "demo-box-01"]);
    let id = key.file_stem().context("no name")?.to_string_lossy();
    let output = send.args(["--key-id", &id, "--actor", "desk-3", "--key"]).arg(key).output()?;
    let answer = serde_json::from_slice(&output.stdout);
    let answer = answer.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned());
    Ok((output.status.code(), answer.unwrap_or_default()))
}

#[test]
fn keys_are_withdrawn_and_a_broken_file_changes_nothing_while_the_box_runs() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    // No camera answers: keys and signals do not depend on one.
    let camera = format!("rtsp://127.0.0.1:{}/cam1", free_port()?);
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[&camera])?;
    let (ops, desk) = (dir.path().join("ops.key"), dir.path().join("desk.key"));
    let first = key(&ops, "")?;
    let second = key(&desk, "scope = [\"log.pull\"]\n")?;
    site.edit(|text| text.replacen("[models]", &format!("{first}\n[models]"), 1))?;
    let _centre = Centre::start(&broker)?;
    let agent = Agent::start_on_time(&site)?;
    agent.connected()?;
    let signal = |signal| -> Result<usize> {
        let lines = agent.log().len();
        kill_process(agent.pid().context("no process")?, signal)?;
        Ok(lines)
    };
    let pull = ["log.pull", "--args", "{\"last\": 1}"];
    let snapshot = ["snapshot"];
    assert_eq!(send(&broker, &ops, &pull)?.0, Some(0));

    // Another key, with a narrower scope; a host that must wait.
    site.edit(|text| {
        text.replacen(&first, &second, 1).replacen("[centre]\n", "[centre]\nkeep_alive_s = 40\n", 1)
    })?;
    let lines = signal(Signal::HUP)?;
    agent.logged_after(lines, "the file in force", |e| {
        e["message"].as_str().is_some_and(|m| m.starts_with("the site file was read again"))
    })?;
    let (code, refused) = send(&broker, &ops, &pull)?;
    assert_eq!(code, Some(70), "{refused}");
    assert!(refused["data"]["reason"].as_str().unwrap().contains("not configured"), "{refused}");
    assert_eq!(send(&broker, &desk, &pull)?.0, Some(0));
    let (_, refused) = send(&broker, &desk, &snapshot)?;
    assert!(refused["data"]["reason"].as_str().unwrap().contains("may not sign snapshot"), "{refused}");

    // A file with a mistake: said with its place, and nothing changes.
    let good = std::fs::read_to_string(site.path())?;
    site.edit(|text| text.replacen("edge_id =", "edge_idd =", 1))?;
    let lines = signal(Signal::HUP)?;
    let said = agent.logged_after(lines, "the mistake", |e| {
        e["message"].as_str().is_some_and(|m| m.contains("unknown key `edge_idd`"))
    })?;
    assert!(said["line"].as_u64().is_some() && said["column"].as_u64().is_some(), "{said}");
    assert_eq!(send(&broker, &desk, &pull)?.0, Some(0), "the old file is in force");
    std::fs::write(site.path(), good)?;

    for other in [Signal::USR1, Signal::USR2, Signal::ALARM] {
        let lines = signal(other)?;
        agent.logged_after(lines, "a word about the signal", |e| {
            e["message"].as_str().is_some_and(|m| m.starts_with("a signal that means nothing here"))
        })?;
    }
    agent.stop()
}

#[test]
fn a_box_that_demands_signatures_takes_the_centres_word_and_no_other() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let camera = format!("rtsp://127.0.0.1:{}/cam1", free_port()?);
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[&camera])?;
    let desk = dir.path().join("desk.key");
    let public = key(&desk, "scope = [\"receipt\", \"case\", \"log.pull\"]\n")?;
    site.edit(|text| {
        let text = text.replacen("[centre]\n", "[centre]\nrequire_signed = [\"receipt\", \"case\"]\n", 1);
        text.replacen("[models]", &format!("{public}\n[models]"), 1)
    })?;
    let agent = Agent::start_on_time(&site)?;
    agent.connected()?;
    let root = "cg/v1/310112/demo-box-01";
    let unsigned = r#"{"specversion":"1.0","type":"kerbside.case.state.v1","data":{"incident_id":"01J","state":"closed"}}"#;
    broker.publish_retained(&format!("{root}/case"), ["-m", unsigned])?;
    agent.logged("the refusal", kerbside_testkit::LIMIT, |e| {
        e["refusal"].as_str().is_some_and(|why| why.contains("not the centre's word: not signed"))
    })?;
    // The same from `kerbside command`, signed.
    let (code, _) =
        send(&broker, &desk, &["case", "--args", r#"{"incident_id": "01J", "state": "closed"}"#])?;
    assert_eq!(code, Some(0));
    let pulled =
        send(&broker, &desk, &["log.pull", "--args", r#"{"kinds": ["case", "refused"], "last": 9}"#])?.1;
    let records = pulled["data"]["detail"]["records"].to_string();
    assert!(records.contains("signed_by") && records.contains("not signed"), "{pulled}");
    agent.stop()
}
