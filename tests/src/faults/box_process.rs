//! A box without cameras: journal, index, outbox and link of the agent in a process of their own, told what to report.
//!
//! ```text
//! faults box --dir DIR [--broker PORT] [--mqtt 5|3.1.1] [--keep-alive S] [--tls DIR] [--centre-key PUBLIC] [--sync-ms MS]
//! ```
//!
//! Orders come on standard input: `report PREFIX COUNT THREADS`, `big INCIDENT BYTES`, `stats`, `stop`. It says `ready`, `durable ID` when a report's
//! commit has returned, `refused WHY`, `stats JSON`, `stopped`.

use std::fs::File;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kerbside_crypto::sign::CentreKey;
use kerbside_crypto::sign::PublicKey;
use kerbside_domain::time::Clock;
use kerbside_link::upload::{self, Uploader};
use kerbside_link::{self as link, LinkHandle};
use kerbside_site::config::{Centre, Protocol, Tls};
use kerbside_testkit::program::built;
use kerbside_testkit::wait::sleep;
use kerbside_testkit::{LIMIT, Process};
use kerbside_trace::delivery::{Delivery, DeliverySettings, OpenedDelivery, StageInput};
use kerbside_wire::Message;

use super::writer;

#[derive(Debug)]
struct Args {
    dir: PathBuf,
    broker: Option<u16>,
    protocol: Protocol,
    keep_alive_s: u16,
    /// Holds `ca.pem`, `fault-box.pem` and `fault-box.key`.
    tls: Option<PathBuf>,
    /// Whose grants count; files are uploaded from `DIR/evidence`.
    centre_key: Option<PublicKey>,
    /// Each sync takes that long at least, as on an SD card.
    sync_ms: u64,
}

/// How long a sync takes at least.
static SYNC_MS: AtomicU64 = AtomicU64::new(0);

fn slow_sync(file: &File) -> std::io::Result<()> {
    sleep(Duration::from_millis(SYNC_MS.load(Ordering::Relaxed)));
    file.sync_data()
}

/// The child's side.
pub fn main(args: &[String]) -> Result<()> {
    let args = parse(args)?;
    let clock = writer::clock();
    let keys = args.centre_key.map(|public| CentreKey::new("ops", public));
    let mut settings = DeliverySettings { keys: keys.into_iter().collect(), ..writer::settings(&args.dir) };
    if args.sync_ms > 0 {
        SYNC_MS.store(args.sync_ms, Ordering::Relaxed);
        settings.syncs.file = slow_sync;
    }
    let (delivery, opened) = Delivery::open(settings, writer::identity(), clock.clone())?;
    println!("ready {}", serde_json::to_string(&opened.recovery)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let link = start_link(&args, opened, &delivery, &clock, &runtime);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["report", prefix, count, threads] => {
                report(&delivery, &clock, prefix, count.parse()?, threads.parse()?)
            }
            ["big", incident, bytes] => big(&delivery, &clock, incident, bytes.parse()?),
            ["stats"] => println!("stats {}", serde_json::to_string(&delivery.stats()?)?),
            ["stop"] => break,
            _ => bail!("no order: {line}"),
        }
    }
    if let Some(link) = link {
        runtime.block_on(link.stop(5.0));
    }
    delivery.close()?;
    println!("stopped");
    Ok(())
}

fn parse(args: &[String]) -> Result<Args> {
    let mut parsed = Args {
        dir: PathBuf::new(),
        broker: None,
        protocol: Protocol::V5,
        keep_alive_s: 5,
        tls: None,
        centre_key: None,
        sync_ms: 0,
    };
    for pair in args.chunks(2) {
        let [key, value] = pair else { bail!("{pair:?}: a value is missing") };
        match key.as_str() {
            "--dir" => parsed.dir = PathBuf::from(value),
            "--broker" => parsed.broker = Some(value.parse()?),
            "--mqtt" => parsed.protocol = if value == "5" { Protocol::V5 } else { Protocol::V311 },
            "--tls" => parsed.tls = Some(PathBuf::from(value)),
            "--centre-key" => {
                parsed.centre_key = Some(PublicKey::parse(value).context("no key after --centre-key")?);
            }
            "--sync-ms" => parsed.sync_ms = value.parse()?,
            "--keep-alive" => parsed.keep_alive_s = value.parse()?,
            _ => bail!("{key}: no such option"),
        }
    }
    Ok(parsed)
}

fn start_link(
    args: &Args,
    opened: OpenedDelivery,
    delivery: &Delivery,
    clock: &Arc<dyn Clock>,
    runtime: &tokio::runtime::Runtime,
) -> Option<LinkHandle> {
    let consumer = delivery.clone();
    let _inside = runtime.enter();
    let (uploads, _) = upload::spawn(Uploader {
        evidence_dir: args.dir.join("evidence"),
        delivery: delivery.clone(),
        clock: clock.clone(),
        trust: None,
        local_allowed: true,
        proxy: None,
        masked_only: false,
    });
    // As the core does: takes all that waits, then says how far it got. Ends with the delivery.
    std::thread::spawn(move || {
        while let Ok(first) = opened.inputs.recv() {
            let mut last = first.n;
            for inbound in std::iter::once(first).chain(opened.inputs.try_iter()) {
                last = inbound.n;
                if let StageInput::Grant(grant) = inbound.input {
                    // A grant beyond the channel comes again at the next start.
                    let _ = uploads.try_send(grant);
                }
            }
            if consumer.consumed(last).is_err() {
                break;
            }
        }
    });
    let tls = args.tls.as_ref().map(|dir| Tls {
        ca_file: dir.join("ca.pem"),
        cert_file: Some(dir.join("fault-box.pem")),
        key_file: Some(dir.join("fault-box.key")),
    });
    let centre = Centre {
        protocol: args.protocol,
        keep_alive_s: args.keep_alive_s,
        tls,
        ..Centre::at("127.0.0.1", args.broker?)
    };
    Some(link::spawn(link::LinkSettings::new(&centre, "fault-box"), opened.link, clock.clone()))
}

/// Commits from several threads, which share syncs; does not wait for them.
fn report(delivery: &Delivery, clock: &Arc<dyn Clock>, prefix: &str, count: u64, threads: u64) {
    for thread in 0..threads {
        let (delivery, clock, prefix) = (delivery.clone(), clock.clone(), prefix.to_owned());
        std::thread::spawn(move || {
            for i in (thread..count).step_by(threads as usize) {
                let incident = format!("{prefix}{i:0width$}", width = 26usize.saturating_sub(prefix.len()));
                let item = writer::message(delivery.identity(), &incident, clock.now());
                match delivery.commit(vec![item]) {
                    Ok(_) => println!("durable {incident}.0001"),
                    Err(e) => println!("refused {e}"),
                }
            }
        });
    }
}

/// A report that is longer than any broker's limit may be.
fn big(delivery: &Delivery, clock: &Arc<dyn Clock>, incident: &str, bytes: usize) {
    let report = writer::report(incident, clock.now());
    let mut message: Message = kerbside_wire::matter(delivery.identity(), &report, None, None).into();
    message.data = serde_json::json!({ "text": "x".repeat(bytes) }).to_string();
    match delivery.send(message) {
        Ok(_) => println!("durable {incident}.0001"),
        Err(e) => println!("refused {e}"),
    }
}

/// The parent's side: a running box.
#[derive(Debug)]
pub struct BoxProcess(pub Process);

impl BoxProcess {
    /// Does not wait until it is ready.
    pub fn start(dir: &Path, more: &[&str]) -> Result<BoxProcess> {
        let mut command = Command::new(built("faults")?);
        command.args(["box", "--dir"]).arg(dir).args(more);
        Ok(BoxProcess(Process::start_with_stdin("faults box", command)?))
    }

    /// The same under a program that meddles with it.
    pub fn start_under(mut wrapper: Command, dir: &Path) -> Result<BoxProcess> {
        wrapper.arg(built("faults")?).args(["box", "--dir"]).arg(dir);
        Ok(BoxProcess(Process::start_with_stdin("faults box, traced", wrapper)?))
    }

    /// Returns what it found when it opened its store.
    pub fn ready(&self) -> Result<String> {
        self.0.until("ready box", LIMIT, |lines| {
            lines.iter().find_map(|l| l.strip_prefix("ready ").map(str::to_owned))
        })
    }

    pub fn report(&mut self, prefix: &str, count: u64, threads: u64) -> Result<()> {
        self.0.write_line(&format!("report {prefix} {count} {threads}"))
    }

    /// Waits until so many reports with this prefix are durable.
    pub fn durable(&self, prefix: &str, count: usize) -> Result<Vec<String>> {
        self.0.until(&format!("{count} durable reports"), LIMIT, |lines| {
            let ids = durable(lines, prefix);
            (ids.len() >= count).then_some(ids)
        })
    }

    pub fn stats(&mut self) -> Result<serde_json::Value> {
        let before = self.0.lines().iter().filter(|l| l.starts_with("stats ")).count();
        self.0.write_line("stats")?;
        self.0.until("figures", LIMIT, |lines| {
            let text = lines.iter().filter_map(|l| l.strip_prefix("stats ")).nth(before)?;
            serde_json::from_str(text).ok()
        })
    }

    pub fn stop(mut self) -> Result<()> {
        self.0.write_line("stop")?;
        self.0.until("end of the box", LIMIT, |lines| lines.iter().any(|l| l == "stopped").then_some(()))?;
        self.0.wait(LIMIT).context("after it stopped").map(drop)
    }
}

/// How many reports were refused.
pub fn refused(lines: &[String]) -> usize {
    lines.iter().filter(|l| l.starts_with("refused ")).count()
}

/// Ids that were said to be durable.
pub fn durable(lines: &[String], prefix: &str) -> Vec<String> {
    let ids = lines.iter().filter_map(|l| l.strip_prefix("durable "));
    ids.filter(|id| id.starts_with(prefix)).map(str::to_owned).collect()
}
