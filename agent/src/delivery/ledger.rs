//! Ledger: journal, index and outbox in one hand. Synchronous, owned by one thread, knows nothing of sockets.
//!
//! Order of every step: journal record durable, then state, then whoever waits is told. The index follows lazily; after
//! a crash the records behind its cursor are applied again.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::state::{DownInput, Inbound, SavedIncident, State, row_of};
use super::{DeliveryError, Recovery, Settings, Stats};
use crate::journal::{Damage, Durability, Entry, Journal, JournalError, Record, Written};
use crate::outbox::{Acked, EVICTED, Row};
use crate::store::{Change, SledStore, Store, StoreError, Table};
use crate::time::{Clock, Moment, Mono};
use crate::wire::envelope::{parse_message, published};
use crate::wire::{self, Draft, Identity, Judgement, Parcel};

type Result<T> = std::result::Result<T, DeliveryError>;

/// The index is written after that many records, or that long, whichever comes first.
const INDEX_EVERY_RECORDS: u64 = 500;
const INDEX_EVERY_S: f64 = 5.0;
const INDEX_OPEN_LIMIT: Duration = Duration::from_secs(30);
/// A message whose record cannot be read is tried again that often, after 2 s, 4 s, 8 s and so on: two minutes in all.
const READ_RETRIES: u32 = 6;
/// Refused input is journalled in full that often a minute; beyond, only counted.
const REFUSALS_A_MINUTE: u64 = 30;

/// One thing to make durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Goes out.
    Message(Box<Draft>),
    /// The core's record of an incident.
    Incident(SavedIncident),
    /// All of the core's records: what changed is written, who is missing is forgotten.
    Snapshot(Vec<SavedIncident>),
    /// The core has heard everything that came down up to this journal number.
    Consumed(u64),
    /// Only for the trace. `kind` as in [`crate::journal::record::is_kind`].
    Note { kind: &'static str, body: Value },
}

/// What an item became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Journal number.
    pub n: u64,
    /// Sequence number of a message.
    pub seq: Option<u64>,
}

#[derive(Debug)]
pub struct Ledger {
    journal: Journal,
    /// `None` after it failed: the journal carries on alone until the next start rebuilds it.
    store: Option<Box<dyn Store>>,
    state: State,
    who: Identity,
    settings: Settings,
    clock: Arc<dyn Clock>,
    stats: Stats,
    pubacks: Vec<u64>,
    /// By sequence number: how often the record could not be read.
    unread: HashMap<u64, u32>,
    indexed: (u64, Mono),
    refusals: (Mono, u64),
    /// Held as long as this ledger lives: one process per folder.
    _lock: Option<std::fs::File>,
}

impl Ledger {
    /// Opens journal and index under `settings.dir`, rebuilding the index on any doubt.
    pub fn open(settings: Settings, who: Identity, clock: Arc<dyn Clock>) -> Result<(Ledger, Recovery)> {
        let lock = lock(&settings.dir)?;
        let (store, doubt) = open_index(&settings);
        let (mut ledger, recovery) = Ledger::open_with(settings, who, clock, store)?;
        ledger._lock = Some(lock);
        let recovery = Recovery { index_doubt: doubt.or(recovery.index_doubt), ..recovery };
        if !recovery.damage.is_none() || recovery.index_doubt.is_some() {
            let body = json!({"damage": recovery.damage, "index": recovery.index_doubt, "rebuilt": recovery.rebuilt});
            ledger.commit(vec![Item::Note { kind: "recovered", body }])?;
        }
        Ok((ledger, recovery))
    }

    /// The same with a store of the caller's choice.
    pub fn open_with(
        settings: Settings,
        who: Identity,
        clock: Arc<dyn Clock>,
        store: Option<Box<dyn Store>>,
    ) -> Result<(Ledger, Recovery)> {
        let indexed = match &store {
            Some(store) => State::load(store.as_ref(), settings.outbox.clone()).ok().flatten(),
            None => None,
        };
        let journal_settings = crate::journal::Settings {
            segment_bytes: settings.segment_bytes,
            utc_offset_s: who.utc_offset_s,
            boot: ulid::Ulid::generate().to_string(),
        };
        let known = indexed.as_ref().filter(|s| s.n > 0).map(|s| (s.n, s.hash));
        let (journal, tip_damage) =
            Journal::open(&settings.dir.join("journal"), journal_settings, clock.clone(), known)?;
        let now = clock.now().mono;
        let mut recovery = Recovery::default();
        let fits = indexed.filter(|s| s.n == 0 || fits(&journal, s));
        let rebuild = fits.is_none();
        let mut state = fits.unwrap_or_else(|| State::new(settings.outbox.clone()));
        recovery.rebuilt = rebuild && journal.last_n() > 0;
        let from = state.n + 1;
        let damage = journal.replay(from, &mut |record, at| {
            state.apply(&record, at, now);
            recovery.replayed += 1;
        })?;
        recovery.damage = if rebuild { merge(damage, tip_damage) } else { merge(tip_damage, damage) };
        let mut ledger = Ledger {
            journal,
            store,
            state,
            who,
            settings,
            clock,
            stats: Stats::default(),
            pubacks: Vec::new(),
            unread: HashMap::new(),
            indexed: (0, now),
            refusals: (now, 0),
            _lock: None,
        };
        // Records that are gone may have been messages, or a start: their numbers must not be given out again.
        ledger.state.carry.seq += recovery.damage.missing_count();
        ledger.state.carry.opens += recovery.damage.missing_count();
        ledger.set_carry();
        let carry = ledger.state.carry;
        let body = json!({"version": ledger.who.version, "seq": carry.seq, "opens": carry.opens + 1});
        ledger.commit(vec![Item::Note { kind: "boot", body }])?;
        if rebuild {
            ledger.rewrite_index();
        }
        Ok((ledger, recovery))
    }

    fn set_carry(&mut self) {
        self.journal.set_carry(wire::envelope::to_json(&self.state.carry));
    }

    pub fn identity(&self) -> &Identity {
        &self.who
    }

    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// A number that is higher than in every start of the program before; sessions are counted from it.
    pub fn session_base(&self) -> u64 {
        self.state.carry.opens * 1_000_000
    }

    pub fn last_seq(&self) -> u64 {
        self.state.carry.seq
    }

    pub fn incidents(&self) -> Vec<SavedIncident> {
        self.state.incidents.values().map(|(_, saved)| saved.clone()).collect()
    }

    /// What came down and the core has not consumed, oldest first.
    pub fn inbound(&self) -> Vec<Inbound> {
        self.state.inbound.iter().map(|(n, input)| Inbound { n: *n, input: input.clone() }).collect()
    }

    /// Makes all items durable with one sync, or none: after an error nothing has changed.
    pub fn commit(&mut self, items: Vec<Item>) -> Result<Vec<Committed>> {
        let lazy = items.iter().all(|i| matches!(i, Item::Message(d) if d.lane == 3));
        self.commit_as(items, if lazy { Durability::Later } else { Durability::Now })
    }

    fn commit_as(&mut self, items: Vec<Item>, durability: Durability) -> Result<Vec<Committed>> {
        let now = self.clock.now();
        let mut seq = self.state.carry.seq;
        let mut entries = Vec::with_capacity(items.len());
        // Where each item's last entry will stand, and its sequence number.
        let mut ends = Vec::with_capacity(items.len());
        for item in items {
            let mut own = None;
            match item {
                Item::Message(draft) => {
                    seq += 1;
                    own = Some(seq);
                    entries.push(Entry::new("message", wire::message_body(&draft, &self.who, seq, now)));
                }
                Item::Incident(saved) => {
                    entries.push(Entry::new("incident", wire::envelope::to_json(&saved)))
                }
                Item::Snapshot(all) => entries.extend(self.snapshot_changes(all)),
                Item::Consumed(upto) => {
                    entries.push(Entry::new("consumed", json!({"upto": upto}).to_string()))
                }
                Item::Note { kind, body } => entries.push(Entry::new(kind, body.to_string())),
            }
            ends.push((entries.len(), own));
        }
        let before = self.journal.last_n();
        let written = if entries.is_empty() { Vec::new() } else { self.append(&entries, durability)? };
        let n_at = |end: usize| end.checked_sub(1).and_then(|i| written.get(i)).map_or(before, |w| w.n);
        Ok(ends.into_iter().map(|(end, seq)| Committed { n: n_at(end), seq }).collect())
    }

    /// Entries for what differs from what is kept already; who is not in `all` is forgotten.
    fn snapshot_changes(&self, all: Vec<SavedIncident>) -> Vec<Entry> {
        let kept = &self.state.incidents;
        let gone = kept.keys().filter(|id| all.iter().all(|s| s.id != **id));
        let gone: Vec<_> =
            gone.map(|id| SavedIncident { id: id.clone(), place: None, record: None }).collect();
        let changed = all.into_iter().filter(|s| kept.get(&s.id).is_none_or(|(_, old)| old != s));
        changed.chain(gone).map(|s| Entry::new("incident", wire::envelope::to_json(&s))).collect()
    }

    /// Journal first, then state; rows that this drives out are buried.
    fn append(&mut self, entries: &[Entry], durability: Durability) -> Result<Vec<Written>> {
        let written = match self.journal.append(entries, durability) {
            Ok(written) => written,
            Err(e) => {
                self.stats.append_errors += 1;
                return Err(e.into());
            }
        };
        let now = self.clock.now();
        let mut driven_out = Vec::new();
        for (entry, w) in entries.iter().zip(&written) {
            let record = Record {
                n: w.n,
                prev: w.prev,
                hash: w.hash,
                boot: String::new(),
                at: now,
                kind: entry.kind.to_owned(),
                body: entry.body.clone(),
            };
            driven_out.extend(self.state.apply(&record, w.position, now.mono));
        }
        self.set_carry();
        self.stats.appended += written.len() as u64;
        for (row, why) in driven_out {
            self.bury_removed(row, why);
        }
        Ok(written)
    }

    /// Says why a row left. If this cannot be written, the row is back after a restart, and no harm done.
    fn bury_removed(&mut self, row: Row, reason: &str) {
        self.unread.remove(&row.seq);
        let telemetry = row.slot.is_some() || row.lane == 3;
        let routine = telemetry || reason == EVICTED;
        if routine {
            self.stats.evicted += 1;
        } else {
            self.stats.buried += 1;
        }
        if !telemetry {
            tracing::warn!(seq = row.seq, id = row.id, lane = row.lane, reason, "message buried");
        }
        let body = json!({"seq": row.seq, "id": row.id, "lane": row.lane, "reason": reason});
        let durability = if routine { Durability::Later } else { Durability::Now };
        if let Err(e) = self.append(&[Entry::new("buried", body.to_string())], durability) {
            tracing::error!(error = %e, seq = row.seq, "burial not journalled");
        }
    }

    /// A connection is up: says so in the trace, queues the birth and everything not acknowledged.
    pub fn connected(&mut self, session: u64, session_present: bool, window: usize) -> Result<()> {
        self.state.outbox.connected(session_present, window);
        let note = json!({"session": session, "session_present": session_present});
        let last = self.last_seq();
        let now = self.clock.now();
        let birth = wire::state(&self.who, wire::Presence::Online, session, Some(last), None, now);
        let items = vec![Item::Note { kind: "link", body: note }, Item::Message(Box::new(birth))];
        self.commit(items).map(drop)
    }

    pub fn lost(&mut self, why: &str) -> Result<()> {
        self.state.outbox.lost();
        let body = json!({"lost": why});
        self.commit_as(vec![Item::Note { kind: "link", body }], Durability::Later).map(drop)
    }

    /// The next message for the broker. Rows that are too long, or whose record cannot be read time and again, are buried
    /// on the way.
    pub fn next(&mut self, max_packet: usize) -> Option<Parcel> {
        loop {
            let now = self.clock.now();
            let row = self.state.outbox.next(now.mono)?;
            let parcel = self.journal.read(row.n, row.at).map(|r| published(&r, &self.who));
            if parcel.is_ok() {
                self.unread.remove(&row.seq);
            }
            match parcel {
                Ok(Some(mut parcel)) if parcel.packet_len() <= max_packet => {
                    let left = row.expires_ms.map(|e| ((e - now.wall_ms) / 1000).max(1) as u32);
                    parcel.expiry_s = left.or(parcel.expiry_s);
                    return Some(parcel);
                }
                Ok(Some(parcel)) => {
                    let reason = format!("{} bytes; the broker takes {max_packet}", parcel.packet_len());
                    self.bury(row.seq, &reason);
                }
                Ok(None) => self.bury(row.seq, "its record is no message"),
                Err(e) => self.unreadable(row.seq, &e, now.mono),
            }
        }
    }

    /// Some errors pass (no file handle left, a disk that stumbles): later again, and only then buried.
    fn unreadable(&mut self, seq: u64, error: &JournalError, now: Mono) {
        self.stats.read_errors += 1;
        let failed = self.unread.get(&seq).copied().unwrap_or(0) + 1;
        self.unread.insert(seq, failed);
        if failed > READ_RETRIES {
            return self.bury(seq, &format!("unreadable {failed} times: {error}"));
        }
        if failed == 1 {
            tracing::warn!(seq, %error, "a message cannot be read; it is tried again");
        }
        let until = now.plus_s(f64::from(2u32.pow(failed)));
        self.state.outbox.later(seq, until);
    }

    /// Makes a message durable and hands it out at once, whatever the window says.
    pub fn last_words(&mut self, draft: Draft) -> Result<Option<Parcel>> {
        let committed = self.commit(vec![Item::Message(Box::new(draft))])?;
        let Some(row) = committed.first().and_then(|c| c.seq).and_then(|seq| self.state.outbox.get(seq))
        else {
            return Ok(None);
        };
        Ok(published(&self.journal.read(row.n, row.at)?, &self.who))
    }

    pub fn in_flight(&self) -> usize {
        self.state.outbox.in_flight()
    }

    pub fn next_due(&self) -> Option<Mono> {
        self.state.outbox.next_due()
    }

    /// Takes a row out for good, and says why.
    pub fn bury(&mut self, seq: u64, reason: &str) {
        if let Some(row) = self.state.outbox.remove(seq) {
            self.bury_removed(row, reason);
        }
    }

    /// The broker has it. Journalled with the next records, without a sync of its own: at worst it is sent again.
    pub fn puback(&mut self, seq: u64) {
        let now = self.clock.now().mono;
        match self.state.outbox.puback(seq, now) {
            Acked::Done(_) => self.stats.done += 1,
            Acked::Waiting | Acked::Unknown => {}
        }
        self.pubacks.push(seq);
    }

    /// One message from above. `Ok(Some(..))`: the core must hear it. After `Ok` it may be acknowledged.
    pub fn incoming(&mut self, topic: &str, payload: &[u8], retain: bool) -> Result<Option<Inbound>> {
        match wire::down::parse(&self.who, topic, payload, retain) {
            Ok(wire::Down::Receipt(receipt)) => self.inbound_record("receipt", DownInput::Receipt(receipt)),
            Ok(wire::Down::Case(case)) => self.inbound_record("case", DownInput::Case(case)),
            Ok(wire::Down::Command(command)) => self.command(&command).map(|()| None),
            Err(refusal) => self.refused(topic, payload, &refusal).map(|()| None),
        }
    }

    fn inbound_record(&mut self, kind: &'static str, input: DownInput) -> Result<Option<Inbound>> {
        if let DownInput::Receipt(receipt) = &input {
            // A receipt again, for a row that is done with: no news for anybody.
            let known = self.state.inbound.values().any(|i| *i == input);
            if known {
                return Ok(None);
            }
            self.stats.receipts += 1;
            tracing::debug!(id = receipt.id, result = ?receipt.result, "receipt");
        }
        let written = self.append(&[Entry::new(kind, wire::envelope::to_json(&input))], Durability::Now)?;
        Ok(written.first().map(|w| Inbound { n: w.n, input }))
    }

    fn command(&mut self, command: &wire::Command) -> Result<()> {
        if let Some(reply) = self.state.stored_reply(&command.id).cloned() {
            // The same again: the stored reply again, nothing else.
            if !self.state.outbox.again(reply.seq) {
                self.state.outbox.push(reply);
            }
            return Ok(());
        }
        let now = self.clock.now();
        let judgement = wire::down::judge(command, now);
        let (result, reason, detail) = match &judgement {
            Judgement::Resend { from, to } => {
                let (again, unknown) = self.resend(*from, *to)?;
                ("done", None, json!({"again": again, "not_on_the_box": unknown}))
            }
            Judgement::Refused(reason) => ("refused", Some(reason.as_str()), Value::Null),
        };
        self.stats.commands += 1;
        tracing::info!(id = command.id, verb = command.verb, result, reason, "command");
        let trace = json!({"id": command.id, "verb": command.verb, "actor": command.actor, "result": result,
            "reason": reason});
        let reply =
            wire::reply(&command.id, &wire::down::clipped(&command.verb), result, reason, detail, now);
        self.commit(vec![Item::Note { kind: "command", body: trace }, Item::Message(Box::new(reply))])
            .map(drop)
    }

    /// Queues messages by sequence number again, from the outbox or from the journal. Returns how many, and how many
    /// are not on the box any more. What was evicted on purpose (lane 3) comes back if its record is still there.
    pub fn resend(&mut self, from: u64, to: u64) -> Result<(u64, u64)> {
        let to = to.min(self.last_seq());
        let mut wanted: Vec<u64> = (from..=to).filter(|seq| !self.state.outbox.again(*seq)).collect();
        let asked = (from..=to).count() as u64;
        if !wanted.is_empty() {
            let mut found = Vec::new();
            self.journal.replay(1, &mut |record, at| {
                if let Some((head, _)) = parse_message(&record)
                    && wanted.binary_search(&head.seq).is_ok()
                    && head.slot.is_none()
                {
                    found.push(row_of(&record, at, &head));
                }
            })?;
            for row in found {
                wanted.retain(|seq| *seq != row.seq);
                self.state.outbox.push(Row { expires_ms: None, ..row });
            }
        }
        Ok((asked - wanted.len() as u64, wanted.len() as u64))
    }

    fn refused(&mut self, topic: &str, payload: &[u8], refusal: &wire::Refusal) -> Result<()> {
        self.stats.refused += 1;
        let now = self.clock.now().mono;
        if now.since_s(self.refusals.0) > 60.0 {
            self.refusals = (now, 0);
        }
        self.refusals.1 += 1;
        if self.refusals.1 > REFUSALS_A_MINUTE {
            return Ok(());
        }
        tracing::warn!(topic = wire::down::clipped(topic), %refusal, "message from above refused");
        let sha256 = crate::journal::Hash::of(payload);
        let body = json!({"topic": wire::down::clipped(topic), "reason": refusal.to_string(),
            "bytes": payload.len(), "sha256": sha256});
        self.append(&[Entry::new("refused", body.to_string())], Durability::Now).map(drop)
    }

    /// Between requests: PUBACKs into the journal, expired rows out, the index brought up to date, old segments dropped.
    pub fn housekeeping(&mut self) -> Result<()> {
        let now = self.clock.now();
        if !self.pubacks.is_empty() {
            let body = json!({"seqs": self.pubacks}).to_string();
            self.journal.append(&[Entry::new("puback", body)], Durability::Later)?;
            (self.state.n, self.state.hash) = (self.journal.last_n(), self.journal.last_hash());
            self.pubacks.clear();
        }
        if now.mono.since_s(self.indexed.1) < INDEX_EVERY_S
            && self.state.n.saturating_sub(self.indexed.0) < INDEX_EVERY_RECORDS
        {
            return Ok(());
        }
        for row in self.state.outbox.expire(now.wall_ms) {
            self.bury_removed(row, "expired");
        }
        self.journal.sync()?;
        self.drop_segments(now)?;
        self.write_index();
        self.indexed = (self.state.n, self.clock.now().mono);
        Ok(())
    }

    fn drop_segments(&mut self, now: Moment) -> Result<()> {
        let Some(end) = self.journal.oldest_segment_end() else { return Ok(()) };
        if now.quality == crate::time::ClockQuality::None {
            return Ok(());
        }
        let older_than_ms = now.wall_ms - i64::from(self.settings.keep_days) * 86_400_000;
        if self.state.lowest_n().is_some_and(|n| n < end) {
            return Ok(());
        }
        // Open incidents whose record lies in the oldest segment move to the newest before it can go.
        let old: Vec<_> =
            self.state.incidents.values().filter(|(n, _)| *n < end).map(|(_, s)| s.clone()).collect();
        if !old.is_empty() && self.journal.oldest_is_before(older_than_ms)? {
            self.commit(old.into_iter().map(Item::Incident).collect())?;
        }
        if self.state.incidents.values().all(|(n, _)| *n >= end) {
            self.stats.segments_dropped += self.journal.drop_before(end, older_than_ms)? as u64;
        }
        Ok(())
    }

    fn write_index(&mut self) {
        let changes = self.state.take_changes();
        if let Some(store) = &mut self.store
            && let Err(e) = store.apply(&changes).and_then(|()| store.sync())
        {
            self.give_up_index(&e);
        }
    }

    /// The journal carries on; the next start finds an older cursor and goes on from there.
    fn give_up_index(&mut self, e: &StoreError) {
        tracing::error!(error = %e, "index given up until the next start");
        self.store = None;
        self.stats.index_failed = true;
    }

    /// Writes the whole state into a fresh index.
    fn rewrite_index(&mut self) {
        if let Some(store) = &mut self.store
            && let Err(e) = clear(store.as_mut())
        {
            self.give_up_index(&e);
        }
        self.write_index();
    }

    pub fn stats(&self) -> Stats {
        Stats {
            lanes: self.state.outbox.lanes(),
            in_flight: self.state.outbox.in_flight(),
            last_seq: self.last_seq(),
            last_n: self.journal.last_n(),
            journal_bytes: self.journal.bytes(),
            incidents: self.state.incidents.len(),
            ..self.stats.clone()
        }
    }

    /// Everything durable, the index too.
    pub fn close(&mut self) -> Result<()> {
        self.housekeeping()?;
        self.journal.sync()?;
        self.write_index();
        Ok(())
    }
}

/// The index, new if the old one is in doubt, and what the doubt is. Without one the journal carries on alone.
fn open_index(settings: &Settings) -> (Option<Box<dyn Store>>, Option<String>) {
    let opened = match SledStore::open(&settings.dir.join("index"), INDEX_OPEN_LIMIT) {
        Ok(opened) => opened,
        Err(e) => return (None, Some(e.to_string())),
    };
    let doubt = opened.set_aside.map(|(_, reason)| reason);
    let why = match State::load(&opened.store, settings.outbox.clone()) {
        Ok(Some(_)) => return (Some(Box::new(opened.store)), doubt),
        Ok(None) if is_empty(&opened.store) => return (Some(Box::new(opened.store)), doubt),
        Ok(None) => "it is not whole".to_owned(),
        Err(e) => e.to_string(),
    };
    let fresh = opened.store.replace(INDEX_OPEN_LIMIT);
    (fresh.ok().map(|(store, _)| Box::new(store) as Box<dyn Store>), Some(why))
}

fn is_empty(store: &dyn Store) -> bool {
    Table::ALL.into_iter().all(|t| store.scan(t).is_ok_and(|pairs| pairs.is_empty()))
}

fn clear(store: &mut dyn Store) -> std::result::Result<(), StoreError> {
    let mut changes = Vec::new();
    for table in Table::ALL {
        let pairs = store.scan(table)?;
        changes.extend(pairs.into_iter().map(|(key, _)| Change { table, key, value: None }));
    }
    store.apply(&changes)
}

/// Whether the journal holds, at the index's cursor, the record that the index says it has seen last.
fn fits(journal: &Journal, state: &State) -> bool {
    let mut seen = None;
    let read = journal.replay(state.n, &mut |record, _| {
        if record.n == state.n {
            seen = Some(record.hash);
        }
    });
    // A record that is gone at the very end was reported by `Journal::open`; what the index knows of it is still true.
    read.is_ok() && seen.is_none_or(|hash| hash == state.hash)
}

fn merge(mut a: Damage, b: Damage) -> Damage {
    a.bad = a.bad.max(b.bad);
    a.broken_links = a.broken_links.max(b.broken_links);
    a.torn_bytes = a.torn_bytes.max(b.torn_bytes);
    a.abandoned = a.abandoned.max(b.abandoned);
    a.missing.extend(b.missing);
    a.missing.sort_unstable();
    a.missing.dedup();
    a
}

fn lock(dir: &Path) -> Result<std::fs::File> {
    let failed = |source: std::io::Error| DeliveryError::Folder { path: dir.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let path = dir.join("lock");
    let file =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(DeliveryError::InUse { path: dir.to_owned() }),
        Err(e) => Err(failed(e.into())),
    }
}
