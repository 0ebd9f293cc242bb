//! A seeded simulation: ledger, outbox and link machine over a memory store, with a network that loses, a broker that forgets
//! and a box that crashes. Thousands of seeds in a minute; a seed that fails is printed and repeats exactly.
//!
//! The crash model: what was written after the last sync is lost from a random byte on; the index is what it was at its last
//! sync. Time is virtual, the disk is memory where the machine has some (`/dev/shm`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use kerbside::delivery::{FromLink, Ledger, Settings, ToLink};
use kerbside::link::machine::{self, Action, Event, Machine, Verdict};
use kerbside::store::{Change, Store, StoreError, Table};
use kerbside::time::{Clock as _, VirtualClock};
use parking_lot::Mutex;
use serde_json::Value;

use super::{Row, Scale, writer};

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let mut row = Row::new("seeded simulation", "crashes, lost packets, lost sessions on a virtual clock");
    let mut totals = Totals::default();
    for seed in 0..scale.pick(60, 3000) {
        row.trials += 1;
        match seeded(seed) {
            Ok(one) => totals.add(&one),
            Err(error) => row.must(false, || format!("seed {seed}: {error:#}")),
        }
    }
    row.figures =
        format!("{} reports, {} crashes, {} connections", totals.reports, totals.crashes, totals.connections);
    row.must(totals.crashes > 0 && totals.reports > 0, || "nothing happened".to_owned());
    Ok(vec![row])
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

type Map = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// The index: what is live, and what was there at the last sync.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<(Map, Map, u64)>>);

impl Memory {
    /// How often it was synced: the journal is synced before each.
    fn syncs(&self) -> u64 {
        self.0.lock().2
    }

    fn crash(&self) {
        let mut maps = self.0.lock();
        maps.0 = maps.1.clone();
    }
}

impl Store for Memory {
    fn scan(&self, table: Table) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let maps = self.0.lock();
        let of_table = maps.0.iter().filter(|((t, _), _)| *t == table);
        Ok(of_table.map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
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

    fn sync(&mut self) -> Result<(), StoreError> {
        let mut maps = self.0.lock();
        maps.1 = maps.0.clone();
        maps.2 += 1;
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
    /// Length of the journal's files when a commit returned last: so much is durable.
    durable: BTreeMap<std::path::PathBuf, u64>,
    promised: BTreeSet<String>,
    centre: BTreeMap<String, Vec<u8>>,
    totals: Totals,
}

fn seeded(seed: u64) -> Result<Totals> {
    let base = Path::new("/dev/shm");
    let dir = if base.is_dir() { tempfile::tempdir_in(base)? } else { tempfile::tempdir()? };
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
        durable: BTreeMap::new(),
        promised: BTreeSet::new(),
        centre: BTreeMap::new(),
        totals: Totals::default(),
    };
    world.boot(seed)?;
    for _ in 0..120 {
        world.step(seed)?;
    }
    world.calm()
}

fn link(session_base: u64, seed: u64, clock: &VirtualClock) -> Machine {
    let settings = machine::Settings {
        subscriptions: vec!["down".into()],
        session_base,
        keep_alive_s: 30.0,
        connect_timeout_s: 35.0,
        ack_timeout_s: 60.0,
        backoff_min_s: 1.0,
        backoff_max_s: 30.0,
        default_max_packet: 1 << 20,
    };
    Machine::new(settings, seed, clock.now().mono)
}

impl World<'_> {
    fn boot(&mut self, seed: u64) -> Result<()> {
        let settings = Settings { segment_bytes: 16 << 10, ..Settings::new(self.dir, true) };
        let store = Box::new(self.index.clone());
        let (ledger, recovery) =
            Ledger::open_with(settings, writer::identity(), self.clock.clone(), Some(store))?;
        ensure!(recovery.damage.missing.is_empty(), "a crash is no damage: {recovery:?}");
        self.machine = link(ledger.session_base(), seed, &self.clock);
        (self.up, self.ledger) = (false, Some(ledger));
        self.coming.clear();
        self.synced()
    }

    fn ledger(&mut self) -> Result<&mut Ledger> {
        self.ledger.as_mut().context("the box is down")
    }

    fn files(&self) -> Result<BTreeMap<std::path::PathBuf, u64>> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(self.dir.join("journal"))? {
            let entry = entry?;
            files.insert(entry.path(), entry.metadata()?.len());
        }
        Ok(files)
    }

    /// A call that waits for the disk has returned.
    fn synced(&mut self) -> Result<()> {
        self.durable = self.files()?;
        Ok(())
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
                self.event(Event::Lost { why: "network".into(), by_peer })?;
            }
            83..=92 => {
                // It may write PUBACKs without a sync: then nothing new is durable.
                let before = self.index.syncs();
                self.ledger()?.housekeeping()?;
                if self.index.syncs() > before {
                    self.synced()?;
                }
            }
            93..=96 => {
                let gone = self.clock.now().mono.plus_s(40.0);
                self.clock.advance_to(gone);
            }
            _ => self.crash(seed)?,
        }
        self.event(Event::Tick)?;
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
        self.synced()
    }

    fn deliver(&mut self) -> Result<()> {
        match self.coming.pop_front() {
            Some(Coming::Ack(pkid)) => self.event(Event::Acked { pkid, verdict: Verdict::Taken }),
            Some(Coming::Receipt(id)) => {
                let payload = writer::receipt(&id);
                self.event(Event::Received {
                    token: 1,
                    topic: writer::receipt_topic(),
                    payload,
                    retain: false,
                })
            }
            None => Ok(()),
        }
    }

    fn event(&mut self, event: Event) -> Result<()> {
        self.machine.push(self.clock.now().mono, event);
        while let Some(action) = self.machine.pull() {
            self.act(action)?;
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Connect { .. } => {
                self.totals.connections += 1;
                // Every third attempt meets nobody; the machine's own limit ends it.
                if self.rng.u8(..3) > 0 {
                    let session_present = self.rng.bool();
                    self.event(Event::Connected { session_present, receive_max: None, max_packet: None })?;
                }
            }
            Action::Tell(FromLink::Up { epoch, session, session_present, window, max_packet }) => {
                (self.epoch, self.max_packet, self.up) = (epoch, max_packet, true);
                self.ledger()?.connected(session, session_present, window)?;
                self.synced()?;
            }
            Action::Tell(FromLink::Lost { why, .. }) => {
                self.up = false;
                self.coming.clear();
                self.ledger()?.lost(&why)?;
            }
            Action::Tell(FromLink::Acked { seq, .. }) => self.ledger()?.puback(seq),
            Action::Tell(FromLink::Incoming { topic, payload, .. }) => {
                self.ledger()?.incoming(&topic, &payload, false)?;
                self.synced()?;
            }
            Action::Publish(parcel) => {
                self.next_pkid = self.next_pkid % 65_000 + 1;
                let pkid = self.next_pkid;
                self.event(Event::Written { pkid: if parcel.qos == 0 { 0 } else { pkid } })?;
                self.broker(pkid, &parcel.body)?;
            }
            Action::Tell(FromLink::Unwanted { reason, .. }) => bail!("a message was buried: {reason}"),
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

    /// What the delivery's desk does between events.
    fn pump(&mut self) -> Result<()> {
        while self.up {
            let max_packet = self.max_packet;
            let Some(parcel) = self.ledger()?.next(max_packet) else { break };
            let epoch = self.epoch;
            self.event(Event::Order(ToLink::Parcel { epoch, parcel, last: false }))?;
        }
        Ok(())
    }

    fn crash(&mut self, seed: u64) -> Result<()> {
        self.totals.crashes += 1;
        self.ledger = None;
        self.index.crash();
        for (file, len) in self.files()? {
            let durable = self.durable.get(&file).copied().unwrap_or(0);
            if len > durable {
                let file = std::fs::OpenOptions::new().write(true).open(file)?;
                file.set_len(self.rng.u64(durable..=len))?;
            }
        }
        self.boot(seed)
    }

    /// The weather clears: everything promised must be with the centre, and the outbox empty.
    fn calm(mut self) -> Result<Totals> {
        for _ in 0..2000 {
            let lanes = self.ledger()?.stats().lanes;
            if lanes[0].queued + lanes[0].waiting == 0 && self.coming.is_empty() {
                break;
            }
            let due = [self.machine.deadline(), self.ledger()?.next_due()].into_iter().flatten().min();
            if self.coming.is_empty() {
                let now = self.clock.now().mono;
                self.clock.advance_to(due.unwrap_or(now).max(now.plus_s(0.5)));
            }
            self.deliver()?;
            self.event(Event::Tick)?;
            self.pump()?;
        }
        let lost: Vec<_> = self.promised.iter().filter(|id| !self.centre.contains_key(*id)).collect();
        ensure!(lost.is_empty(), "{} reports never came: {lost:?}", lost.len());
        let lanes = self.ledger()?.stats().lanes;
        ensure!(lanes[0].queued + lanes[0].waiting == 0, "reports are sent for ever: {lanes:?}");
        Ok(self.totals)
    }
}
