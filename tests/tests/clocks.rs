//! A box that wakes up in 1970, as one without a battery does, and one whose data folder was emptied.

#![allow(clippy::unwrap_used)] // A test may end by a panic in its helpers too.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::{Agent, Broker, Cameras, Centre, Site, clip, command, program};
use serde_json::Value;

/// Fakes the wall clock of a program, and no other.
fn faketime() -> Option<PathBuf> {
    let name = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    Some(PathBuf::from(name)).filter(|library| library.is_file())
}

/// `kerbside run` on a machine whose time service says that its clock is disciplined, or that it is not.
fn run(site: &Site, disciplined: &str) -> Result<Command> {
    let bin = site.path().with_file_name(format!("bin-{disciplined}"));
    std::fs::create_dir_all(&bin)?;
    let timedatectl = bin.join("timedatectl");
    std::fs::write(&timedatectl, format!("#!/bin/sh\necho {disciplined}\n"))?;
    std::fs::set_permissions(&timedatectl, std::fs::Permissions::from_mode(0o755))?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut run = command(&["run", "--config", &site.path().to_string_lossy()])?;
    run.env("PATH", format!("{}:{path}", bin.display()));
    Ok(run)
}

/// Any message of an incident with that cause.
fn caused(centre: &Centre, cause: &str) -> Result<Value> {
    centre.message_where("matter.updated", cause, |m| m["data"]["reported_because"] == cause)
}

#[test]
fn what_a_box_saw_in_1970_is_kept_and_the_centre_hears_its_true_date() -> Result<()> {
    let test = "clocks::what_a_box_saw_in_1970";
    let Some(library) = faketime() else { return program::skipped(test, "libfaketime is not installed") };
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return program::skipped(test, "this machine's time service vouches for any clock");
    }
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let cameras = Cameras::serve(&[("/cam1", &clip("bag-left.mp4"))], true)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?])?;
    // An acknowledged incident: nothing but its age protects it.
    site.edit(|text| text.replacen("[centre]", "[centre]\nreceipts = false", 1))?;
    let centre = Centre::start(&broker)?;

    let mut in_1970 = run(&site, "no")?;
    in_1970.env("LD_PRELOAD", library).env("FAKETIME", "@1970-01-01 00:00:20");
    in_1970.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("FAKETIME_DISABLE_SHM", "1");
    let agent = Agent::launch(in_1970)?;
    let opened = centre.message("matter.opened")?;
    let first_seen = opened["data"]["first_seen"].as_str().context("no date")?;
    ensure!(first_seen.starts_with("1970-01-01") && opened["data"]["clock"]["synced"] == false, "{opened}");
    let saved = caused(&centre, "evidence")?;
    let file = saved["data"]["evidence"][0]["path"].as_str().context("no file")?.to_owned();
    ensure!(file.starts_with("1970-01-01/"), "{file}");
    agent.stop()?;

    let agent = Agent::launch(run(&site, "yes")?)?;
    let corrected = caused(&centre, "clock")?;
    assert_eq!(corrected["data"]["incident_id"], opened["data"]["incident_id"]);
    assert_eq!(corrected["data"]["clock"]["synced"], true, "{corrected}");
    let first_seen = corrected["data"]["first_seen"].as_str().context("no date")?;
    ensure!(first_seen > "2026", "{corrected}");
    // Old evidence is looked for at the first tick, before this message comes.
    ensure!(site.evidence_dir().join(&file).is_file(), "{file} is gone");
    let log = agent.log();
    ensure!(!log.iter().any(|line| line.contains("old evidence deleted")), "{log:#?}");
    agent.stop()
}

#[test]
fn an_emptied_data_folder_is_not_started_upon_until_somebody_adopts_it() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &["rtsp://127.0.0.1:9/none"])?;
    let path = site.path().to_string_lossy().into_owned();
    let lived = || -> Result<(String, String)> {
        let agent = Agent::start(&site)?;
        agent.connected()?;
        // Retained: whoever comes now reads it.
        let centre = Centre::start(&broker)?;
        let birth = centre.message_where("device.state", "online", |m| m["data"]["state"] == "online")?;
        agent.stop()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok((text(&birth["id"]), text(&birth["data"]["journal_id"])))
    };
    let first = lived()?;

    std::fs::remove_dir_all(site.data_dir())?;
    for made in [false, true] {
        if made {
            // The mount point without its disk.
            std::fs::create_dir_all(site.data_dir())?;
        }
        let refused = command(&["run", "--config", &path])?.output()?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(78), "{said}");
        ensure!(said.contains(&format!("kerbside adopt --config {path}")) && said.contains("数据"), "{said}");
        ensure!(!site.data_dir().join("journal").exists(), "a journal was begun");
    }
    let doctor = command(&["doctor", &path])?.output()?;
    ensure!(String::from_utf8_lossy(&doctor.stdout).contains("kerbside adopt"), "doctor does not say it");
    let adopted = command(&["adopt", "--config", &path])?.output()?;
    assert_eq!(adopted.status.code(), Some(0), "{adopted:?}");

    let second = lived()?;
    ensure!(first.0 != second.0 && first.1 != second.1, "{first:?} {second:?}: an id is used again");
    Ok(())
}
