//! A broker that drowns the box: thousands of messages at once, whatever the box said of Receive Maximum, junk and forged ones
//! among them, and a disk whose syncs take as long as an SD card's. Live reports go on meanwhile.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kerbside_testkit::wait::{now, sleep};
use kerbside_testkit::{Flood, FloodBroker, LIMIT};
use kerbside_trace::journal::{RecordKind, scan};

use super::box_process::BoxProcess;
use super::row::{Row, Scale};

/// What a sync takes, ms: the slow end of SD cards.
const SYNC_MS: &str = "50";
/// Live reports, one each time.
const PACE: Duration = Duration::from_millis(100);
/// Of live reports, from order to broker, s.
const P99_S: f64 = 2.0;
/// Journal of one message of the centre, bytes, with all that is written beside it.
const BYTES_A_MESSAGE: u64 = 1024;

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let messages = scale.pick(3000, 10_000) as u16;
    Ok(vec![
        row("flood from the broker, MQTT 5", "5", Flood { messages, ..Flood::default() })?,
        row("flood from the broker, MQTT 3.1.1", "3.1.1", Flood { messages, ..Flood::default() })?,
        row(
            "flood, and the connection breaks in it",
            "5",
            Flood { messages, breaks_after: Some(1500), ..Flood::default() },
        )?,
        row("flood, PUBACKs behind it", "5", Flood { messages, receive_max: Some(8), ..Flood::default() })?,
    ])
}

fn row(name: &str, mqtt: &str, flood: Flood) -> Result<Row> {
    let broker_does = match flood.receive_max {
        None => "a broker that ignores Receive Maximum; syncs of 50 ms".to_owned(),
        Some(max) => format!("a broker with a Receive Maximum of {max}; syncs of 50 ms"),
    };
    let mut row = Row::new(name, &broker_does);
    row.trials = u64::from(flood.messages);
    let dir = tempfile::tempdir()?;
    let broker = FloodBroker::start(flood)?;
    let port = broker.port().to_string();
    let options = ["--broker", &port, "--mqtt", mqtt, "--sync-ms", SYNC_MS, "--keep-alive", "30"];
    let mut box_ = BoxProcess::start(dir.path(), &options)?;
    box_.ready()?;
    let began = broker.until("the flood", LIMIT, |s| s.began)?;
    // Live reports, as long as it lasts, and a few more.
    let (mut ordered, mut after) = (Vec::new(), 0);
    while after < 5 && ordered.len() < 600 {
        let prefix = format!("01LIVE{:04}", ordered.len());
        ordered.push((prefix.clone(), now()));
        box_.report(&prefix, 1, 1)?;
        sleep(PACE);
        after += u32::from(broker.read(|s| s.drained.is_some()));
    }
    let drained = broker.until("all acknowledgements", LIMIT, |s| s.drained)?;
    broker.until("every live report", LIMIT, |s| (s.reports.len() >= ordered.len()).then_some(()))?;
    let mut latencies: Vec<f64> = broker.read(|s| {
        let of = |(prefix, at): &(String, _)| {
            let came = s.reports.iter().find(|(id, _)| id.starts_with(prefix.as_str()));
            came.map(|(_, came)| came.duration_since(*at).as_secs_f64())
        };
        ordered.iter().filter_map(of).collect()
    });
    latencies.sort_by(f64::total_cmp);
    let p99_s = latencies.get(latencies.len() * 99 / 100).copied().context("no live report")?;
    let connections = broker.read(|s| s.connections);
    let stats = box_.stats()?;
    box_.stop()?;
    judge(&mut row, dir.path(), flood, connections)?;
    row.lost += (ordered.len() - latencies.len()) as u64;
    row.took(drained.duration_since(began).as_secs_f64());
    row.figures = format!(
        "drained in {:.1} s over {connections} connection(s), {} live reports meanwhile with p99 {p99_s:.2} s, {:.0} bytes of \
         journal a message, {} refused",
        drained.duration_since(began).as_secs_f64(),
        latencies.len(),
        journal_bytes(dir.path())? as f64 / f64::from(flood.messages),
        stats["refused"],
    );
    row.must(p99_s <= P99_S, || format!("live reports: p99 {p99_s:.2} s"));
    row.judge(None);
    Ok(row)
}

/// Each true message journalled once, on as many connections as the broker broke, in a journal that does not grow beyond them.
fn judge(row: &mut Row, dir: &Path, flood: Flood, connections: usize) -> Result<()> {
    let (mut receipts, mut cases) = (0, 0);
    let (mut tip, mut damage) = (scan::Tip::default(), scan::Damage::default());
    let mut files: Vec<_> =
        std::fs::read_dir(dir.join("journal"))?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    files.sort();
    for file in files {
        scan::segment(&std::fs::read(file)?, &mut tip, None, &mut damage, &mut |record, _, _| {
            receipts += usize::from(record.kind == RecordKind::Receipt);
            cases += usize::from(record.kind == RecordKind::Case);
        });
    }
    let (wanted, got) = (flood.receipts() + flood.cases(), receipts + cases);
    row.lost += wanted.saturating_sub(got) as u64;
    row.duplicated += got.saturating_sub(wanted) as u64;
    let breaks = usize::from(flood.breaks_after.is_some());
    row.must(connections == 1 + breaks, || format!("{connections} connections"));
    let bytes = journal_bytes(dir)?;
    let most = u64::from(flood.messages) * BYTES_A_MESSAGE * 2;
    row.must(bytes <= most, || format!("{bytes} bytes of journal"));
    Ok(())
}

fn journal_bytes(dir: &Path) -> Result<u64> {
    let entries = std::fs::read_dir(dir.join("journal"))?;
    entries.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
