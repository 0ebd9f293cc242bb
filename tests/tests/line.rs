//! The whole line on one clip: a camera over RTSP, the agent, mosquitto, the centre. Everything that an officer is promised.

#![allow(clippy::unwrap_used)] // A test may end by a panic in its helpers too.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::c2pa::Verifiers;
use kerbside_testkit::clips::{nal_units, sha256};
use kerbside_testkit::{Agent, Broker, Cameras, Centre, Site, clip};
use serde_json::Value;

/// The walker of bag-left.mp4 puts the bag down about here, s; from 17.8 s on it stands alone.
const BAG_PUT_DOWN_S: f64 = 12.6;
const FPS: f64 = 10.0;

#[test]
fn a_bag_left_before_the_camera_reaches_the_centre() -> Result<()> {
    first_light("5")
}

#[test]
fn a_bag_left_before_the_camera_reaches_a_centre_of_mqtt_3_1_1() -> Result<()> {
    first_light("3.1.1")
}

fn first_light(protocol: &str) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let source = clip("bag-left.mp4");
    let cameras = Cameras::serve(&[("/cam1", &source)], false)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?])?;
    site.set("centre", "protocol", protocol)?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start(&site)?;

    let opened = centre.message("matter.opened")?;
    the_contract_is_kept(&opened);
    let incident = &opened["data"]["incident_id"];
    let mut full = centre.message_where("matter.updated", "with an available clip", |m| {
        let evidence = m["data"]["evidence"].as_array();
        evidence.is_some_and(|e| e.iter().any(|i| i["role"] == "clip" && i["state"] == "available"))
    })?;
    assert_eq!(&full["data"]["incident_id"], incident);
    full["data"]["evidence"] = centre.evidence_of(incident).into();
    the_evidence_is_what_it_says(&site, &full, &source)?;
    others_verify_the_evidence(&site, &full)?;
    the_pages_answer(&agent)?;

    agent.stop()?;
    let last = centre.message_where("device.state", "offline", |e| e["data"]["state"] == "offline")?;
    assert_eq!(last["data"]["edge_id"], "demo-box-01");
    assert_eq!(centre.messages("matter.opened").len(), 1, "one bag, one incident");
    Ok(())
}

fn the_contract_is_kept(opened: &Value) {
    let data = &opened["data"];
    let id = data["incident_id"].as_str().unwrap();
    for (pointer, value) in [
        ("/specversion", "1.0"),
        ("/source", "urn:kerbside:310112:demo-box-01"),
        ("/id", &format!("{id}.0001")),
        ("/correlationid", id),
        ("/data/phase", "opened"),
        ("/data/kind", "waste.exposed"),
        ("/data/matter/scheme", "GB/T 47678.5-2026"),
        ("/data/matter/code", "06010"),
        ("/data/matter/code11", "31011206010"),
        ("/data/legal_status", "lead"),
        ("/data/device/edge_id", "demo-box-01"),
        ("/data/device/camera_id", "cam1"),
        ("/data/zone/rule", "sidewalk-no-dumping"),
        ("/data/location/properties/datum", "WGS84"),
        ("/data/location/properties/method", "homography"),
        ("/data/model/name", "street"),
    ] {
        assert_eq!(opened.pointer(pointer).and_then(Value::as_str), Some(value), "{pointer} in {opened}");
    }
    // A busy machine's looks may miss the walker; what may never differ is the act and its reason. Replays pin the act itself.
    let nobody = data["reasons"]["appeared_with"] == "nobody";
    assert_eq!(data["matter"]["act"], if nobody { "found_after" } else { "in_progress" }, "{opened}");
    let sequence = opened["sequence"].as_str().unwrap();
    assert!(sequence.len() == 20 && sequence.parse::<u64>().unwrap() > 0, "{sequence}");
    assert!(data["journal"]["n"].as_u64().unwrap() > 0);
    for hash in ["prev", "hash"] {
        assert!(data["journal"][hash].as_str().unwrap().starts_with("sha256:"), "{}", data["journal"]);
    }
    let lon_lat = data["location"]["geometry"]["coordinates"].as_array().unwrap();
    let near = |at: usize, wanted: f64| (lon_lat[at].as_f64().unwrap() - wanted).abs() < 0.001;
    assert!(near(0, 121.37608) && near(1, 31.1124), "{lon_lat:?}");
    assert!(
        data["evidence"].as_array().unwrap().iter().all(|e| e["state"] == "pending"),
        "{}",
        data["evidence"]
    );
    assert!(opened.to_string().len() <= 4096, "{} bytes", opened.to_string().len());
}

/// Every file is there, its hash is the one in the message and in the manifest, and the clip is the camera's own.
fn the_evidence_is_what_it_says(site: &Site, full: &Value, source: &Path) -> Result<()> {
    let items = full["data"]["evidence"].as_array().context("no evidence")?;
    let roles: Vec<&str> = items.iter().filter_map(|i| i["role"].as_str()).collect();
    for role in ["before", "trigger", "annotated", "clip", "manifest"] {
        ensure!(roles.contains(&role), "no {role} among {roles:?}");
    }
    let file = |item: &Value| Some(site.evidence_dir().join(item["path"].as_str()?));
    for item in items {
        let path = file(item).context("evidence without a path")?;
        assert_eq!(item["bytes"].as_u64(), Some(std::fs::metadata(&path)?.len()), "{item}");
        assert_eq!(item["sha256"], sha256(&path)?, "{item}");
    }
    let of_role =
        |role: &str| items.iter().rev().find(|i| i["role"] == role).and_then(&file).context("no file");
    let manifest: Value = serde_json::from_slice(&std::fs::read(of_role("manifest")?)?)?;
    let named = manifest["items"].as_array().context("an empty manifest")?;
    for item in items.iter().filter(|i| i["role"] != "manifest") {
        let same = |n: &&Value| n["path"] == item["path"] && n["sha256"] == item["sha256"];
        assert!(named.iter().any(|n| same(&n)), "{item} is not in {manifest}");
    }

    // Times of one box in one form: their order is that of their text.
    let (from, first_seen) = (manifest["clip"]["from"].as_str(), full["data"]["first_seen"].as_str());
    assert!(from.is_some() && from < first_seen, "the clip begins at {from:?}, seen first at {first_seen:?}");

    let (sent, kept) = (nal_units(source)?, nal_units(&of_role("clip")?)?);
    let begins = sent.windows(kept.len()).position(|run| run == kept);
    let begins = begins.context("the clip is no contiguous run of what the camera sent")? as f64 / FPS;
    let ends = begins + kept.len() as f64 / FPS;
    assert!(begins < BAG_PUT_DOWN_S && ends > BAG_PUT_DOWN_S, "the clip shows {begins} s to {ends} s");
    Ok(())
}

/// Tools that are not ours find every picture and the clip as the box signed them, and a changed byte in each.
fn others_verify_the_evidence(site: &Site, full: &Value) -> Result<()> {
    let Some(verifiers) = Verifiers::find("evidence of a running box, verified by others")? else {
        return Ok(());
    };
    let items = full["data"]["evidence"].as_array().context("no evidence")?;
    for item in items.iter().filter(|i| i["role"] != "manifest") {
        let path = site.evidence_dir().join(item["path"].as_str().context("no path")?);
        for verdict in verifiers.judge(&path, None)? {
            assert!(verdict.intact, "{item}: {}: {:#}", verdict.tool, verdict.report);
            let said = verdict.report.to_string();
            let incident = full["data"]["incident_id"].as_str().context("no id")?;
            assert!(said.contains(incident) && said.contains("\"lat\":31.1124"), "{said}");
        }
        let mut bytes = std::fs::read(&path)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let changed =
            path.with_file_name(format!("changed-{}", path.file_name().context("no name")?.display()));
        std::fs::write(&changed, bytes)?;
        for verdict in verifiers.judge(&changed, None)? {
            assert!(!verdict.intact, "{item}: {}: {:#}", verdict.tool, verdict.report);
        }
        std::fs::remove_file(&changed)?;
    }
    Ok(())
}

fn the_pages_answer(agent: &Agent) -> Result<()> {
    let (status, body) = agent.get("/healthz")?;
    assert_eq!(status, "HTTP/1.1 200 OK", "{body}");
    let (status, metrics) = agent.get("/metrics")?;
    assert_eq!(status, "HTTP/1.1 200 OK");
    for name in [
        "kerbside_frame_age_seconds_bucket",
        "kerbside_outbox",
        "kerbside_reports_total",
        "kerbside_evidence_signed_total",
    ] {
        assert!(metrics.contains(name), "no {name} in\n{metrics}");
    }
    Ok(())
}
