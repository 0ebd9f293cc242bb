//! Commands that the centre did not give, and configurations that are none: refused and output_text, nothing done.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::time::rfc3339;
use kerbside_testkit::{command, repo};
use kerbside_trace::delivery::{Ledger, StageInput};
use kerbside_wire as wire;
use serde_json::json;

use super::row::{Row, Scale};
use super::writer;

/// Where a command is heard.
const ROOT: &str = "cg/v1/310112/fault-box/cmd";
const DAY_MS: i64 = 86_400_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Attack {
    Junk,
    Forged,
    UnknownKey,
    Unsigned,
    Changed,
    Expired,
    NotYetIssued,
    ForAnotherBox,
    OnAnothersTopic,
    OtherVerb,
    Retained,
}

const ATTACKS: [(Attack, &str); 11] = [
    (Attack::Junk, "junk"),
    (Attack::Forged, "signed by another key"),
    (Attack::UnknownKey, "key unknown"),
    (Attack::Unsigned, "not signed"),
    (Attack::Changed, "changed after signing"),
    (Attack::Expired, "expired"),
    (Attack::NotYetIssued, "of the future"),
    (Attack::ForAnotherBox, "for another box"),
    (Attack::OnAnothersTopic, "on another box's topic"),
    (Attack::OtherVerb, "on another verb's topic"),
    (Attack::Retained, "retained"),
];

/// None may be obeyed, each must be answered or counted.
pub fn commands(scale: Scale) -> Result<Vec<Row>> {
    let how = "signed messages given to the ledger of a box";
    let dir = tempfile::tempdir()?;
    let thief = SigningKey::create(&dir.path().join("thief.key"))?;
    let each = scale.pick(4, 100);
    let mut row = Row::new("commands that the centre did not give", how);
    for (attack, _) in ATTACKS {
        let (mut ledger, _) = writer::open(&dir.path().join(format!("{attack:?}")))?;
        for seed in 0..each {
            row.trials += 1;
            let (topic, payload) = made(attack, seed, &thief, &ledger);
            let before = judged(&ledger);
            let obeyed = ledger.incoming(&topic, &payload, attack == Attack::Retained)?;
            row.must(obeyed.is_none(), || format!("{attack:?}, seed {seed} was obeyed: {obeyed:?}"));
            row.must(judged(&ledger) > before, || format!("{attack:?}, seed {seed} left no trace"));
        }
    }
    row.figures = format!("refused and counted: {}", ATTACKS.map(|(_, what)| what).join(", "));
    row.judge(None);
    let mut again = Row::new("commands of the centre, replayed", how);
    let mut ledger = writer::open(&dir.path().join("Replayed"))?.0;
    for seed in 0..each {
        again.trials += 3;
        ledger = replayed(ledger, seed, &mut again, dir.path())?;
    }
    again.figures = "at once, after a stop, after a kill; after power cuts: in their rows".to_owned();
    again.judge(None);
    Ok(vec![row, again])
}

/// Refusals, and commands that were judged.
fn judged(ledger: &Ledger) -> u64 {
    let stats = ledger.stats();
    stats.refused + stats.commands
}

fn made(attack: Attack, seed: u64, thief: &SigningKey, ledger: &Ledger) -> (String, Vec<u8>) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let wall_ms = ledger.now().wall_ms;
    let id = format!("{attack:?}-{seed}");
    let source = ledger.identity().source();
    let target =
        if attack == Attack::ForAnotherBox { source.replace("fault-box", "other-box") } else { source };
    let issued_ms = match attack {
        Attack::Expired => wall_ms - 2 * DAY_MS,
        Attack::NotYetIssued => wall_ms + DAY_MS,
        _ => wall_ms,
    };
    let data = json!({"id": id, "target": target, "verb": "snapshot", "args": {}, "actor": "desk-3",
        "issued_at": rfc3339(issued_ms, 0), "expires_at": rfc3339(issued_ms + DAY_MS, 0)});
    let (key, key_id) = match attack {
        Attack::Forged => (thief, "ops"),
        Attack::UnknownKey => (thief, "desk"),
        _ => (writer::key(), "ops"),
    };
    let text = data.to_string();
    let mut body =
        wire::signed::envelope(wire::command::COMMAND, &id, "2026-01-01T00:00:00Z", key_id, key, &text);
    match attack {
        Attack::Unsigned => body = body.replace("\"signature\"", "\"signatures\""),
        Attack::Changed => body = body.replace("desk-3", &format!("desk-{}", 4 + seed)),
        _ => {}
    }
    let mut payload = body.into_bytes();
    if attack == Attack::Junk {
        let cut = rng.usize(..payload.len());
        payload.truncate(cut);
        payload.extend((0..rng.usize(1..200)).map(|_| rng.u8(..)));
    }
    let topic = match attack {
        Attack::OnAnothersTopic => format!("{}/snapshot", ROOT.replace("fault-box", "other-box")),
        Attack::OtherVerb => format!("{ROOT}/restart"),
        _ => format!("{ROOT}/snapshot"),
    };
    (topic, payload)
}

/// Obeyed once; again at once, after a stop, and after a kill: never.
fn replayed(mut ledger: Ledger, seed: u64, row: &mut Row, dir: &Path) -> Result<Ledger> {
    let (topic, payload) = writer::command(&format!("true-{seed}"), ledger.now());
    let first = ledger.incoming(&topic, &payload, false)?;
    ensure!(matches!(first.map(|f| f.input), Some(StageInput::Command(_))), "a true command was not obeyed");
    for end in ["at once", "stop", "kill"] {
        if end != "at once" {
            if end == "stop" {
                ledger.close()?;
            }
            drop(ledger);
            ledger = writer::open(&dir.join("Replayed"))?.0;
        }
        let again = ledger.incoming(&topic, &payload, false)?;
        row.must(again.is_none(), || format!("seed {seed}: obeyed twice ({end})"));
        row.duplicated += u64::from(again.is_some());
    }
    Ok(ledger)
}

/// Every rejected example starts nothing; every key of an example missing, wrong, huge or unknown has its place output_text.
pub fn configuration(scale: Scale) -> Result<Vec<Row>> {
    let mut started =
        Row::new("configuration: a file with a problem", "`kerbside run` on edge-config/rejected");
    let files = rejected()?;
    for file in files.iter().step_by(scale.pick(8, 1) as usize) {
        started.trials += 1;
        let name = file.display();
        let output = command(&["run", "--config", &file.to_string_lossy()])?.output()?;
        let output_text = String::from_utf8_lossy(&output.stderr);
        let wanted = std::fs::read_to_string(file.with_extension("txt"))?;
        let last = wanted.trim_end().lines().last().context("no text")?;
        started.must(output.status.code() == Some(78), || format!("{name}: {}", output.status));
        started.must(output_text.contains(last), || format!("{name}: no {last:?} in {output_text}"));
        started
            .must(!output_text.contains("metrics and health"), || format!("{name}: something was started"));
    }
    started.figures = "exit code 78, every problem with its place, nothing started".to_owned();

    let mut keys =
        Row::new("configuration: every key missing, wrong, huge, unknown", "each key of an example in turn");
    let (mut refused, mut harmless) = (0, 0);
    let path = repo().join("edge-config/one-camera.toml");
    let text = std::fs::read_to_string(&path)?;
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| !key.starts_with('#')) else {
            continue;
        };
        let unknown = format!("{key}x = {value}");
        let odd = ["", &unknown].map(str::to_owned).into_iter();
        let odd = odd.chain(
            ["true", "-1", "1e300", "9223372036854775807", "\"\"", "[[]]", "{ x = 1 }"]
                .map(|v| format!("{key} = {v}")),
        );
        for changed in odd {
            keys.trials += 1;
            let mut mutant = lines.clone();
            mutant[at] = &changed;
            match kerbside_site::config::parse(&mutant.join("\n"), &path) {
                Ok(_) => harmless += 1,
                Err(problems) => {
                    refused += 1;
                    let output_text = problems.to_string();
                    keys.must(output_text.contains("one-camera.toml:"), || {
                        format!("{changed}: no place in {output_text}")
                    });
                }
            }
        }
    }
    ensure!(keys.trials > 300, "the example has few keys");
    keys.figures = format!("{refused} refused with line and column, {harmless} as good as the default");
    Ok(vec![started, keys])
}

fn rejected() -> Result<Vec<PathBuf>> {
    let folder = repo().join("edge-config/rejected");
    let all = std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> =
        all.into_iter().filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    if files.len() < 60 {
        bail!("only {} rejected files", files.len());
    }
    Ok(files)
}
