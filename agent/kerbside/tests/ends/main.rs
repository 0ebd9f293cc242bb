//! Nothing in the agent dies unnoticed: a stage that panics ends the process with exit code 70, and the log says which and why.
//!
//! The test runs itself once more as a box: the real agent, the real child, a clip as its camera, and a detector that panics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.
#![cfg(feature = "camera")]

use std::path::{Path, PathBuf};

use kerbside_domain::detection::Detection;
use kerbside_domain::frame::Frame;
use kerbside_domain::model::ModelNames;
use kerbside_infer::{Cascade, Detector, DetectorError};
use kerbside_media::CaptureProgram;
use kerbside_testkit::{LIMIT, Process};

/// Names the folder of the box, in the second run.
const BOX: &str = "KERBSIDE_TEST_BOX";

struct Panics;

impl Detector for Panics {
    fn detect(&mut self, _: &Frame) -> Result<Vec<Detection>, DetectorError> {
        panic!("no such detection in frame 0");
    }
}

/// In the first run it does nothing.
#[test]
fn as_a_box_whose_detector_panics() {
    let Some(dir) = std::env::var_os(BOX).map(PathBuf::from) else { return };
    kerbside::log::init();
    let site = kerbside_site::config::load(&site(&dir)).unwrap();
    let program = CaptureProgram::of(env!("CARGO_BIN_EXE_kerbside"));
    let load = |site| (site, vec![Cascade::new(Box::new(Panics), None)], ModelNames::default());
    kerbside::app::run_with(std::path::PathBuf::new(), site, None, program, load).unwrap();
}

fn site(dir: &Path) -> PathBuf {
    let clip = kerbside_testkit::clip("bag-left.mp4");
    let text = format!(
        r#"
schema = 1
[device]
edge_id = "mh-xz-017"
division = "310112"
data_dir = "data"
point = [121.37608, 31.11240]
[centre]
url = "mqtt://127.0.0.1:1"
[health]
listen = "127.0.0.1:0"
[[camera]]
id = "clip"
url = "{}"
"#,
        clip.display()
    );
    let path = dir.join("site.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_stage_that_panics_ends_the_process_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "as_a_box_whose_detector_panics", "--nocapture"]).env(BOX, dir.path());
    let mut running = Process::start("a box whose detector panics", again).unwrap();
    let said = running.until_log("the panic", LIMIT, |lines| {
        let events = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        events.into_iter().find(|event| event["name"] == "detector")
    });
    let said = said.unwrap();
    assert_eq!(said["text"], "no such detection in frame 0", "{said}");
    assert!(said["place"].as_str().unwrap().contains("tests/ends/main.rs"), "{said}");
    let status = running.wait(LIMIT).unwrap();
    assert_eq!(status.code(), Some(70), "systemd starts it again");
}
