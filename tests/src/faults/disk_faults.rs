//! The disk is full, turns read-only, or fails single calls: the box lives, keeps what it promised, and goes on when it can.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kerbside::evidence::{Room, Watermark};
use kerbside_testkit::wait::{now, poll};
use kerbside_testkit::{Agent, Broker, LIMIT, Site, free_port};

use super::box_process::{BoxProcess, durable, refused};
use super::loop_disk::LoopDisk;
use super::promise::outbox;
use super::row::{Row, Scale};
use super::writer;
use crate::journal::matters;

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let names = ["disk full", "disk turns read-only"];
    let hows = ["ext4 of 40 MB, filled to the last byte", "ext4, trigger_fs_error, under the whole program"];
    let mut rows = match LoopDisk::missing() {
        Some(why) => (0..2).map(|i| Row::skipped(names[i], hows[i], why.clone())).collect(),
        None => {
            vec![full(names[0], hows[0], scale.pick(1, 4))?, read_only(names[1], hows[1], scale.pick(1, 4))?]
        }
    };
    rows.push(failing_calls(scale)?);
    rows.push(unreadable(scale)?);
    Ok(rows)
}

/// Counts what was promised and is not there, and what was refused and came back.
fn compare(row: &mut Row, dir: &Path, lines: &[String]) -> Result<()> {
    let (mut ledger, recovery) = writer::open(dir).context("after the fault")?;
    let held = outbox(&mut ledger)?;
    let promised: BTreeSet<String> = durable(lines, "01").into_iter().collect();
    row.lost += promised.iter().filter(|id| !held.contains_key(*id)).count() as u64;
    row.duplicated += held.iter().filter(|(id, times)| **times > 1 || !promised.contains(*id)).count() as u64;
    row.must(recovery.damage.missing.is_empty(), || format!("{recovery:?}"));
    Ok(())
}

fn full(name: &str, how: &str, trials: u64) -> Result<Row> {
    let mut row = Row::new(name, how);
    let (mut landed, mut turned_away) = (0, 0);
    for _ in 0..trials {
        let dir = tempfile::tempdir()?;
        let disk = LoopDisk::new(dir.path(), 40)?;
        let data = disk.path().join("data");
        let mut box_ = BoxProcess::start(&data, &[])?;
        box_.ready()?;
        box_.report("01BEFORE", 20, 2)?;
        box_.durable("01BEFORE", 20)?;
        wait_for_file(&data.join("reserve"))?;

        // Somebody else fills the disk: reports still land, pictures and clips have stopped.
        fill(&disk.path().join("filler"))?;
        let room = Watermark::new(&data, None).room();
        row.must(room == Room::NoPictures, || format!("evidence: {room:?}"));
        box_.report("01FULL", 300, 4)?;
        let on_full = box_.durable("01FULL", 300)?;
        row.must(!data.join("reserve").exists(), || "the reserve file is still there".to_owned());
        landed += on_full.len();
        // Until nothing at all is left.
        let mut round = 0;
        while refused(&box_.0.lines()) == 0 {
            round += 1;
            box_.report(&format!("01MORE{round:03}"), 500, 8)?;
            let before = answers(&box_);
            box_.0.until("answers", LIMIT, |lines| (lines.len() >= before + 500).then_some(()))?;
        }
        ensure!(box_.stats()?["append_errors"].as_u64() > Some(0), "it does not count what it refused");
        turned_away += refused(&box_.0.lines());

        std::fs::remove_file(disk.path().join("filler"))?;
        let begun = now();
        let mut again = 0;
        while durable(&box_.0.lines(), "01AGAIN").is_empty() {
            ensure!(begun.elapsed() < LIMIT, "no report is taken again");
            again += 1;
            let before = answers(&box_);
            box_.report(&format!("01AGAIN{again:03}"), 1, 1)?;
            box_.0.until("an answer", LIMIT, |lines| (lines.len() > before).then_some(()))?;
        }
        row.took(begun.elapsed().as_secs_f64());
        wait_for_file(&data.join("reserve"))?;
        let lines = box_.0.kill_and_read()?;
        compare(&mut row, &data, &lines)?;
        row.trials += 1;
    }
    row.figures = format!(
        "{landed} reports landed on a full disk; {turned_away} refused when the reserve file was used up too"
    );
    row.judge(Some(10.0));
    Ok(row)
}

fn answers(box_: &BoxProcess) -> usize {
    box_.0.lines().len()
}

fn fill(file: &Path) -> Result<()> {
    let mut file = std::fs::File::create(file)?;
    for size in [1 << 20, 4096, 1] {
        let bytes = vec![0x55; size];
        while file.write_all(&bytes).is_ok() {}
    }
    // What lies in memory only may still find no room.
    file.sync_all().context("the filler")
}

fn wait_for_file(path: &Path) -> Result<()> {
    let folder = path.parent().context("no folder")?;
    let there = || -> Result<Result<(), String>> {
        if path.exists() {
            return Ok(Ok(()));
        }
        let names = std::fs::read_dir(folder)?.flatten().map(|entry| entry.file_name());
        Ok(Err(format!("{} has {:?}", folder.display(), names.collect::<Vec<_>>())))
    };
    poll(&format!("the file {}", path.display()), LIMIT, Duration::from_millis(50), there)
}

fn read_only(name: &str, how: &str, trials: u64) -> Result<Row> {
    let mut row = Row::new(name, how);
    for _ in 0..trials {
        let dir = tempfile::tempdir()?;
        let mut disk = LoopDisk::new(dir.path(), 100)?;
        let broker = Broker::start(dir.path())?;
        let camera = format!("rtsp://127.0.0.1:{}/cam1", free_port()?);
        let site = Site::of_scene(disk.path(), "kerb-day.site.toml", &broker, &[&camera])?;
        // As installed long ago: it is the agent's own files that the fault is about.
        std::fs::File::open(site.path())?.sync_all()?;
        let agent = Agent::start(&site)?;
        agent.connected()?;
        disk.turn_read_only()?;
        agent.logged("refusal of the journal", LIMIT, |e| {
            e["message"]
                .as_str()
                .is_some_and(|m| m.contains("the journal refuses") || m.contains("cannot be written"))
        })?;
        // A camera's life goes on all the same.
        let lines_before = agent.log().len();
        agent.logged_after(lines_before, "a line after it", |_| true)?;
        let (status, _) = agent.get("/healthz")?;
        row.must(status.contains("200"), || format!("its health page says {status}"));
        let panics = agent.log().iter().filter(|l| l.contains("panicked at") && !l.contains("sled")).count();
        row.must(panics == 0, || "it panicked".to_owned());
        agent.kill()?;
        disk.pull_out()?;
        disk.check()?;
        disk.plug_in()?;
        let begun = now();
        let agent = Agent::start(&site)?;
        agent.connected()?;
        row.took(begun.elapsed().as_secs_f64());
        agent.kill()?;
        matters(&site).context("the journal after the fault")?;
        row.trials += 1;
    }
    row.figures = "recovery: start after the disk was checked".to_owned();
    row.judge(Some(10.0));
    Ok(row)
}

/// A part of the newest segment, or all of it, cannot be read when the box starts: it starts, says what is missing, and takes reports.
fn unreadable(scale: Scale) -> Result<Row> {
    let (name, how) =
        ("the journal cannot be read at the start", "strace injects EIO into reads of its newest segment");
    if !strace_works() {
        return Ok(Row::skipped(name, how, "strace is missing or may not trace"));
    }
    let mut row = Row::new(name, how);
    for trial in 0..scale.pick(2, 8) {
        let dir = tempfile::tempdir()?;
        let (mut ledger, _) = writer::open(dir.path())?;
        let at = ledger.now();
        let ids: Vec<String> = (0..40).map(|i| format!("01EIO{i:021}")).collect();
        let items = ids.iter().map(|id| writer::message(ledger.identity(), id, at)).collect();
        ledger.commit(items)?;
        ledger.close()?;
        drop(ledger);
        let segment = std::fs::read_dir(dir.path().join("journal"))?.map(|e| Ok(e?.path()));
        let segment =
            segment.collect::<std::io::Result<Vec<_>>>()?.into_iter().max().context("no segment")?;
        // One block, or everything.
        let blocks = if trial % 2 == 0 { format!("when={}", trial / 2 + 2) } else { "when=1+".to_owned() };
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(&segment);
        strace.args(["-e", "inject=read:error=EIO", "-e", &format!("inject=pread64:error=EIO:{blocks}")]);
        let begun = now();
        let mut box_ = BoxProcess::start_under(strace, dir.path())?;
        let recovery = box_.ready()?;
        row.took(begun.elapsed().as_secs_f64());
        row.must(!recovery.contains("\"missing\":[]"), || {
            format!("it does not say what is missing: {recovery}")
        });
        box_.report("01SICK", 10, 1)?;
        box_.durable("01SICK", 10)?;
        let mut lines = box_.0.kill_and_read()?;
        lines.extend(ids.iter().map(|id| format!("durable {id}.0001")));
        // The disk reads again.
        compare(&mut row, dir.path(), &lines)?;
        row.trials += 1;
    }
    row.judge(Some(10.0));
    Ok(row)
}

fn strace_works() -> bool {
    let tried = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).output();
    tried.is_ok_and(|o| o.status.success())
}

/// The n-th write or sync of the journal fails, once or for good, by the kernel's tracing interface.
fn failing_calls(scale: Scale) -> Result<Row> {
    let (name, how) =
        ("the n-th write or sync fails", "strace injects EIO or ENOSPC into the journal's calls");
    if !strace_works() {
        return Ok(Row::skipped(name, how, "strace is missing or may not trace"));
    }
    let mut row = Row::new(name, how);
    let mut failures = 0;
    for nth in 1..=scale.pick(2, 8) {
        for (calls, error, for_good) in [
            ("write", "ENOSPC", ""),
            ("fdatasync", "EIO", ""),
            ("fdatasync,ftruncate", "EIO", "+"),
            ("write,fdatasync,ftruncate", "EIO", "+"),
        ] {
            let dir = tempfile::tempdir()?;
            drop(writer::open(dir.path())?);
            let segment = dir.path().join("journal/00000000000000000001.journal");
            let mut strace = Command::new("strace");
            strace
                .args(["-f", "-qq", "-o", "/dev/null", "-P"])
                .arg(&segment)
                .args(["-e", &format!("inject={calls}:error={error}:when={nth}{for_good}")]);
            let mut box_ = BoxProcess::start_under(strace, dir.path())?;
            let begun = now();
            box_.0
                .until("the box, or its refusal to start", LIMIT, |lines| (!lines.is_empty()).then_some(()))
                .or_else(
                    // Its first record of all could not be written: it says so and ends; a supervisor starts it again.
                    |_| -> Result<()> { Ok(()) },
                )?;
            let mut round = 0;
            while durable(&box_.0.lines(), "01CALL").len() < 10
                && box_.0.write_line(&format!("report 01CALL{round:03} 1 1")).is_ok()
            {
                round += 1;
                let before = answers(&box_);
                if box_
                    .0
                    .until("an answer", Duration::from_secs(20), |l| (l.len() > before).then_some(()))
                    .is_err()
                {
                    break;
                }
                ensure!(round < 200, "reports are refused for ever");
            }
            let lines = box_.0.kill_and_read()?;
            failures += refused(&lines);
            if refused(&lines) > 0 {
                row.took(begun.elapsed().as_secs_f64());
            }
            compare(&mut row, dir.path(), &lines)?;
            row.trials += 1;
        }
    }
    row.figures = format!("{failures} commits failed and said so; the next went to a new segment");
    row.judge(Some(10.0));
    Ok(row)
}
