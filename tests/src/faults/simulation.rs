//! A seeded simulation: ledger, outbox and link machine over a memory store, with a network that loses, a broker that forgets
//! and a box that crashes. Thousands of seeds in a minute; a seed that fails is printed and repeats exactly.
//!
//! The crash model watches the journal's own syncs ([`Syncs`]): what a file got after its last one is lost from a random byte on, a
//! file whose folder was not synced may be gone; the index is what it was at its last sync. That the model sees a missing sync is
//! shown by taking each one out. Time is virtual, the disk is memory where the machine has some (`/dev/shm`).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use kerbside_domain::time::{Clock as _, VirtualClock};
use kerbside_link::machine::{Accepted, LinkAction, LinkEvent, Machine, MachineSettings, Terms, Verdict};
use kerbside_site::config::Protocol;
use kerbside_trace::delivery::{DeliverySettings, Ledger, LinkReport, LinkRequest};
use kerbside_trace::index::{IndexChange, IndexError, Store, Table};
use kerbside_trace::journal::Syncs;
use parking_lot::Mutex;
use serde_json::Value;

use super::row::{Row, Scale};
use super::writer;

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let (mut row, totals) = simulated(
        Row::new("seeded simulation", "crashes, lost packets, lost sessions on a virtual clock"),
        scale.pick(2000, 10_000),
    );
    row.figures =
        format!("{} reports, {} crashes, {} connections", totals.reports, totals.crashes, totals.connections);
    row.must(totals.crashes > 0 && totals.reports > 0, || "nothing happened".to_owned());
    let mut rows = vec![row];
    for (what, syncs) in WITHOUT {
        let mut row =
            Row::new(&format!("the simulation {what}"), "each seed must be found out or lose nothing");
        row.trials = scale.pick(40, 400);
        let caught = (0..row.trials).filter(|seed| seeded(*seed, syncs).is_err()).count();
        row.figures = format!("{caught} seeds failed, as they must");
        row.must(caught > 0, || "a missing sync goes unnoticed".to_owned());
        rows.push(row);
    }
    Ok(rows)
}

/// One seed again.
pub fn again(seed: u64) -> Result<()> {
    let totals = seeded(seed, WATCHED)?;
    println!("seed {seed} holds: {totals:?}");
    Ok(())
}

/// All seeds, on all cores; what fails is printed with what repeats it.
fn simulated(row: Row, seeds: u64) -> (Row, Totals) {
    let (next, result) = (AtomicU64::new(0), Mutex::new((row, Totals::default())));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let done = seeded(seed, WATCHED);
                    let (row, totals) = &mut *result.lock();
                    row.trials += 1;
                    match done {
                        Ok(one) => totals.add(&one),
                        Err(error) => row.must(false, || {
                            format!("seed {seed}: {error:#}\nrepeat with: faults sim {seed}")
                        }),
                    }
                }
            });
        }
    });
    result.into_inner()
}

#[derive(Debug, Default)]
struct Totals {
    reports: u64,
    crashes: u64,
    connections: u64,
}

impl Totals {
    fn add(&mut self, other: &Totals) {
        self.reports += other.reports;
        self.crashes += other.crashes;
        self.connections += other.connections;
    }
}

/// What has reached the disk, by inode: so many bytes of a file, and the files that their folder knows.
#[derive(Debug, Default)]
struct Disk {
    bytes: BTreeMap<u64, u64>,
    named: BTreeSet<u64>,
}

thread_local! {
    /// Of the simulation that runs on this thread: a sync knows its file and nothing else.
    static DISK: RefCell<Disk> = RefCell::default();
}

fn file_synced(file: &File) -> std::io::Result<()> {
    let meta = file.metadata()?;
    DISK.with_borrow_mut(|disk| disk.bytes.insert(meta.ino(), meta.len()));
    Ok(())
}

fn folder_synced(folder: &File) -> std::io::Result<()> {
    for entry in rustix::fs::Dir::read_from(folder)? {
        let inode = entry?.ino();
        DISK.with_borrow_mut(|disk| disk.named.insert(inode));
    }
    Ok(())
}

const WATCHED: Syncs = Syncs { file: file_synced, folder: folder_synced };

fn forgotten(_: &File) -> std::io::Result<()> {
    Ok(())
}

/// Each of the journal's syncs left out by itself.
const WITHOUT: [(&str, Syncs); 2] = [
    ("without the sync of a file", Syncs { file: forgotten, ..WATCHED }),
    ("without the sync of the folder", Syncs { folder: forgotten, ..WATCHED }),
];

type Map = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// The index: what is live, and what was there at the last sync.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<(Map, Map)>>);

impl Memory {
    fn crash(&self) {
        let mut maps = self.0.lock();
        maps.0 = maps.1.clone();
    }
}

impl Store for Memory {
    fn scan(&self, table: Table) -> Result<Vec<(Vec<u8>, Vec<u8>)>, IndexError> {
        let maps = self.0.lock();
        let of_table = maps.0.iter().filter(|((t, _), _)| *t == table);
        Ok(of_table.map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    fn apply(&mut self, changes: &[IndexChange]) -> Result<(), IndexError> {
        let mut maps = self.0.lock();
        for change in changes {
            let key = (change.table, change.key.clone());
            match &change.value {
                Some(value) => maps.0.insert(key, value.clone()),
                None => maps.0.remove(&key),
            };
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), IndexError> {
        let mut maps = self.0.lock();
        maps.1 = maps.0.clone();
        Ok(())
    }
}

/// What is on its way to the box.
#[derive(Debug)]
enum Coming {
    Ack(u16),
    Receipt(String),
}

struct World<'a> {
    dir: &'a Path,
    rng: fastrand::Rng,
    clock: Arc<VirtualClock>,
    index: Memory,
    ledger: Option<Ledger>,
    machine: Machine,
    epoch: u64,
    max_packet: usize,
    up: bool,
    next_pkid: u16,
    coming: VecDeque<Coming>,
    syncs: Syncs,
    promised: BTreeSet<String>,
    centre: BTreeMap<String, Vec<u8>>,
    totals: Totals,
}

fn seeded(seed: u64, syncs: Syncs) -> Result<Totals> {
    DISK.take();
    let base = Path::new("/dev/shm");
    let dir = if base.is_dir() { tempfile::tempdir_in(base)? } else { tempfile::tempdir()? };
    // It has its reserve file already: setting 64 MiB aside would take longer than all the rest.
    std::fs::write(dir.path().join("reserve"), "")?;
    let clock = VirtualClock::new(1_795_221_065_120);
    let mut world = World {
        dir: dir.path(),
        rng: fastrand::Rng::with_seed(seed),
        machine: link(0, seed, &clock),
        clock,
        index: Memory::default(),
        ledger: None,
        epoch: 0,
        max_packet: 1 << 20,
        up: false,
        next_pkid: 0,
        coming: VecDeque::new(),
        syncs,
        promised: BTreeSet::new(),
        centre: BTreeMap::new(),
        totals: Totals::default(),
    };
    world.boot(seed)?;
    // Short lives, and many of them: what goes wrong goes wrong within a few steps of a crash.
    for _ in 0..world.rng.u8(20..60) {
        world.step(seed)?;
    }
    world.calm()
}

fn link(session_base: u64, seed: u64, clock: &VirtualClock) -> Machine {
    let settings = MachineSettings {
        subscriptions: vec!["down".into()],
        session_base,
        keep_alive_s: 30.0,
        connect_timeout_s: 35.0,
        ack_timeout_s: 60.0,
        backoff_min_s: 1.0,
        backoff_max_s: 30.0,
        terms: Terms { protocol: Protocol::V5, retain: true, max_qos: 1 },
        max_packet_v5: 1 << 20,
        max_packet_v311: 1 << 20,
    };
    Machine::new(settings, seed, clock.now().mono)
}

impl World<'_> {
    fn boot(&mut self, seed: u64) -> Result<()> {
        let settings = DeliverySettings {
            segment_bytes: 16 << 10,
            syncs: self.syncs,
            ..DeliverySettings::new(self.dir, true)
        };
        let store = Box::new(self.index.clone());
        let (ledger, recovery) =
            Ledger::open_with(settings, writer::identity(), self.clock.clone(), Some(store))?;
        ensure!(recovery.damage.missing.is_empty(), "a crash is no damage: {recovery:?}");
        self.machine = link(ledger.session_base(), seed, &self.clock);
        (self.up, self.ledger) = (false, Some(ledger));
        self.coming.clear();
        Ok(())
    }

    fn ledger(&mut self) -> Result<&mut Ledger> {
        self.ledger.as_mut().context("the box is down")
    }

    fn step(&mut self, seed: u64) -> Result<()> {
        let now = self.clock.now().mono;
        self.clock.advance_to(now.plus_s(self.rng.f64() * 4.0));
        match self.rng.u8(..100) {
            0..=29 => self.report()?,
            30..=69 => self.deliver()?,
            70..=76 => drop(self.coming.pop_front()),
            77..=82 => {
                let by_peer = self.rng.bool();
                self.event(LinkEvent::Lost { why: "network".into(), by_peer })?;
            }
            83..=92 => self.ledger()?.upkeep()?,
            93..=96 => {
                let gone = self.clock.now().mono.plus_s(40.0);
                self.clock.advance_to(gone);
            }
            _ => self.crash(seed)?,
        }
        self.event(LinkEvent::Tick)?;
        self.pump()
    }

    fn report(&mut self) -> Result<()> {
        let at = self.clock.now();
        for _ in 0..self.rng.u8(1..4) {
            let incident = format!("01SIM{:021}", self.totals.reports);
            self.totals.reports += 1;
            self.ledger()?.commit(vec![writer::message(&writer::identity(), &incident, at)])?;
            self.promised.insert(format!("{incident}.0001"));
        }
        Ok(())
    }

    fn deliver(&mut self) -> Result<()> {
        match self.coming.pop_front() {
            Some(Coming::Ack(pkid)) => self.event(LinkEvent::PubAck { pkid, verdict: Verdict::Taken }),
            Some(Coming::Receipt(id)) => {
                let payload = writer::receipt(&id);
                self.event(LinkEvent::Received {
                    token: 1,
                    topic: writer::receipt_topic(),
                    payload,
                    retain: false,
                })
            }
            None => Ok(()),
        }
    }

    fn event(&mut self, event: LinkEvent) -> Result<()> {
        self.machine.push(self.clock.now().mono, event);
        while let Some(action) = self.machine.pull() {
            self.act(action)?;
        }
        Ok(())
    }

    fn act(&mut self, action: LinkAction) -> Result<()> {
        match action {
            LinkAction::Connect { .. } => {
                self.totals.connections += 1;
                // Every third attempt meets nobody; the machine's own limit ends it.
                if self.rng.u8(..3) > 0 {
                    let session_present = self.rng.bool();
                    self.event(LinkEvent::Connected(Accepted { session_present, ..Accepted::default() }))?;
                }
            }
            LinkAction::Report(LinkReport::Connected {
                epoch,
                session,
                session_present,
                window,
                max_packet,
            }) => {
                (self.epoch, self.max_packet, self.up) = (epoch, max_packet, true);
                self.ledger()?.connected(session, session_present, window)?;
            }
            LinkAction::Report(LinkReport::Disconnected { why, .. }) => {
                self.up = false;
                self.coming.clear();
                self.ledger()?.disconnected(&why)?;
            }
            LinkAction::Report(LinkReport::Acknowledged { seq, .. }) => self.ledger()?.puback(seq),
            LinkAction::Report(LinkReport::Received { topic, payload, .. }) => {
                self.ledger()?.incoming(&topic, &payload, false)?;
            }
            LinkAction::Publish(outgoing) => {
                self.next_pkid = self.next_pkid % 65_000 + 1;
                let pkid = self.next_pkid;
                self.event(LinkEvent::Written { pkid: if outgoing.qos == 0 { 0 } else { pkid } })?;
                self.broker(pkid, &outgoing.body)?;
            }
            LinkAction::Report(LinkReport::Refused { seq, reason, never, .. }) => {
                self.ledger()?.refused(seq, reason, never);
            }
            LinkAction::Report(LinkReport::Rejected { reason, .. }) => {
                bail!("a message was given up: {reason}")
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes it, or the network loses it; answers, or not.
    fn broker(&mut self, pkid: u16, body: &[u8]) -> Result<()> {
        if self.rng.u8(..10) == 0 {
            return Ok(());
        }
        let event: Value = serde_json::from_slice(body)?;
        if let (Some(id), true) = (event["id"].as_str(), event["type"] == "kerbside.matter.opened.v1") {
            let first = self.centre.entry(id.to_owned()).or_insert_with(|| body.to_vec());
            ensure!(first == body, "{id} came again with other bytes");
            self.coming.push_back(Coming::Receipt(id.to_owned()));
        }
        if self.rng.u8(..10) > 0 {
            self.coming.push_back(Coming::Ack(pkid));
        }
        Ok(())
    }

    /// What the store thread does between events.
    fn pump(&mut self) -> Result<()> {
        while self.up {
            let max_packet = self.max_packet;
            let Some(outgoing) = self.ledger()?.next(max_packet) else { break };
            let epoch = self.epoch;
            self.event(LinkEvent::Request(LinkRequest::Publish { epoch, outgoing, last: false }))?;
        }
        Ok(())
    }

    fn crash(&mut self, seed: u64) -> Result<()> {
        self.totals.crashes += 1;
        self.ledger = None;
        // A program that is killed leaves to the next one what no disk has yet.
        if self.rng.bool() {
            self.cut_power()?;
        }
        self.boot(seed)
    }

    fn cut_power(&mut self) -> Result<()> {
        self.index.crash();
        let disk = DISK.take();
        for entry in std::fs::read_dir(self.dir.join("journal"))? {
            let entry = entry?;
            let (inode, len, path) = (entry.ino(), entry.metadata()?.len(), entry.path());
            if !disk.named.contains(&inode) && self.rng.bool() {
                std::fs::remove_file(path)?;
                continue;
            }
            let left = self.rng.u64(disk.bytes.get(&inode).copied().unwrap_or(0).min(len)..=len);
            File::options().write(true).open(path)?.set_len(left)?;
            // What is there after a cut is there.
            DISK.with_borrow_mut(|disk| {
                disk.named.insert(inode);
                disk.bytes.insert(inode, left);
            });
        }
        Ok(())
    }

    /// The weather clears: everything promised must be with the centre, and the outbox empty.
    fn calm(mut self) -> Result<Totals> {
        for _ in 0..2000 {
            let outbox = self.ledger()?.stats().outbox;
            if outbox[0].queued + outbox[0].waiting == 0 && self.coming.is_empty() {
                break;
            }
            let due = [self.machine.deadline(), self.ledger()?.next_due()].into_iter().flatten().min();
            if self.coming.is_empty() {
                let now = self.clock.now().mono;
                self.clock.advance_to(due.unwrap_or(now).max(now.plus_s(0.5)));
            }
            self.deliver()?;
            self.event(LinkEvent::Tick)?;
            self.pump()?;
        }
        let lost: Vec<_> = self.promised.iter().filter(|id| !self.centre.contains_key(*id)).collect();
        ensure!(lost.is_empty(), "{} reports never came: {lost:?}", lost.len());
        let outbox = self.ledger()?.stats().outbox;
        ensure!(outbox[0].queued + outbox[0].waiting == 0, "reports are sent for ever: {outbox:?}");
        Ok(self.totals)
    }
}
