//! `kill -9` at random moments: of a box that writes from four threads, and of the whole program.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kerbside_testkit::wait::{now, sleep};
use kerbside_testkit::{Agent, Broker, Site, free_port};

use super::box_process::{BoxProcess, durable};
use super::promise::outbox;
use super::row::{Row, Scale};
use super::writer;
use crate::journal::matters;

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    Ok(vec![writing(scale.pick(5, 30))?, whole(scale.pick(1, 10))?])
}

fn writing(trials: u64) -> Result<Row> {
    let mut row =
        Row::new("kill -9 while writing", "random moments, the start included; one store for all trials");
    let dir = tempfile::tempdir()?;
    let mut promised = BTreeSet::new();
    let mut rng = fastrand::Rng::with_seed(9);
    for trial in 0..trials {
        let begun = now();
        let mut box_ = BoxProcess::start(dir.path(), &[])?;
        // Every fifth dies while it opens its store.
        if trial % 5 == 4 {
            let moment = Duration::from_millis(rng.u64(..100));
            sleep(moment);
        } else {
            let recovery = box_.ready()?;
            row.took(begun.elapsed().as_secs_f64());
            row.must(recovery.contains("\"missing\":[]"), || format!("trial {trial}: {recovery}"));
            box_.report(&format!("01KILL{trial:02}"), 1_000_000, 4)?;
            let count = rng.usize(1..80);
            let _ = box_.0.until("acknowledgements", Duration::from_secs(20), |lines| {
                (durable(lines, "01KILL").len() >= count).then_some(())
            });
        }
        promised.extend(durable(&box_.0.kill_and_read()?, "01KILL"));
        row.trials += 1;
    }
    let begun = now();
    let (mut ledger, _) = writer::open(dir.path()).context("after the last kill")?;
    row.took(begun.elapsed().as_secs_f64());
    let held = outbox(&mut ledger)?;
    row.lost = promised.iter().filter(|id| !held.contains_key(*id)).count() as u64;
    row.duplicated = held.values().filter(|times| **times > 1).count() as u64;
    row.figures = format!("{} acknowledged reports", promised.len());
    row.must(promised.len() as u64 > trials, || "it wrote next to nothing".to_owned());
    row.judge(Some(5.0));
    Ok(row)
}

/// Ready: its pages answer.
fn whole(trials: u64) -> Result<Row> {
    let mut row = Row::new(
        "kill -9 of the whole program",
        "`kerbside run` with its model, killed when its pages answer",
    );
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let camera = format!("rtsp://127.0.0.1:{}/cam1", free_port()?);
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[&camera])?;
    for _ in 0..=trials {
        let begun = now();
        let agent = Agent::start(&site)?;
        agent.connected()?;
        row.took(begun.elapsed().as_secs_f64());
        agent.kill()?;
    }
    row.trials = trials;
    row.judge(Some(5.0));
    matters(&site).context("the journal after the kills")?;
    Ok(row)
}
