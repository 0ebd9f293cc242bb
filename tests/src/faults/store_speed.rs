//! How fast the store is: the index made again from a long journal, and durable appends beside a bare file.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

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

/// What an append may take of a processor beyond the bare write and sync, s: the record made, hashed and chained. The second is
/// for a build without optimisation, as `make faults` makes it.
const OWN_TIME_S: f64 = if cfg!(debug_assertions) { 150e-6 } else { 20e-6 };
/// What the rest may cost: locks, the file's growth.
const SHARE: f64 = 0.95;

/// Turn by turn, so that both meet the same disk: one record with its sync, and the same bytes into a bare file.
///
/// The goal follows from the disk's own sync time T: T / (T / 0.95 + own time) of the bare rate. With 20 us of our own this is
/// 0.79 on a virtual disk that answers in 0.1 ms, 0.93 at 1 ms, and 0.95 on the cards of a box, which need 20 to 50 ms.
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
    let (mut ours, mut theirs) = (Spans::default(), Spans::default());
    let mut line = vec![b'y'; 1800];
    for round in 0..rounds {
        // Whoever is first meets colder caches: by turns.
        for turn in [round % 2, (round + 1) % 2] {
            let begun = Begun::now();
            if turn == 0 {
                let written =
                    journal.append(&[Entry::new(RecordKind::Note, body.as_str())], Durability::Now)?;
                ours.push(begun);
                line.resize(written.first().context("nothing written")?.location.len as usize, b'y');
            } else {
                bare.write_all(&line)?;
                bare.sync_data()?;
                theirs.push(begun);
            }
        }
    }
    let (ours_s, theirs_s) = (median(ours.wall_s), median(theirs.wall_s));
    let own_s = median(ours.cpu_s) - median(theirs.cpu_s);
    let (ratio, goal) = (theirs_s / ours_s, theirs_s / (theirs_s / SHARE + OWN_TIME_S));
    row.figures = format!(
        "{:.0} a second, {:.0} bare: {ratio:.2} (goal {goal:.2} at {:.2} ms a sync), {:.0} us of a processor more each; \
         medians of records of {} bytes",
        1.0 / ours_s,
        1.0 / theirs_s,
        1e3 * theirs_s,
        1e6 * own_s,
        line.len()
    );
    // A few turns on a busy machine prove nothing about the disk; the processor's time is ours alone.
    row.must(own_s <= OWN_TIME_S, || format!("{:.0} us of a processor for each record", 1e6 * own_s));
    row.must(ratio >= goal || scale == Scale::Short, || {
        format!("{ratio:.2} of the bare rate; goal {goal:.2}")
    });
    Ok(row)
}

/// What each turn took.
#[derive(Default)]
struct Spans {
    wall_s: Vec<f64>,
    cpu_s: Vec<f64>,
}

impl Spans {
    fn push(&mut self, begun: Begun) {
        self.wall_s.push(begun.wall.elapsed().as_secs_f64());
        self.cpu_s.push(thread_cpu_s() - begun.cpu_s);
    }
}

struct Begun {
    wall: std::time::Instant,
    cpu_s: f64,
}

impl Begun {
    fn now() -> Begun {
        Begun { cpu_s: thread_cpu_s(), wall: now() }
    }
}

/// What this thread has used of a processor, s. NaN without the kernel's account: then the row does not hold.
fn thread_cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
