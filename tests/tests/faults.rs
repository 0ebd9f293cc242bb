//! Frames may be lost, incidents may not: the broker dies, the agent is killed, and the centre still hears of every incident,
//! once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::{Agent, Broker, Cameras, Centre, LIMIT, Site, clip};
use kerbside_tests::journal::matters;
use serde_json::Value;

#[test]
fn a_dead_broker_and_two_kills_cost_no_incident() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut broker = Broker::start(dir.path())?;
    // Every new client sees the scene from its start, and again and again: the bag is left anew in each round.
    let cameras = Cameras::serve(&[("/cam1", &clip("bag-left.mp4"))], true)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?])?;
    let centre = Centre::start(&broker)?;

    // Killed while the scene is watched, before anything happened.
    let agent = Agent::start(&site)?;
    agent.watching("cam1")?;
    agent.kill()?;

    // The broker is away from before the incident until long after it; the agent is killed when pictures are durable.
    let agent = Agent::start(&site)?;
    agent.watching("cam1")?;
    broker.kill()?;
    let opened = agent.reported("Opened", "dwell")?;
    agent.reported("Updated", "evidence")?;
    agent.kill()?;
    ensure!(centre.messages("matter.opened").is_empty(), "the broker was dead");

    let agent = Agent::start(&site)?;
    broker.resume()?;
    let first = centre.message("matter.opened")?;
    assert_eq!(first["data"]["incident_id"], opened["incident"]);
    // The bag is carried away and left again where it was: another revision of the same incident, if anything.
    agent.watching("cam1")?;
    let restored =
        agent.logged("incidents of the last run", LIMIT, |e| e["message"] == "incidents of the last run")?;
    assert_eq!(restored["restored"], 1, "{restored}");
    agent.reported("Updated", "reappeared").or_else(|_| agent.reported("Cleared", "gone"))?;
    agent.stop()?;

    let all: BTreeSet<String> = matters(&site)?.into_iter().collect();
    let received = centre.until_lines("every report of the journal", |lines| {
        let received = received(lines);
        all.iter().all(|id| received.contains(id)).then_some(received)
    })?;
    let once: BTreeSet<&String> = received.iter().collect();
    assert_eq!(once.len(), received.len(), "after de-duplication each report comes once: {received:?}");
    assert_eq!(
        once.into_iter().cloned().collect::<BTreeSet<_>>(),
        all,
        "and none that is not in the journal"
    );
    assert_eq!(centre.messages("matter.opened").len(), 1, "one bag, one incident");

    // What is left on the disk is whole: the agent starts again and tells nothing anew.
    let agent = Agent::start(&site)?;
    agent.watching("cam1")?;
    agent.stop()?;
    matters(&site).context("after the last start")?;
    assert_eq!(centre.messages("matter.opened").len(), 1);
    Ok(())
}

/// Ids of all matters that came, in order.
fn received(lines: &[String]) -> Vec<String> {
    let events = lines.iter().filter_map(|l| serde_json::from_str::<Value>(l).ok());
    let matters = events.filter(|e| e["type"].as_str().is_some_and(|t| t.starts_with("kerbside.matter.")));
    matters.filter_map(|e| Some(e["id"].as_str()?.to_owned())).collect()
}
