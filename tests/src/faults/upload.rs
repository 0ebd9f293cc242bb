//! Evidence on its way to the centre while the box dies, the broker forgets, or the server hangs up: what arrives is what the manifest
//! says, whole, and what lies on the box stays so.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kerbside_crypto::hash::Hash;
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::time::rfc3339;
use kerbside_testkit::wait::now;
use kerbside_testkit::{BrokerFault, PutServer, ScriptedBroker};
use kerbside_wire::{grant, signed};
use serde_json::json;

use super::box_process::BoxProcess;
use super::row::{Row, Scale};
use super::writer;

const LIMIT: Duration = Duration::from_secs(120);

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let trials = scale.pick(2, 12);
    Ok(vec![
        row(
            "kill -9 during an upload over MQTT",
            "kill -9 after some pieces, started again",
            trials,
            Way::Mqtt,
            true,
        )?,
        row(
            "broker lost during an upload over MQTT",
            "the broker forgets its sessions",
            trials,
            Way::Mqtt,
            false,
        )?,
        row(
            "kill -9 during an upload by HTTP",
            "kill -9 after some bytes, started again",
            trials,
            Way::Put,
            true,
        )?,
        row("server lost during an upload by HTTP", "it hangs up twice", trials, Way::Put, false)?,
    ])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Mqtt,
    Put,
}

fn row(name: &str, how: &str, trials: u64, way: Way, kills: bool) -> Result<Row> {
    let mut row = Row::new(name, how);
    let dir = tempfile::tempdir()?;
    let key = SigningKey::create(&dir.path().join("ops.key"))?;
    let mut rng = fastrand::Rng::with_seed(name.len() as u64);
    let (mut sent, mut midway) = (0, 0);
    for trial in 0..trials {
        let length = rng.usize(300_000..700_000);
        let bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
        let moment = rng.usize(1..bytes.len() * 3 / 4);
        sent += bytes.len();
        let trial_of = Trial { name: format!("01UP{trial:022}"), bytes, way, kills, moment };
        let midway_now =
            one(&mut row, dir.path(), &key, &trial_of).with_context(|| format!("{name}, trial {trial}"))?;
        midway += u64::from(midway_now);
        row.trials += 1;
    }
    row.figures = format!(
        "{trials} files, {:.1} MB, hit midway: {midway}; each with the SHA-256 of its grant; recovery: until it is there",
        sent as f64 / 1e6
    );
    row.must(midway > 0 || trials < 3, || "every upload was over before".to_owned());
    row.judge(Some(60.0));
    Ok(row)
}

struct Trial {
    name: String,
    bytes: Vec<u8>,
    way: Way,
    kills: bool,
    /// So many bytes have arrived when it happens.
    moment: usize,
}

/// True: the upload was not over yet when it happened.
fn one(row: &mut Row, dir: &Path, key: &SigningKey, trial: &Trial) -> Result<bool> {
    let path = format!("2026-11-21/{}/r1-clip.mp4", trial.name);
    let on_the_box = dir.join("evidence").join(&path);
    std::fs::create_dir_all(on_the_box.parent().context("no folder")?)?;
    std::fs::write(&on_the_box, &trial.bytes)?;
    let sha256 = sha256(&trial.bytes);
    let breaks = if trial.kills { Vec::new() } else { vec![trial.moment, trial.moment / 2] };
    let server = PutServer::start(breaks)?;
    let after = trial.moment as u32 / 32_768 + 2;
    let cut = trial.way == Way::Mqtt && !trial.kills;
    let broker = ScriptedBroker::start(
        0,
        cut.then_some(BrokerFault::Forget { after }).into_iter().collect(),
        BrokerFault::None,
        true,
    )?;
    let mut data = json!({"id": trial.name, "target": writer::identity().source(), "path": path, "sha256": sha256,
        "expires_at": rfc3339(writer::clock().now().wall_ms + 86_400_000, 0)});
    match trial.way {
        Way::Mqtt => data["method"] = "MQTT".into(),
        Way::Put => data["url"] = server.url("clip").into(),
    }
    let granted =
        signed::envelope(grant::GRANT, &trial.name, "2026-11-21T00:00:00Z", "ops", key, &data.to_string());
    broker.grant(&trial.name, granted.into_bytes());

    let (port, public) = (broker.port().to_string(), key.public().to_string());
    let args = ["--broker", &port, "--centre-key", &public];
    let mut box_ = BoxProcess::start(dir, &args)?;
    let arrived = |what: &str, enough: usize| match trial.way {
        Way::Mqtt => broker
            .until(what, LIMIT, |c| (c.files.get(&trial.name).map_or(0, Vec::len) >= enough).then_some(())),
        Way::Put => server.until(what, LIMIT, |s| (s.bytes.len() >= enough).then_some(())),
    };
    arrived("a part of the file", trial.moment)?;
    let begun = now();
    let mut midway = true;
    if trial.kills {
        box_.0.kill_and_read()?;
        midway = broker.read(|r| r.uploads_ended.is_empty());
        box_ = BoxProcess::start(dir, &args)?;
    }
    let ended = broker.until("the end of the upload", LIMIT, |c| {
        c.uploads_ended.iter().find(|e| e["data"]["grant_id"] == trial.name.as_str()).cloned()
    })?;
    row.took(begun.elapsed().as_secs_f64());
    row.must(ended["type"] == "kerbside.evidence.ready.v1", || ended.to_string());
    let whole = match trial.way {
        Way::Mqtt => broker.read(|c| c.files.get(&trial.name).cloned().unwrap_or_default()),
        Way::Put => server.bytes(),
    };
    let there = sha256 == self::sha256(&whole);
    let stayed = sha256 == self::sha256(&std::fs::read(&on_the_box)?);
    row.lost += u64::from(!there) + u64::from(!stayed);
    box_.stop()?;
    Ok(midway)
}

fn sha256(bytes: &[u8]) -> String {
    Hash::of(bytes).to_string().trim_start_matches("sha256:").to_owned()
}
