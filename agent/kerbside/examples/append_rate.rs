//! Durable appends a second: the journal against bare write + fdatasync of the same bytes, in turns.
//!
//! `cargo run --release --no-default-features --example append_rate [FOLDER]`: prints each round and the ratio of medians.
//! The folder should lie on the disk that the box will use.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kerbside_domain::time::{Clock, SystemClock};
use kerbside_trace::journal::{Durability, Entry, Journal, JournalSettings, RecordKind};

const ROUNDS: usize = 9;
const APPENDS: usize = 300;
/// About what a report takes.
const BODY: usize = 1700;

fn main() -> anyhow::Result<()> {
    let root = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = root.join(format!("kerbside-append-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let result = measure(&dir);
    std::fs::remove_dir_all(&dir)?;
    result
}

fn measure(dir: &Path) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let settings = JournalSettings {
        segment_bytes: 4 << 20,
        syncs: Default::default(),
        utc_offset_s: 28_800,
        boot: "APPENDRATE".into(),
    };
    let (mut journal, _) = Journal::open(&dir.join("journal"), settings, clock.clone(), None)?;
    let entry = Entry::new(RecordKind::Note, format!("{{\"text\":\"{}\"}}", "x".repeat(BODY)));
    journal.append(std::slice::from_ref(&entry), Durability::Now)?;
    let line = journal.bytes() as usize;
    journal.append(std::slice::from_ref(&entry), Durability::Now)?;
    let line = vec![b'x'; journal.bytes() as usize - line];
    let bare = OpenOptions::new().create(true).append(true).open(dir.join("bare"))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        theirs.push(rate(clock.as_ref(), || write_bare(&bare, &line))?);
        ours.push(rate(clock.as_ref(), || {
            journal.append(std::slice::from_ref(&entry), Durability::Now)?;
            Ok(())
        })?);
        if let (Some(journal), Some(bare)) = (ours.last(), theirs.last()) {
            println!(
                "round {round}: journal {journal:.0}/s, write+fdatasync {bare:.0}/s, ratio {:.2}",
                journal / bare
            );
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!("{} bytes a record, {APPENDS} a round, {ROUNDS} rounds", line.len());
    println!("median: journal {ours:.0}/s, write+fdatasync {theirs:.0}/s, ratio {:.3}", ours / theirs);
    Ok(())
}

fn write_bare(mut file: &File, line: &[u8]) -> anyhow::Result<()> {
    file.write_all(line)?;
    Ok(file.sync_data()?)
}

fn rate(clock: &dyn Clock, mut one: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let begun = clock.now().mono;
    for _ in 0..APPENDS {
        one()?;
    }
    Ok(APPENDS as f64 / clock.now().mono.since_s(begun))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
