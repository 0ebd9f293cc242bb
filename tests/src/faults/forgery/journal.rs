//! Journals written anew, with hashes that are right.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use kerbside::cli::{JournalCommand, VerifyArgs};
use kerbside_crypto::sign::SigningKey;
use kerbside_trace::delivery::KEY_FILE;
use kerbside_trace::journal::{Record, audit, record};
use kerbside_trace::testing::{Forged, forge, records, segments};
use kerbside_wire::{self as wire, checkpoint};
use serde_json::Value;

use crate::faults::damage::copy;
use crate::faults::promise::Promise;
use crate::faults::row::{Row, Scale};
use crate::faults::writer::{self, Writer};

/// What the centre kept, in the box's folder.
const KEPT: &str = "centre.jsonl";

/// Which record it lies about; `None`: the end, the beginning, or all of it.
type Lie = Option<u64>;
type Forger = fn(&Path, &mut fastrand::Rng) -> Result<Lie>;

/// A forgery, and what it is held against.
struct Case {
    name: &'static str,
    forger: Forger,
    /// The key of the birth message; else the one beside the journal.
    with_key: bool,
    /// The centre's checkpoints too, where nothing else can see it.
    against: bool,
}

const fn case(name: &'static str, forger: Forger) -> Case {
    Case { name, forger, with_key: true, against: false }
}

const CASES: &[Case] = &[
    case("a result edited, checkpoints left in", |dir, rng| edit(dir, rng, |_, _| false)),
    case("a result edited, checkpoints left out", |dir, rng| edit(dir, rng, |_, _| true)),
    case("a result edited, later checkpoints left out", |dir, rng| edit(dir, rng, |r, lie| r.n > lie)),
    Case {
        against: true,
        ..case("the same, against the centre", |dir, rng| edit(dir, rng, |r, lie| r.n > lie).map(|_| None))
    },
    case("made by a script", scripted),
    Case { against: true, ..case("the end cut off", cut_off) },
    case("oldest segments deleted", oldest_deleted),
    case("the key replaced", key_replaced),
    Case { with_key: false, ..case("the key replaced, and that key believed", key_replaced) },
];

pub(super) fn row(scale: Scale) -> Result<Row> {
    let mut row = Row::new("forged journal", "edited and sealed again, scripted, cut, deleted, another key");
    let (template, key) = template()?;
    for against in [false, true] {
        let (code, said) = verified(template.path(), Some(&key), against)?;
        row.must(code == 0 && said["verdict"] == "proven", || format!("the untouched journal: {said}"));
    }
    let mut verdicts = BTreeMap::new();
    for (i, case) in CASES.iter().enumerate() {
        for trial in 0..scale.pick(2, 20) {
            let mut rng = fastrand::Rng::with_seed(0xF0_26E0 + 100 * i as u64 + trial);
            let dir = tempfile::tempdir()?;
            copy(template.path(), dir.path())?;
            let lie = (case.forger)(dir.path(), &mut rng)?;
            // Else a hash would do, and no signature was needed.
            let whole = audit::read(&journal(dir.path()), &mut |_, _| {})?.is_whole();
            row.must(whole, || format!("{}, trial {trial}: the forgery is clumsy", case.name));
            let (code, said) = verified(dir.path(), case.with_key.then_some(key.as_str()), case.against)?;
            row.trials += 1;
            let proven_to = said["checkpoints"]["proven_to"].as_u64().unwrap_or_default();
            let believed = code == 0 && lie.is_none_or(|n| n <= proven_to);
            row.lost += u64::from(believed);
            row.must(!believed, || format!("{}, trial {trial}: {said}", case.name));
            *verdicts.entry(said["verdict"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
        }
    }
    let verdicts: Vec<String> =
        verdicts.into_iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    row.figures = format!("{}; the untouched journal is proven", verdicts.join(", "));
    row.judge(None);
    Ok(row)
}

/// A box with some starts and stops, so that there are checkpoints of every kind; and its key.
fn template() -> Result<(tempfile::TempDir, String)> {
    let dir = tempfile::tempdir()?;
    let mut promise = Promise::default();
    let mut writer = Writer::new(5, 0);
    for _ in 0..4 {
        let (mut ledger, _) = writer::open(dir.path())?;
        writer.fill(&mut ledger, &mut promise, 100)?;
        ledger.close()?;
    }
    let mut kept = String::new();
    for record in records(&journal(dir.path()))?.iter().filter(|r| is_checkpoint(r)) {
        let outgoing = wire::published(record.recorded(), &writer::identity()).context("a checkpoint")?;
        kept.push_str(&format!("{}\n", String::from_utf8(outgoing.body)?));
    }
    ensure!(kept.lines().count() >= 4, "too few checkpoints: {kept}");
    std::fs::write(dir.path().join(KEPT), kept)?;
    let key = SigningKey::read(&dir.path().join(KEY_FILE))?.public().to_string();
    Ok((dir, key))
}

fn journal(dir: &Path) -> PathBuf {
    dir.join("journal")
}

fn is_checkpoint(record: &Record) -> bool {
    record.message().is_some_and(|(head, _)| head.kind == checkpoint::KIND)
}

fn verified(dir: &Path, key: Option<&str>, against: bool) -> Result<(u8, Value)> {
    let args = VerifyArgs {
        dir: dir.to_owned(),
        key: key.map(str::to_owned),
        against: against.then(|| dir.join(KEPT)),
        unsigned_ok: false,
        json: true,
    };
    let mut out = Vec::new();
    let code = kerbside::inspect::run(&JournalCommand::Verify(args), &mut out)?;
    Ok((code, serde_json::from_slice(&out)?))
}

/// One report gets another confidence; which checkpoints go is `left_out`'s business.
fn edit(dir: &Path, rng: &mut fastrand::Rng, left_out: fn(&Record, u64) -> bool) -> Result<Lie> {
    let reports: Vec<u64> = records(&journal(dir))?
        .iter()
        .filter(|r| r.message().is_some_and(|(head, _)| head.kind.contains("matter")))
        .map(|r| r.n)
        .collect();
    let lie = *reports.get(rng.usize(..reports.len().max(1))).context("no report to edit")?;
    forge(&journal(dir), |r| match r.n {
        n if n == lie => Forged::Body(r.body.replace("0.91", "0.51")),
        _ if is_checkpoint(r) && left_out(r, lie) => Forged::LeftOut,
        _ => Forged::Kept,
    })?;
    Ok(Some(lie))
}

fn scripted(dir: &Path, rng: &mut fastrand::Rng) -> Result<Lie> {
    let mut out = Vec::new();
    let mut prev = Default::default();
    let at = writer::clock().now();
    for n in 1..=rng.u64(100..5000) {
        let stamp = record::Stamp { n, prev, boot: "01JD7Z6T6V8Q0M5N3K2H1G9F8E", at, utc_offset_s: 0 };
        prev = record::seal(&mut out, &stamp, "note", r#"{"result":51.0}"#);
    }
    for segment in segments(&journal(dir))? {
        std::fs::remove_file(segment)?;
    }
    std::fs::write(journal(dir).join("00000000000000000001.journal"), out)?;
    Ok(None)
}

/// Right behind a checkpoint, but not the last.
fn cut_off(dir: &Path, rng: &mut fastrand::Rng) -> Result<Lie> {
    let mut checkpoints: Vec<u64> =
        records(&journal(dir))?.iter().filter(|r| is_checkpoint(r)).map(|r| r.n).collect();
    checkpoints.pop();
    let end = *checkpoints.get(rng.usize(..checkpoints.len().max(1))).context("no checkpoint")?;
    forge(&journal(dir), |r| if r.n > end { Forged::LeftOut } else { Forged::Kept })?;
    Ok(None)
}

fn oldest_deleted(dir: &Path, rng: &mut fastrand::Rng) -> Result<Lie> {
    let all = segments(&journal(dir))?;
    ensure!(all.len() > 2, "one segment only");
    all.iter().take(rng.usize(1..all.len() - 1)).try_for_each(std::fs::remove_file)?;
    Ok(None)
}

/// The box goes on with the forger's key, or has not started yet.
fn key_replaced(dir: &Path, rng: &mut fastrand::Rng) -> Result<Lie> {
    std::fs::remove_file(dir.join(KEY_FILE))?;
    SigningKey::create(&dir.join(KEY_FILE))?;
    let started = rng.bool();
    if started {
        let (mut ledger, _) = writer::open(dir)?;
        Writer::new(7, 1).fill(&mut ledger, &mut Promise::default(), 20)?;
        ledger.close()?;
    }
    // What the true key signed before stays true; only what came after would be a lie.
    Ok(Some(if started { records(&journal(dir))?.last().map_or(0, |r| r.n) } else { u64::MAX }))
}
