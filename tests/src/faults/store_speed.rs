//! How fast the store is: the index made again from a long journal, and durable appends beside a bare file.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kerbside_testkit::wait::now;
use kerbside_trace::delivery::{DeliverySettings, Ledger};
use kerbside_trace::journal::{Durability, Entry, Journal, JournalSettings, RecordKind};

use super::row::{Row, Scale};
use super::writer;

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    Ok(vec![rebuild(scale.pick(5_000, 100_000))?, appends(scale)?])
}

/// In segments of the program's own size.
fn open(dir: &Path) -> Result<(Ledger, kerbside_trace::delivery::Recovery)> {
    Ok(Ledger::open(DeliverySettings::new(dir, true), writer::identity(), writer::clock())?)
}

fn rebuild(records: u64) -> Result<Row> {
    let mut row = Row::new("the index is gone", "its folder deleted, the box stopped; the journal is long");
    row.trials = 1;
    let dir = tempfile::tempdir()?;
    let (mut ledger, _) = open(dir.path())?;
    let mut made = 0;
    while ledger.stats().last_n < records {
        let at = ledger.now();
        let items =
            (made..made + 500).map(|i| writer::message(ledger.identity(), &format!("01PACE{i:020}"), at));
        made += ledger.commit(items.collect())?.len() as u64;
    }
    let before = ledger.stats();
    ledger.close()?;
    drop(ledger);
    std::fs::remove_dir_all(dir.path().join("index")).context("the index")?;
    let begun = now();
    let (ledger, recovery) = open(dir.path())?;
    row.took(begun.elapsed().as_secs_f64());
    let after = ledger.stats();
    let waiting =
        |stats: &kerbside_trace::delivery::DeliveryStats| stats.outbox[0].queued + stats.outbox[0].waiting;
    row.lost = (waiting(&before) as u64).saturating_sub(waiting(&after) as u64);
    row.duplicated = (waiting(&after) as u64).saturating_sub(waiting(&before) as u64);
    row.must(recovery.rebuilt && recovery.damage.is_none(), || format!("{recovery:?}"));
    row.figures =
        format!("{} records, {:.0} MB of journal", before.last_n, before.journal_bytes as f64 / 1e6);
    row.judge(Some(60.0));
    Ok(row)
}

/// Turn by turn, so that both meet the same disk: one record with its sync, and the same bytes into a bare file.
fn appends(scale: Scale) -> Result<Row> {
    let rounds = scale.pick(100, 1_000);
    let mut row = Row::new(
        "durable appends",
        "one record and its sync by turns with a bare write and fdatasync of the same bytes",
    );
    row.trials = rounds;
    let dir = tempfile::tempdir()?;
    let settings = JournalSettings {
        segment_bytes: 64 << 20,
        syncs: Default::default(),
        utc_offset_s: 8 * 3600,
        boot: "01PACE".into(),
    };
    let (mut journal, _) = Journal::open(&dir.path().join("journal"), settings, writer::clock(), None)?;
    let mut bare = OpenOptions::new().append(true).create_new(true).open(dir.path().join("bare"))?;
    let body = serde_json::json!({ "text": "x".repeat(1500) }).to_string();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut line = vec![b'y'; 1800];
    for round in 0..rounds {
        // Whoever is first meets colder caches: by turns.
        for turn in [round % 2, (round + 1) % 2] {
            let begun = now();
            if turn == 0 {
                let written =
                    journal.append(&[Entry::new(RecordKind::Note, body.as_str())], Durability::Now)?;
                ours.push(begun.elapsed());
                line.resize(written.first().context("nothing written")?.location.len as usize, b'y');
            } else {
                bare.write_all(&line)?;
                bare.sync_data()?;
                theirs.push(begun.elapsed());
            }
        }
    }
    let (ours, theirs) = (rate(ours), rate(theirs));
    let ratio = ours / theirs;
    let extra_s = 1.0 / ours - 1.0 / theirs;
    row.figures = format!(
        "{ours:.0} a second, {theirs:.0} bare: {ratio:.2} (goal 0.9; {:.0} us each), median of records of {} bytes",
        1e6 * extra_s,
        line.len()
    );
    // A few turns on a busy machine prove nothing.
    row.must(ratio >= 0.9 || scale == Scale::Short, || format!("{ratio:.2} of the bare rate"));
    Ok(row)
}

/// One in the median of these times, a second.
fn rate(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    1.0 / median.as_secs_f64().max(1e-9)
}
