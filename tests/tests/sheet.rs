//! The officer's sheet: it comes without a grant, in pieces over MQTT, soon after the report, small, masked, as the box says it is.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What fails here fails the test.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::clips::sha256;
use kerbside_testkit::{Agent, Broker, Cameras, Centre, LIMIT, Process, Site, clip};
use serde_json::Value;

/// The promise of the contract, bytes.
const MOST: usize = 60_000;

#[test]
fn a_sheet_reaches_the_centre_without_a_grant() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let small = clip("bag-left.mp4");
    let large = dir.path().join("main.mp4");
    enlarge(&small, &large)?;
    let cameras = Cameras::serve(&[("/cam1", &small), ("/main1", &large)], false)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?])?;
    site.set("camera", "main_url", cameras.url(1)?)?;
    site.set("evidence", "push", "sheet")?;
    let chunks = chunks(&broker)?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start_on_time(&site)?;

    let opened = centre.message("matter.opened")?;
    let id = opened["data"]["incident_id"].as_str().context("no id")?.to_owned();
    let ready = centre.message_where("evidence.ready", "of the sheet", |m| {
        m["data"]["path"].as_str().is_some_and(|path| path.ends_with("-sheet.jpg"))
    })?;
    let data = &ready["data"];
    ensure!(data["grant_id"].as_str().is_some_and(|id| id.starts_with("push-")), "{ready}");
    ensure!(data["incident_id"] == id.as_str(), "{ready}");
    let manifest = centre.until("the files of the report", "evidence.manifest", LIMIT, |all| {
        let mut files = all.iter().filter_map(|m| m["data"]["files"].as_array()).flatten();
        files.find(|f| f["path"] == data["path"]).cloned()
    })?;
    ensure!(manifest["sha256"] == data["sha256"] && manifest["masked"] == true, "{manifest}");
    ensure!(manifest["from_sub_stream"].is_null(), "the stream of full resolution was on: {manifest}");

    let sent = assembled(&chunks, &data["path"])?;
    ensure!(sent.len() <= MOST, "{} bytes", sent.len());
    let came = dir.path().join("came.jpg");
    std::fs::write(&came, &sent)?;
    assert_eq!(sha256(&came)?, data["sha256"].as_str().unwrap_or_default());
    assert_eq!(std::fs::read(site.evidence_dir().join(data["path"].as_str().unwrap()))?, sent);

    the_main_stream_is_the_evidence(&site, &centre)?;
    agent.stop()
}

/// Without the stream of full resolution evidence is made of the other one, and says so.
#[test]
fn a_main_stream_that_is_off_costs_no_evidence() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let cameras = Cameras::serve(&[("/cam1", &clip("bag-left.mp4"))], false)?;
    let url = cameras.url(0)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[url])?;
    site.set("camera", "main_url", &url.replace("/cam1", "/nowhere"))?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start_on_time(&site)?;
    let trigger = centre.until("the files of the report", "evidence.manifest", LIMIT, |all| {
        let mut files = all.iter().filter_map(|m| m["data"]["files"].as_array()).flatten();
        files.find(|f| f["role"] == "trigger").cloned()
    })?;
    ensure!(trigger["from_sub_stream"] == true, "{trigger}");
    ensure!(centre.messages("evidence.ready").is_empty(), "nothing was granted and the site pushes nothing");
    agent.stop()
}

/// The trigger picture has the pixels of the large stream, the close-up was not enlarged as far as the small one needs.
fn the_main_stream_is_the_evidence(site: &Site, centre: &Centre) -> Result<()> {
    let files: Vec<Value> = centre
        .messages("evidence.manifest")
        .iter()
        .filter_map(|m| m["data"]["files"].as_array())
        .flatten()
        .cloned()
        .collect();
    let of = |role: &str| files.iter().find(|f| f["role"] == role).context("no such file");
    let trigger = site.evidence_dir().join(of("trigger")?["path"].as_str().unwrap());
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=width", "-of", "csv=p=0"])
        .arg(&trigger)
        .output()?;
    let width: u32 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    ensure!(width > 640, "a trigger picture {width} px wide");
    ensure!(of("close_up")?["enlarged"].as_f64().unwrap_or(1.0) < 8.0, "{}", of("close_up")?);
    Ok(())
}

/// The same scene as a camera's larger stream, by ffmpeg.
fn enlarge(small: &std::path::Path, large: &std::path::Path) -> Result<()> {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(small)
        .args(["-vf", "scale=1280:720", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "20"])
        .arg(large)
        .status()?;
    ensure!(status.success(), "ffmpeg");
    Ok(())
}

/// Whoever listens for pieces, with the payload in hexadecimal digits.
fn chunks(broker: &Broker) -> Result<Process> {
    let port = broker.url().rsplit(':').next().context("no port")?.to_owned();
    let mut listen = Command::new("mosquitto_sub");
    listen.args([
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-q",
        "1",
        "-t",
        "cg/v1/+/+/evidence/+/chunk/#",
        "-F",
        "%x",
    ]);
    Process::start("mosquitto_sub", listen)
}

/// The bytes of one file, put together by what its pieces say.
fn assembled(chunks: &Process, path: &Value) -> Result<Vec<u8>> {
    chunks.until("all pieces of the sheet", LIMIT, |lines| {
        let mut pieces: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut total = u64::MAX;
        for payload in lines.iter().filter_map(|line| unhex(line)) {
            let Some((head, bytes)) = kerbside_wire::chunk::read(&payload) else { continue };
            if head["path"] == *path {
                total = head["total"].as_u64().unwrap_or(u64::MAX);
                pieces.insert(head["offset"].as_u64().unwrap_or_default(), bytes.to_vec());
            }
        }
        let bytes = pieces.into_values().flatten().collect::<Vec<u8>>();
        (bytes.len() as u64 == total).then_some(bytes)
    })
}

fn unhex(line: &str) -> Option<Vec<u8>> {
    let digits = line.trim().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}
