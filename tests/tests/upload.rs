//! The centre grants a file: it leaves the box whole, or the centre hears why not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::{Agent, Broker, Cameras, Centre, LIMIT, PutServer, Site, clip, command};
use serde_json::{Value, json};

#[test]
fn a_clip_is_put_where_the_centre_wants_it() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let cameras = Cameras::serve(&[("/cam1", &clip("bag-left.mp4"))], true)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?])?;
    let key = dir.path().join("ops.key");
    let made = command(&["key", "new", &key.to_string_lossy()])?.output()?;
    let public = String::from_utf8(made.stdout)?;
    site.edit(|text| text.replacen("[models]", &format!("{public}\n[models]"), 1))?;
    // The store of this test stands on the box itself.
    site.edit(|text| text.replacen("[models]", "[evidence]\nlocal_uploads = true\n\n[models]", 1))?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start_on_time(&site)?;
    let file = centre.until("a manifest with a clip", "evidence.manifest", LIMIT, |all| {
        let mut files = all.iter().filter_map(|m| m["data"]["files"].as_array()).flatten();
        files.find(|f| f["role"] == "clip").cloned()
    })?;

    let store = PutServer::start(Vec::new())?;
    let url = store.url("bucket/clip.mp4?signature=secret");
    let grant = |sha256: &Value, into: Option<&std::path::Path>| -> Result<(Option<i32>, Value)> {
        let mut args = json!({"path": file["path"], "sha256": sha256});
        if into.is_none() {
            args["url"] = url.clone().into();
        }
        let mut send = command(&["command", "grant", "--args", &args.to_string(), "--edge", "demo-box-01"])?;
        if let Some(into) = into {
            send.arg("--into").arg(into);
        }
        send.args([
            "--division",
            "310112",
            "--broker",
            &broker.url(),
            "--actor",
            "desk-3",
            "--key-id",
            "ops",
        ]);
        let output = send.arg("--key").arg(&key).output()?;
        let answer = serde_json::from_slice(&output.stdout);
        let answer = answer.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok((output.status.code(), answer))
    };
    // Over MQTT too, and the rest only if a part is there.
    let (whole, part) = (dir.path().join("whole.mp4"), dir.path().join("part.mp4"));
    let on_the_box = std::fs::read(site.evidence_dir().join(file["path"].as_str().unwrap()))?;
    std::fs::write(&part, &on_the_box[..1000])?;
    for into in [whole.as_path(), part.as_path()] {
        let (code, ready) = grant(&file["sha256"], Some(into))?;
        ensure!(code == Some(0), "{ready}");
        ensure!(std::fs::read(into)? == on_the_box, "{}", into.display());
    }

    // A file that is not what the centre believes stays.
    let (code, failed) = grant(&json!("00".repeat(32)), None)?;
    ensure!(code == Some(70) && failed["type"] == "kerbside.evidence.failed.v1", "{failed}");
    let (code, ready) = grant(&file["sha256"], None)?;
    ensure!(code == Some(0), "{ready}");
    assert_eq!(ready["data"]["sha256"], file["sha256"]);
    assert!(!ready.to_string().contains("secret"), "{ready}");
    store.until("the whole file", LIMIT, |s| (s.whole == 1).then_some(()))?;
    assert_eq!(store.bytes(), std::fs::read(site.evidence_dir().join(file["path"].as_str().unwrap()))?);
    agent.stop()
}
