//! What the journal says, folded into what must be looked up: outbox, incidents, what came down, commands seen.
//!
//! Live and after a restart the same [`State::apply`] is used, so the index is a function of the journal.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::{Position, Record};
use crate::outbox::{Outbox, Row, Settings};
use crate::store::{Change, Store, StoreError, Table};
use kerbside_crypto::hash::Hash;
use kerbside_domain::case::{CaseUpdate, Receipt};
use kerbside_domain::time::{ClockQuality, Mono};
use kerbside_wire::Order;
use kerbside_wire::checkpoint::KIND;
use kerbside_wire::grant::Grant;

const READY: &str = "kerbside.evidence.ready.v1";
const FAILED: &str = "kerbside.evidence.failed.v1";
const REPLY: &str = "kerbside.command.reply.v1";
/// How many command ids are remembered with their reply.
const COMMANDS_KEPT: usize = 1000;

/// One incident as the core wants it kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedIncident {
    pub id: String,
    /// The core's key of the place, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Opaque to the delivery; `None` forgets the incident.
    pub record: Option<Value>,
}

/// A receipt, case state or command that the stages have to hear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownInput {
    Receipt(Receipt),
    Case(CaseUpdate),
    Command(Commanded),
    /// Stays until its upload is over, whatever the core has consumed.
    Grant(Grant),
}

/// A command that was judged and is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commanded {
    pub id: String,
    pub verb: String,
    pub expires_at_ms: i64,
    pub order: Order,
}

/// Body of a `command` record: what was ordered by whom, and what was decided. The signed text proves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandRecord {
    pub id: String,
    #[serde(default)]
    pub verb: String,
    #[serde(default)]
    pub actor: String,
    #[serde(default)]
    pub key: String,
    #[serde(default)]
    pub issued_at_ms: i64,
    #[serde(default)]
    pub expires_at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    #[serde(default)]
    pub signed: String,
    #[serde(default)]
    pub signature: String,
}

impl CommandRecord {
    /// It is done by the stages, which answer later.
    pub fn commanded(&self) -> Option<Commanded> {
        let order = self.order.clone().filter(|o| !o.is_for_delivery())?;
        let (id, verb) = (self.id.clone(), self.verb.clone());
        Some(Commanded { id, verb, expires_at_ms: self.expires_at_ms, order })
    }
}

/// [`DownInput`] with the number of its journal record; the core says `consumed` with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    pub n: u64,
    pub input: DownInput,
}

/// Counters that survive the drop of old segments: they head each segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// Last sequence number given out.
    pub seq: u64,
    /// How often the journal was opened for writing.
    pub opens: u64,
    /// A command issued up to then may have been obeyed and forgotten; wall clock, ms.
    #[serde(default)]
    pub floor_ms: i64,
    /// Newest record that a signed checkpoint covers.
    #[serde(default)]
    pub covered_n: u64,
}

/// A command that counted, and the answer it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub id: String,
    pub verb: String,
    /// Number of its journal record.
    pub n: u64,
    pub issued_at_ms: i64,
    pub expires_at_ms: i64,
    pub reply: Option<Row>,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    n: u64,
    hash: Hash,
    carry: Carry,
    rows: usize,
    incidents: usize,
    /// Absent in an index of an older version: it is made anew.
    #[serde(default)]
    inbound: usize,
    #[serde(default)]
    commands: usize,
}

#[derive(Deserialize)]
struct Seqs {
    seqs: Vec<u64>,
}

#[derive(Deserialize)]
struct Buried {
    seq: u64,
}

#[derive(Deserialize)]
struct Consumed {
    upto: u64,
}

#[derive(Deserialize)]
struct Uploaded {
    grant_id: String,
    acked: u64,
}

#[derive(Deserialize)]
struct Ended {
    data: EndedData,
}

#[derive(Deserialize)]
struct EndedData {
    grant_id: Option<String>,
}

#[derive(Deserialize)]
struct Correlated {
    correlationid: Option<String>,
}

#[derive(Debug)]
pub struct State {
    pub outbox: Outbox,
    pub carry: Carry,
    /// Journal number of the newest record, and the incident.
    pub incidents: BTreeMap<String, (u64, SavedIncident)>,
    pub inbound: BTreeMap<u64, DownInput>,
    commands: VecDeque<Seen>,
    changes: Vec<Change>,
    pub n: u64,
    pub hash: Hash,
}

impl State {
    pub fn new(settings: Settings) -> Self {
        State {
            outbox: Outbox::new(settings),
            carry: Carry::default(),
            incidents: BTreeMap::new(),
            inbound: BTreeMap::new(),
            commands: VecDeque::new(),
            changes: Vec::new(),
            n: 0,
            hash: Hash::default(),
        }
    }

    /// Reads the index. `Ok(None)`: it is empty, or says of itself that it is not whole.
    pub fn load(store: &dyn Store, settings: Settings) -> Result<Option<State>, StoreError> {
        let mut state = State::new(settings);
        let metas = store.scan(Table::Meta)?;
        let Some(meta) = metas.iter().find(|(k, _)| k == b"cursor").and_then(|(_, v)| parse::<Meta>(v))
        else {
            return Ok(None);
        };
        for (_, value) in store.scan(Table::Rows)? {
            let Some(row) = parse::<Row>(&value) else { return Ok(None) };
            state.outbox.push(row);
        }
        for (_, value) in store.scan(Table::Incidents)? {
            let Some((n, saved)) = parse::<(u64, SavedIncident)>(&value) else { return Ok(None) };
            state.incidents.insert(saved.id.clone(), (n, saved));
        }
        for (_, value) in store.scan(Table::Down)? {
            let Some(inbound) = parse::<Inbound>(&value) else { return Ok(None) };
            state.inbound.insert(inbound.n, inbound.input);
        }
        for (_, value) in store.scan(Table::Commands)? {
            let Some(seen) = parse::<Seen>(&value) else { return Ok(None) };
            state.commands.push_back(seen);
        }
        // sled can lose single values without a word.
        let found = (state.outbox.len(), state.incidents.len(), state.inbound.len(), state.commands.len());
        if found != (meta.rows, meta.incidents, meta.inbound, meta.commands) {
            return Ok(None);
        }
        state.outbox.take_dirty();
        (state.n, state.hash, state.carry) = (meta.n, meta.hash, meta.carry);
        Ok(Some(state))
    }

    /// Takes one journal record in. Rows that a new one drove out are given back with the reason. Bodies that do not
    /// parse are of a later version or none of ours; they change nothing.
    pub fn apply(&mut self, record: &Record, at: Position, now: Mono) -> Vec<(Row, &'static str)> {
        (self.n, self.hash) = (record.n, record.hash);
        let body = record.body.as_str();
        match record.kind.as_str() {
            "segment" => {
                if let Some(carry) = parse::<Carry>(body) {
                    self.carry.seq = self.carry.seq.max(carry.seq);
                    self.carry.opens = self.carry.opens.max(carry.opens);
                    self.carry.floor_ms = self.carry.floor_ms.max(carry.floor_ms);
                    self.carry.covered_n = self.carry.covered_n.max(carry.covered_n);
                }
            }
            "boot" => {
                let told = parse::<Carry>(body).unwrap_or_default();
                self.carry.seq = self.carry.seq.max(told.seq);
                self.carry.opens = told.opens.max(self.carry.opens + 1);
            }
            "message" => return self.message(record, at),
            "puback" => {
                for seq in parse::<Seqs>(body).into_iter().flat_map(|s| s.seqs) {
                    self.outbox.puback(seq, now);
                }
            }
            "buried" => {
                if let Some(buried) = parse::<Buried>(body) {
                    self.outbox.remove(buried.seq);
                }
            }
            "receipt" | "case" | "grant" => self.inbound(record),
            "consumed" => {
                if let Some(consumed) = parse::<Consumed>(body) {
                    self.heard(|n, input| n <= consumed.upto && !matches!(input, DownInput::Grant(_)));
                }
            }
            "incident" => self.incident(record),
            "command" => self.command(record),
            "upload" => self.uploaded(body),
            _ => {}
        }
        Vec::new()
    }

    fn message(&mut self, record: &Record, at: Position) -> Vec<(Row, &'static str)> {
        let Some((head, _)) = record.message() else { return Vec::new() };
        self.carry.seq = self.carry.seq.max(head.seq);
        let row = row_of(record, at, &head);
        if head.kind == REPLY {
            self.replied(record, &row);
        } else if head.kind == KIND {
            self.carry.covered_n = record.n;
        } else if head.kind == READY || head.kind == FAILED {
            let ended = record.message().and_then(|(_, envelope)| parse::<Ended>(envelope)).map(|e| e.data);
            if let Some(id) = ended.and_then(|d| d.grant_id) {
                self.heard(|_, input| matches!(input, DownInput::Grant(g) if g.id == id));
            }
        }
        self.outbox.push(row)
    }

    /// Forgets what came down and is done with.
    fn heard(&mut self, done: impl Fn(u64, &DownInput) -> bool) {
        let gone: Vec<u64> =
            self.inbound.iter().filter(|(n, input)| done(**n, input)).map(|(n, _)| *n).collect();
        for n in gone {
            self.inbound.remove(&n);
            self.change(Table::Down, key(n), None);
        }
    }

    /// An upload got so far; after a restart it goes on from there.
    fn uploaded(&mut self, body: &str) {
        let Some(Uploaded { grant_id, acked }) = parse(body) else { return };
        for (n, input) in &mut self.inbound {
            if let DownInput::Grant(grant) = input
                && grant.id == grant_id
            {
                grant.offset = grant.offset.max(acked);
                let inbound = Inbound { n: *n, input: input.clone() };
                self.changes.push(Change { table: Table::Down, key: key(*n), value: Some(json(&inbound)) });
            }
        }
    }

    /// Uploads that are not over.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.inbound.values().filter_map(|input| match input {
            DownInput::Grant(grant) => Some(grant),
            _ => None,
        })
    }

    fn command(&mut self, record: &Record) {
        let Some(told) = parse::<CommandRecord>(&record.body) else { return };
        if let Some(commanded) = told.commanded() {
            self.hear(record.n, DownInput::Command(commanded));
        }
        let CommandRecord { id, verb, issued_at_ms, expires_at_ms, .. } = told;
        let seen = Seen { id, verb, n: record.n, issued_at_ms, expires_at_ms, reply: None };
        self.change(Table::Commands, key(seen.n), Some(json(&seen)));
        self.commands.push_back(seen);
        while self.commands.len() > COMMANDS_KEPT {
            let Some(old) = self.commands.pop_front() else { break };
            self.change(Table::Commands, key(old.n), None);
            // It could be obeyed a second time now, so nothing that old is obeyed any more.
            if old.expires_at_ms > record.at.wall_ms {
                self.carry.floor_ms = self.carry.floor_ms.max(old.issued_at_ms);
            }
        }
    }

    fn replied(&mut self, record: &Record, row: &Row) {
        let Some((_, envelope)) = record.message() else { return };
        let id = parse::<Correlated>(envelope).and_then(|c| c.correlationid);
        let seen = self.commands.iter_mut().find(|s| Some(&s.id) == id.as_ref() && s.reply.is_none());
        if let Some(seen) = seen {
            seen.reply = Some(row.clone());
            let (n, value) = (seen.n, json(seen));
            self.change(Table::Commands, key(n), Some(value));
        }
    }

    pub fn command_seen(&self, command_id: &str) -> Option<&Seen> {
        self.commands.iter().find(|s| s.id == command_id)
    }

    /// Id and verb of commands that have no answer and that no stage will hear of again.
    pub fn unanswered(&self) -> Vec<(String, String)> {
        let open = self.commands.iter().filter(|s| s.reply.is_none() && !self.inbound.contains_key(&s.n));
        open.map(|s| (s.id.clone(), s.verb.clone())).collect()
    }

    /// Their records are gone from the journal; they have expired.
    pub fn forget_commands(&mut self, first_n: u64) {
        while self.commands.front().is_some_and(|s| s.n < first_n) {
            if let Some(old) = self.commands.pop_front() {
                self.change(Table::Commands, key(old.n), None);
            }
        }
    }

    fn inbound(&mut self, record: &Record) {
        let Some(input) = parse::<DownInput>(record.body.as_str()) else { return };
        if let DownInput::Receipt(receipt) = &input {
            self.outbox.receipt(&receipt.id);
        }
        self.hear(record.n, input);
    }

    fn hear(&mut self, n: u64, input: DownInput) {
        let inbound = Inbound { n, input: input.clone() };
        self.change(Table::Down, key(n), Some(json(&inbound)));
        self.inbound.insert(n, input);
    }

    fn incident(&mut self, record: &Record) {
        let Some(saved) = parse::<SavedIncident>(record.body.as_str()) else { return };
        let id = saved.id.clone();
        if saved.record.is_some() {
            let pair = (record.n, saved);
            self.change(Table::Incidents, id.clone().into_bytes(), Some(json(&pair)));
            self.incidents.insert(id, pair);
        } else {
            self.change(Table::Incidents, id.clone().into_bytes(), None);
            self.incidents.remove(&id);
        }
    }

    fn change(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.changes.push(Change { table, key, value });
    }

    /// Lowest journal number that is still needed. A command that has expired is refused as such, remembered or not.
    pub fn lowest_n(&self, now_wall_ms: i64) -> Option<u64> {
        let inbound = self.inbound.keys().next().copied();
        let commands = self.commands.iter().find(|s| s.expires_at_ms > now_wall_ms).map(|s| s.n);
        [self.outbox.lowest_n(), inbound, commands].into_iter().flatten().min()
    }

    /// All changes since the last call, with the cursor: one batch for the index.
    pub fn take_changes(&mut self) -> Vec<Change> {
        for (seq, row) in self.outbox.take_dirty() {
            self.change(Table::Rows, key(seq), row.as_ref().map(json));
        }
        let meta = Meta {
            n: self.n,
            hash: self.hash,
            carry: self.carry,
            rows: self.outbox.len(),
            incidents: self.incidents.len(),
            inbound: self.inbound.len(),
            commands: self.commands.len(),
        };
        self.change(Table::Meta, b"cursor".to_vec(), Some(json(&meta)));
        std::mem::take(&mut self.changes)
    }
}

/// The outbox row of a `message` record.
pub fn row_of(record: &Record, at: Position, head: &kerbside_wire::MessageHead) -> Row {
    let good_clock = record.at.quality != ClockQuality::None;
    let expiry = head.expiry_s.filter(|_| good_clock);
    Row {
        seq: head.seq,
        n: record.n,
        at,
        id: head.id.clone(),
        lane: head.lane,
        qos: head.qos,
        slot: head.slot.clone(),
        expires_ms: expiry.map(|s| record.at.wall_ms + i64::from(s) * 1000),
        puback: false,
        tries: 0,
    }
}

fn key(n: u64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    kerbside_wire::envelope::to_json(value).into_bytes()
}

fn parse<T: serde::de::DeserializeOwned>(bytes: impl AsRef<[u8]>) -> Option<T> {
    serde_json::from_slice(bytes.as_ref()).ok()
}
