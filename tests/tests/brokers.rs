//! The real program before brokers that are not as they should be: what is wrong stands in the log, on the health page, in the
//! metrics, in `device.health` and in what `doctor` says, each with its cure; and reports go on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use std::path::Path;

use anyhow::Result;
use kerbside_testkit::{Agent, Broker, Centre, Does, LIMIT, QuirkyBroker, Site, command, free_port};
use serde_json::Value;

/// A site whose camera is dead: the link does not depend on it.
fn site(dir: &Path, broker: &Broker) -> Result<Site> {
    let camera = format!("rtsp://127.0.0.1:{}/cam1", free_port()?);
    let site = Site::of_scene(dir, "kerb-day.site.toml", broker, &[&camera])?;
    Ok(site)
}

/// What `doctor` says of the site.
fn doctor(site: &Site) -> Result<String> {
    let output = command(&["doctor", &site.path().to_string_lossy()])?.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The problem in the log, with its cure.
fn logged(agent: &Agent, problem: &str) -> Result<Value> {
    agent.logged(&format!("{problem} in the log"), LIMIT, |e| {
        e["problem"] == problem && e["cure"].as_str().is_some_and(|cure| !cure.is_empty())
    })
}

#[test]
fn refused_subscriptions_are_named_everywhere() -> Result<()> {
    for (protocol, reason) in [("5", "not authorized"), ("3.1.1", "unspecified error")] {
        let dir = tempfile::tempdir()?;
        let quirky = QuirkyBroker::start(Does::RefusesSubscription { end: "" })?;
        let broker = Broker::start(dir.path())?;
        let site = site(dir.path(), &broker)?;
        site.set("centre", "url", &format!("mqtt://127.0.0.1:{}", quirky.port()))?;
        site.set("centre", "protocol", protocol)?;
        // The health page at a port that doctor knows too.
        site.set("health", "listen", &format!("127.0.0.1:{}", free_port()?))?;
        let agent = Agent::start(&site)?;
        let what = logged(&agent, "subscriptions_refused")?["what"].to_string();
        assert!(what.contains("/receipt") && what.contains(reason), "{what}");
        let (status, page) = agent.get("/healthz")?;
        assert!(status.contains("200"), "reports still go: {status}");
        let page: Value = serde_json::from_str(&page)?;
        assert_eq!(page["link"]["state"], "up", "{page}");
        assert_eq!(page["link"]["problems"][0]["problem"], "subscriptions_refused", "{page}");
        agent
            .until_metric("kerbside_link_problem", &["subscriptions_refused"], "the problem", |n| n == 1.0)?;
        agent.until_metric("kerbside_link_state", &["up"], "the link's state", |n| n == 1.0)?;
        // A running agent is asked: doctor takes no session away.
        let connects = quirky.read(|s| s.connects.len());
        let said = doctor(&site)?;
        assert!(said.contains("refuses the subscription") && said.contains("receipts = false"), "{said}");
        assert_eq!(quirky.read(|s| s.connects.len()), connects);
        agent.stop()?;
        // Without one it tries the broker itself.
        let said = doctor(&site)?;
        assert!(said.contains("lets this box in") && said.contains("refuses the subscription"), "{said}");
    }
    Ok(())
}

#[test]
fn two_boxes_of_one_name_are_named_in_log_and_health() -> Result<()> {
    let dirs = [tempfile::tempdir()?, tempfile::tempdir()?];
    let broker = Broker::start(dirs[0].path())?;
    let centre = Centre::start(&broker)?;
    let sites = [site(dirs[0].path(), &broker)?, site(dirs[1].path(), &broker)?];
    let agents = [Agent::start(&sites[0])?, Agent::start(&sites[1])?];
    for agent in &agents {
        let what = logged(agent, "session_taken")?["what"].to_string();
        assert!(what.contains("edge_id used twice"), "{what}");
    }
    let health = centre.until("device.health that names it", "device.health", LIMIT, |all| {
        all.iter().find(|e| !e["data"]["link_problems"]["session_taken"].is_null()).cloned()
    })?;
    assert!(health["data"]["link"].is_string(), "{health}");
    for agent in agents {
        agent.stop()?;
    }
    Ok(())
}

#[test]
fn a_broker_of_3_1_1_alone_is_spoken_to_and_named() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let quirky = QuirkyBroker::start(Does::Speaks311Only)?;
    let broker = Broker::start(dir.path())?;
    let site = site(dir.path(), &broker)?;
    site.set("centre", "url", &format!("mqtt://127.0.0.1:{}", quirky.port()))?;
    let agent = Agent::start(&site)?;
    agent.connected()?;
    logged(&agent, "old_protocol")?;
    quirky.until("the birth", LIMIT, |s| s.taken.keys().find(|t| t.ends_with("/state")).cloned())?;
    agent.stop()?;
    Ok(())
}

/// It comes up and takes nothing: the link is up, and yet ill.
#[test]
fn a_link_that_brings_nothing_forward_is_ill() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let quirky = QuirkyBroker::start(Does::ClosesOn { end: "" })?;
    let broker = Broker::start(dir.path())?;
    let site = site(dir.path(), &broker)?;
    site.set("centre", "url", &format!("mqtt://127.0.0.1:{}", quirky.port()))?;
    site.set("health", "listen", &format!("127.0.0.1:{}", free_port()?))?;
    let agent = Agent::start(&site)?;
    agent.logged("no progress", LIMIT, |e| e["message"] == "link makes no progress")?;
    let (status, page) = agent.get("/healthz")?;
    let page: Value = serde_json::from_str(&page)?;
    assert!(status.contains("503") && page["healthy"] == false, "{status} {page}");
    assert_eq!(page["link"]["state"], "no_progress", "{page}");
    agent.until_metric("kerbside_link_state", &["no_progress"], "the state", |n| n == 1.0)?;
    let said = doctor(&site)?;
    assert!(said.contains("makes no progress"), "{said}");
    agent.stop()?;
    Ok(())
}
