//! Ledger: journal, index and outbox in one hand. Synchronous, owned by one thread, knows nothing of sockets.
//!
//! Order of every step: journal record durable, then state, then whoever waits is told. The index follows lazily; after
//! a crash the records behind its cursor are applied again.
//!
//! | file | owns |
//! |---|---|
//! | `opening` | journal and index made to agree at start |
//! | `incoming` | what comes down: journalled, judged, answered |
//! | `upkeep` | expiry, the index, old segments |

mod incoming;
mod opening;
mod upkeep;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::state::{DownInput, Inbound, SavedIncident, State};
use super::{DeliveryError, Settings, Stats, Unfinished};
use crate::journal::{Durability, Entry, Journal, JournalError, Record, Written, record};
use crate::outbox::{Acked, EVICTED, Row};
use crate::store::Store;
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::time::{Clock, Moment, Mono};
use kerbside_wire::envelope::published;
use kerbside_wire::{self as wire, Identity, Message, Outgoing};

type Result<T> = std::result::Result<T, DeliveryError>;

/// A message whose record cannot be read is tried again that often, after 2 s, 4 s, 8 s and so on: two minutes in all.
const READ_RETRIES: u32 = 6;
/// One thing to make durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Goes out.
    Message(Box<Message>),
    /// The core's record of an incident.
    Incident(SavedIncident),
    /// All of the core's records: what changed is written, who is missing is forgotten.
    Snapshot(Vec<SavedIncident>),
    /// The core has heard everything that came down up to this journal number.
    Consumed(u64),
    /// Came down, and the stages have to hear of it. Not for commands, which are journalled with their signed text.
    Down(DownInput),
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
    /// Signs checkpoints.
    key: Option<SigningKey>,
    checkpointed: Mono,
    ballast: super::ballast::Ballast,
    /// Held as long as this ledger lives: one process per folder.
    _lock: Option<std::fs::File>,
}

impl Ledger {
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
                    let body = wire::message_body(&draft, &self.who, seq + 1, now);
                    if fits(&body) {
                        seq += 1;
                        own = Some(seq);
                    }
                    entries.push(Entry::new("message", body));
                }
                Item::Incident(saved) => {
                    entries.push(Entry::new("incident", wire::envelope::to_json(&saved)))
                }
                Item::Snapshot(all) => entries.extend(self.snapshot_changes(all)),
                Item::Consumed(upto) => {
                    entries.push(Entry::new("consumed", json!({"upto": upto}).to_string()))
                }
                Item::Down(input) => entries.push(incoming::entry(&input)),
                Item::Note { kind, body } => entries.push(Entry::new(kind, body.to_string())),
            }
            ends.push((entries.len(), own));
        }
        // What no segment can hold would be refused for ever, and with it all that is committed together.
        entries.iter_mut().filter(|e| !fits(&e.body)).for_each(|entry| *entry = oversized(entry));
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
        let mut written = self.journal.append(entries, durability);
        if written.as_ref().is_err_and(JournalError::is_full) && self.ballast.release() {
            tracing::error!("the disk is full: the ballast is thrown off, so that reports still land");
            written = self.journal.append(entries, durability);
        }
        let written = match written {
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
            self.stats.receipts += u64::from(entry.kind == "receipt");
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
    pub fn next(&mut self, max_packet: usize) -> Option<Outgoing> {
        loop {
            let now = self.clock.now();
            let row = self.state.outbox.next(now.mono)?;
            let parcel = self.journal.read(row.n, row.at).map(|r| published(r.recorded(), &self.who));
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
    pub fn last_words(&mut self, draft: Message) -> Result<Option<Outgoing>> {
        let committed = self.commit(vec![Item::Message(Box::new(draft))])?;
        let Some(row) = committed.first().and_then(|c| c.seq).and_then(|seq| self.state.outbox.get(seq))
        else {
            return Ok(None);
        };
        Ok(published(self.journal.read(row.n, row.at)?.recorded(), &self.who))
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

    #[cfg(test)]
    pub(super) fn each_record(&self, mut each: impl FnMut(&Record)) {
        self.journal.replay(1, &mut |record, _| each(&record)).unwrap();
    }

    pub fn unfinished(&self) -> Unfinished {
        let incident = |id: &str| id.split('.').next().unwrap_or(id).to_owned();
        Unfinished {
            unacknowledged: self.state.outbox.reports().map(incident).collect(),
            granted: self.state.grants().map(|g| g.set_and_file().0.to_owned()).collect(),
        }
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
}

fn fits(body: &str) -> bool {
    body.len() <= record::MAX_LINE - 1024
}

/// What is written in place of an entry that is too long: that it was, and how it began.
fn oversized(entry: &Entry) -> Entry {
    let (kind, bytes) = (entry.kind, entry.body.len());
    tracing::error!(kind, bytes, "too long for the journal: left out");
    let begins = wire::down::clipped(&entry.body);
    Entry::new("oversized", json!({"kind": kind, "bytes": bytes, "begins": begins}).to_string())
}
