//! The broker and the network misbehave: sessions lost, PUBACKs withheld, half-open links, limits, refusals, absence, delay.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use kerbside_testkit::wait::{now, poll};
use kerbside_testkit::{BrokerFault, LIMIT, Proxy, Received, ScriptedBroker, free_port};
use kerbside_trace::journal::{RecordKind, scan};

use super::box_process::BoxProcess;
use super::row::{Row, Scale};

/// Of the box in these rows, s; it is the least that the client allows.
const KEEP_ALIVE_S: f64 = 5.0;
/// What must come through the long waits of a scripted broker.
const LONG: Duration = Duration::from_secs(600);

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let cuts = scale.pick(4, 20);
    let mut rng = fastrand::Rng::with_seed(20);
    let lost = (0..cuts).map(|_| BrokerFault::Forget { after: rng.u32(1..20) }).collect();
    let deaf = vec![BrokerFault::StopReading { after: 5 }; scale.pick(1, 4) as usize];
    let refused = vec![BrokerFault::Refuse; scale.pick(2, 6) as usize];
    let withheld = BrokerFault::Withhold { share: 0.3 };
    let some = scale.pick(20, 60);
    // They wait most of the time: side by side.
    std::thread::scope(|scope| {
        let rows = [
            scope.spawn(|| scripted("broker loses its session", "5", lost, BrokerFault::None, 30 * cuts)),
            scope.spawn(|| scripted("PUBACK withheld, 30 % of them", "5", Vec::new(), withheld, some)),
            scope.spawn(|| scripted("half-open link, MQTT 5", "5", deaf.clone(), BrokerFault::None, some)),
            scope.spawn(|| {
                scripted("half-open link, MQTT 3.1.1", "3.1.1", deaf.clone(), BrokerFault::None, some)
            }),
            scope.spawn(|| scripted("broker refuses", "5", refused, BrokerFault::None, some)),
            scope.spawn(|| oversize("a report longer than the broker said", "5", true, some)),
            scope.spawn(|| oversize("a report that the broker closes on", "3.1.1", false, some)),
        ];
        let rows = rows.into_iter().map(|row| row.join().map_err(|_| anyhow!("a row panicked"))?);
        rows.collect()
    })
}

/// Reports go out while connections follow the script.
fn scripted(
    name: &str,
    mqtt: &str,
    script: Vec<BrokerFault>,
    otherwise: BrokerFault,
    reports: u64,
) -> Result<Row> {
    let mut row = Row::new(name, "scripted broker");
    row.trials = if script.is_empty() { reports } else { script.len() as u64 };
    let dir = tempfile::tempdir()?;
    let broker = ScriptedBroker::start(0, script, otherwise, true)?;
    let mut box_ = BoxProcess::start(dir.path(), &["--broker", &broker.port().to_string(), "--mqtt", mqtt])?;
    box_.ready()?;
    box_.report("01LINK", reports, 2)?;
    let promised = box_.durable("01LINK", reports as usize)?;
    broker.until("every report", LONG, |c| {
        promised.iter().all(|id| c.matters.contains_key(id)).then_some(())
    })?;
    count(&mut row, &broker, &promised);
    broker.read(|c| recoveries(&mut row, c));
    box_.stop()?;
    // A withheld PUBACK is no dead link: what must hold is that its report comes all the same.
    let limit = matches!(otherwise, BrokerFault::None).then_some(2.0 * KEEP_ALIVE_S);
    if limit.is_none() {
        row.worst_recovery_s = None;
    }
    row.judge(limit);
    Ok(row)
}

fn count(row: &mut Row, broker: &ScriptedBroker, promised: &[String]) {
    let (again, forged, sequences) = broker.read(|c| {
        row.lost = promised.iter().filter(|id| !c.matters.contains_key(*id)).count() as u64;
        let again: u32 = c.matters.values().map(|h| h.times - 1).sum();
        (again, c.forged, c.matters.values().map(|h| h.sequence.clone()).collect::<BTreeSet<_>>().len())
    });
    let all = broker.read(|c| c.matters.len());
    row.duplicated = forged + (all - sequences) as u64;
    row.figures = format!("{} reports, {again} sent again with the same bytes", promised.len());
}

/// From each fault, or each refusal, to the next connection that was let in.
fn recoveries(row: &mut Row, received: &Received) {
    let refused = received.connects.iter().filter(|(_, let_in)| !let_in).map(|(at, _)| *at);
    // Of refusals in a row only the last one ends the trouble; the waits before it were refused again.
    let troubles = received.faults.iter().copied().chain(refused.max());
    for at in troubles {
        if let Some((back, _)) = received.connects.iter().find(|(when, let_in)| *let_in && *when > at) {
            row.took(back.duration_since(at).as_secs_f64());
        }
    }
}

/// One report is longer than the broker takes: it is given up with its reason, the others go their way.
fn oversize(name: &str, mqtt: &str, announced: bool, reports: u64) -> Result<Row> {
    let mut row = Row::new(name, "scripted broker that closes the connection on more than 8 KiB");
    row.trials = 1;
    let dir = tempfile::tempdir()?;
    let broker =
        ScriptedBroker::start(0, Vec::new(), BrokerFault::Limit { bytes: 8 << 10, announced }, true)?;
    let mut box_ = BoxProcess::start(dir.path(), &["--broker", &broker.port().to_string(), "--mqtt", mqtt])?;
    box_.ready()?;
    box_.0.write_line("big 01BIG00000000000000000000 20000")?;
    box_.durable("01BIG", 1)?;
    box_.report("01LINK", reports, 2)?;
    let promised = box_.durable("01LINK", reports as usize)?;
    broker.until("every other report", LONG, |c| {
        promised.iter().all(|id| c.matters.contains_key(id)).then_some(())
    })?;
    count(&mut row, &broker, &promised);
    box_.0.write_line("report 01AFTER 1 1")?;
    broker.until("a report after it", LIMIT, |c| {
        c.matters.keys().any(|id| id.starts_with("01AFTER")).then_some(())
    })?;
    let given_up = poll("a message given up", LIMIT, Duration::from_millis(200), || {
        let stats = box_.stats()?;
        let given_up = stats["dead_lettered"].as_u64().filter(|given_up| *given_up > 0);
        Ok(given_up.ok_or_else(|| stats.to_string()))
    })?;
    box_.stop()?;
    let reasons = reasons(dir.path())?;
    row.must(given_up == 1 && reasons.len() == 1, || format!("{given_up} given up, journalled: {reasons:?}"));
    row.figures += &format!("; the long one: {}", reasons.first().map_or("", String::as_str));
    row.judge(None);
    Ok(row)
}

/// Why messages were given up, by the journal.
fn reasons(dir: &Path) -> Result<Vec<String>> {
    let mut files: Vec<_> =
        std::fs::read_dir(dir.join("journal"))?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    files.sort();
    let (mut tip, mut damage, mut reasons) = (scan::Tip::default(), scan::Damage::default(), Vec::new());
    for file in files {
        scan::segment(&std::fs::read(file)?, &mut tip, None, &mut damage, &mut |record, _, _| {
            if record.kind == RecordKind::DeadLettered
                && let Ok(body) = serde_json::from_str::<serde_json::Value>(&record.body)
            {
                reasons.extend(body["reason"].as_str().map(str::to_owned));
            }
        });
    }
    reasons.retain(|r| r != "superseded");
    Ok(reasons)
}

pub fn backlogs(scale: Scale) -> Result<Vec<Row>> {
    let away = backlog("broker away, then back", scale.pick(400, 2000), Duration::from_millis(10))?;
    let drain =
        backlog("backlog over a round trip of 100 ms", scale.pick(400, 10_000), Duration::from_millis(50))?;
    Ok(vec![away, drain])
}

/// Reports pile up while nobody answers; then the broker is there, and one more report is made.
fn backlog(name: &str, reports: u64, delay: Duration) -> Result<Row> {
    let mut row = Row::new(name, "broker stopped and started, proxy with delay");
    row.trials = 1;
    let dir = tempfile::tempdir()?;
    let port = free_port()?;
    let proxy = Proxy::start(port, delay)?;
    let mut box_ =
        BoxProcess::start(dir.path(), &["--broker", &proxy.port().to_string(), "--keep-alive", "30"])?;
    box_.ready()?;
    let memory = box_.0.memory()?;
    box_.report("01BACK", reports, if reports > 2000 { 24 } else { 4 })?;
    let mut promised = box_.durable("01BACK", reports as usize)?;
    let piled_up = box_.0.memory()?;
    let broker = ScriptedBroker::start(port, Vec::new(), BrokerFault::None, true)?;
    let began = broker.until("the box again", LIMIT, |c| c.connects.first().map(|(at, _)| *at))?;
    broker.until("the first of the backlog", LIMIT, |c| (c.matters.len() >= 50).then_some(()))?;
    let begun = now();
    box_.report("01NEW", 1, 1)?;
    let overtaken_at = broker.until("the new report", LIMIT, |c| {
        c.matters.iter().find(|(id, _)| id.starts_with("01NEW")).map(|(_, h)| h.first)
    })?;
    let overtook_s = overtaken_at.duration_since(begun).as_secs_f64();
    let behind = broker.read(|c| reports as usize + 1 - c.matters.len());
    let last = broker.until("the whole backlog", LONG, |c| {
        // Asked at each message: the count first.
        let all = c.matters.len() > promised.len() && promised.iter().all(|id| c.matters.contains_key(id));
        all.then(|| c.matters.values().map(|h| h.first).max())
    })?;
    let drained_s = last.map_or(0.0, |last| last.duration_since(began).as_secs_f64());
    let grown = |to: u64| to.saturating_sub(memory) as f64 / 1e6;
    let grown_mb = grown(piled_up).max(grown(box_.0.memory()?));
    promised.extend(box_.durable("01NEW", 1)?);
    count(&mut row, &broker, &promised);
    box_.stop()?;
    row.took(drained_s);
    row.figures = format!(
        "{reports} reports drained in {drained_s:.0} s, a new one overtook {behind} of them in {overtook_s:.1} s, memory +{grown_mb:.1} MB"
    );
    row.must(overtook_s <= 5.0, || format!("the new report took {overtook_s:.1} s"));
    row.must(reports > 2000 || grown_mb < 10.0, || format!("memory grew by {grown_mb:.1} MB"));
    row.judge(Some(180.0));
    Ok(row)
}
