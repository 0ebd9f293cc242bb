//! The power goes: on an aged store, and in the first second of a store's life.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kerbside_testkit::wait::{now, sleep};
use kerbside_trace::delivery::Ledger;
use kerbside_trace::journal::Syncs;
use parking_lot::Mutex;

use super::loop_disk::LoopDisk;
use super::promise::Promise;
use super::row::{Row, Scale};
use super::writer::{self, Writer};

const HOW: &str = "ext4 in a loop file, FS_IOC_SHUTDOWN";
/// Acknowledgements of the last moment before the cut may have been on their way through the loop device.
const MARGIN: Duration = Duration::from_millis(5);
/// What an aged store was filled with.
const AGE: u64 = 3000;

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let names =
        ["power cut, aged store", "power cut, first second of a store", "the power cut without any sync"];
    if let Some(why) = LoopDisk::missing() {
        return Ok(names.map(|name| Row::skipped(name, HOW, why.clone())).into());
    }
    let rounds = scale.pick(3, 12);
    Ok(vec![
        aged(names[0], rounds, scale.pick(AGE / 10, AGE))?,
        young(names[1], rounds)?,
        unsynced(names[2], scale.pick(2, 6))?,
    ])
}

/// The journal's syncs are left out, in this box only: the cut must find it out.
fn unsynced(name: &str, rounds: u64) -> Result<Row> {
    let (mut seen, mut total) = (Row::new("as it must be without a sync", HOW), 0);
    for round in 0..rounds {
        let dir = tempfile::tempdir()?;
        let mut disk = LoopDisk::new(dir.path(), 64)?;
        let mut promise = Promise::default();
        cut_while_writing(&mut disk, 2000 + round, When::Unsynced, &mut promise, &mut seen, &mut total)?;
    }
    let mut row = Row::new(name, HOW);
    row.trials = rounds;
    row.figures = format!("{} of {total} acknowledged things were gone, as they must be", seen.lost);
    row.must(seen.lost > 0, || "a missing sync goes unnoticed".to_owned());
    Ok(row)
}

fn open(data: &Path, when: When) -> Result<Ledger> {
    let mut settings = writer::settings(data);
    if when == When::Unsynced {
        settings.syncs = Syncs { file: |_| Ok(()), folder: |_| Ok(()) };
    }
    Ok(Ledger::open(settings, writer::identity(), writer::clock())?.0)
}

fn aged(name: &str, rounds: u64, age: u64) -> Result<Row> {
    let dir = tempfile::tempdir()?;
    let mut disk = LoopDisk::new(dir.path(), 200)?;
    let mut row = Row::new(name, HOW);
    let mut promise = Promise::default();
    {
        let (mut ledger, _) = writer::open(&disk.path().join("data"))?;
        let mut writer = Writer::new(1, 999_999);
        writer.fill(&mut ledger, &mut promise, age)?;
        ledger.close()?;
    }
    promise.settle(None);
    let mut total = 0;
    for round in 0..rounds {
        cut_while_writing(&mut disk, round, When::AfterOpening, &mut promise, &mut row, &mut total)?;
    }
    row.figures = format!("{total} acknowledgements in the rounds");
    row.judge(None);
    Ok(row)
}

fn young(name: &str, rounds: u64) -> Result<Row> {
    let mut row = Row::new(name, HOW);
    let mut total = 0;
    for round in 0..rounds {
        let dir = tempfile::tempdir()?;
        let mut disk = LoopDisk::new(dir.path(), 64)?;
        cut_while_writing(
            &mut disk,
            1000 + round,
            When::FromTheStart,
            &mut Promise::default(),
            &mut row,
            &mut total,
        )?;
    }
    row.figures = format!("{total} acknowledgements in the rounds");
    row.judge(None);
    Ok(row)
}

/// The second in which the power goes.
#[derive(Clone, Copy, PartialEq)]
enum When {
    FromTheStart,
    AfterOpening,
    /// As the latter, by a box that never syncs its journal.
    Unsynced,
}

/// Opens the store, writes, cuts the power within a second, and looks at what is there after it came back.
fn cut_while_writing(
    disk: &mut LoopDisk,
    round: u64,
    when: When,
    promise: &mut Promise,
    row: &mut Row,
    total: &mut usize,
) -> Result<()> {
    let cutter = disk.cutter()?;
    let data = disk.path().join("data");
    let shared = Mutex::new(std::mem::take(promise));
    let (begun, writing) = mpsc::channel();
    let cut_at = std::thread::scope(|scope| -> Result<_> {
        let (data, shared) = (&data, &shared);
        let thread = scope.spawn(move || {
            if when == When::FromTheStart {
                let _ = begun.send(());
            }
            // Ends with the error that the dead disk gives.
            let Ok(mut ledger) = open(data, when) else { return };
            if when != When::FromTheStart {
                let _ = begun.send(());
            }
            let mut writer = Writer::new(2, round);
            while writer.step(&mut ledger, &mut shared.lock()).is_ok() {}
        });
        writing.recv()?;
        let moment = Duration::from_micros(fastrand::Rng::with_seed(round).u64(..1_000_000));
        sleep(moment);
        let cut_at = now();
        cutter.cut()?;
        thread.join().ok().context("the writer panicked: the store must fail with an error")?;
        Ok(cut_at)
    })?;
    *promise = shared.into_inner();
    let acknowledged = promise.unsettled();
    *total += acknowledged;
    promise.settle(cut_at.checked_sub(MARGIN));
    disk.replug()?;
    let begun = now();
    let (mut ledger, recovery) =
        writer::open(&data).with_context(|| format!("round {round}: it does not open"))?;
    row.took(begun.elapsed().as_secs_f64());
    promise.check(&mut ledger, row)?;
    ledger.close()?;
    row.trials += 1;
    row.must(recovery.damage.missing.is_empty() || row.lost == 0, || format!("round {round}: {recovery:?}"));
    eprintln!("{} round {round}: {acknowledged} acknowledged, {recovery:?}", row.fault);
    Ok(())
}
