//! The state, and one record applied to it.

use std::collections::{BTreeMap, VecDeque};

use kerbside_crypto::hash::Hash;
use kerbside_domain::time::Mono;
use kerbside_wire::checkpoint::{self, Checkpoint};
use kerbside_wire::{Grant, MessageHead};
use serde::{Deserialize, Serialize};

use super::known::KnownMessages;
use crate::delivery::clock_story::ClockStep;
use crate::delivery::records::{
    BootRecord, CarriedCounters, ConsumedRecord, DeadLetterRecord, LastCheckpoint, PubackRecord,
    SavedIncident, StageInput, StoredInput, UploadRecord, parse,
};
use crate::index::{IndexChange, Table};
use crate::journal::{Record, RecordKind, RecordLocation};
use crate::outbox::{Outbox, OutboxSettings, RemovalReason, Row};

const EVIDENCE_READY: &str = "kerbside.evidence.ready.v1";
const EVIDENCE_FAILED: &str = "kerbside.evidence.failed.v1";
const COMMAND_REPLY: &str = "kerbside.command.reply.v1";

/// A command that counted, and the answer it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::delivery) struct RememberedCommand {
    pub(in crate::delivery) id: String,
    pub(in crate::delivery) verb: String,
    /// Number of its journal record.
    pub(in crate::delivery) n: u64,
    pub(in crate::delivery) issued_at_ms: i64,
    pub(in crate::delivery) expires_at_ms: i64,
    pub(in crate::delivery) reply: Option<Row>,
}

/// The end of an upload, as far as the state needs it.
#[derive(Deserialize)]
struct UploadEnd {
    data: UploadEndData,
}

#[derive(Deserialize)]
struct UploadEndData {
    grant_id: Option<String>,
}

#[derive(Debug)]
pub(in crate::delivery) struct LedgerState {
    pub(in crate::delivery) outbox: Outbox,
    pub(in crate::delivery) counters: CarriedCounters,
    /// Journal number of the newest record, and the incident.
    pub(in crate::delivery) incidents: BTreeMap<String, (u64, SavedIncident)>,
    pub(in crate::delivery) inputs: BTreeMap<u64, StageInput>,
    pub(super) commands: VecDeque<RememberedCommand>,
    /// Not in the index: made from the journal's newest records at start.
    pub(super) known: KnownMessages,
    /// What the wall clock did since it was last asked about. Not in the index: it was journalled when it happened.
    clock_step: Option<ClockStep>,
    pub(super) changes: Vec<IndexChange>,
    pub(in crate::delivery) n: u64,
    pub(in crate::delivery) hash: Hash,
}

impl LedgerState {
    /// What came down as this record is known from now on.
    pub(in crate::delivery) fn know(&mut self, record: &Record) {
        self.known.note(record);
    }

    /// Whether a message with this hash was journalled not long ago.
    pub(in crate::delivery) fn knows(&self, message: &Hash) -> bool {
        self.known.contains(message)
    }

    pub(in crate::delivery) fn new(settings: OutboxSettings) -> Self {
        LedgerState {
            outbox: Outbox::new(settings),
            counters: CarriedCounters::default(),
            incidents: BTreeMap::new(),
            inputs: BTreeMap::new(),
            commands: VecDeque::new(),
            known: KnownMessages::default(),
            clock_step: None,
            changes: Vec::new(),
            n: 0,
            hash: Hash::default(),
        }
    }

    /// Takes one journal record in. Rows that a new one drove out are given back with the reason. Bodies that do not
    /// parse, and kinds that are not known, are of a later version or none of ours; they change nothing.
    pub(in crate::delivery) fn apply(
        &mut self,
        record: &Record,
        location: RecordLocation,
        now: Mono,
    ) -> Vec<(Row, RemovalReason)> {
        (self.n, self.hash) = (record.n, record.hash);
        let body = record.body.as_str();
        if record.kind == RecordKind::Boot {
            self.boot(body);
        }
        if let Some(clock) = &mut self.counters.clock {
            self.clock_step = clock.note(record.at).or(self.clock_step);
        }
        match record.kind {
            RecordKind::Segment => self.carried(body),
            RecordKind::Boot => {}
            RecordKind::Message => return self.message(record, location),
            RecordKind::Puback => {
                for seq in parse::<PubackRecord>(body).into_iter().flat_map(|r| r.seqs) {
                    self.outbox.puback(seq, now);
                }
            }
            RecordKind::DeadLettered => {
                if let Some(DeadLetterRecord { seq }) = parse(body) {
                    self.outbox.remove(seq);
                }
            }
            RecordKind::Receipt | RecordKind::Case | RecordKind::Grant => self.inbound(record),
            RecordKind::Consumed => {
                if let Some(ConsumedRecord { upto }) = parse(body) {
                    self.forget_inputs(|n, input| n <= upto && !matches!(input, StageInput::Grant(_)));
                }
            }
            RecordKind::Incident => self.incident(record),
            RecordKind::Command => self.command(record),
            RecordKind::Upload => self.upload(body),
            RecordKind::Link
            | RecordKind::Refused
            | RecordKind::Oversized
            | RecordKind::Recovered
            | RecordKind::Camera
            | RecordKind::Position
            | RecordKind::Evidence
            | RecordKind::Clock
            | RecordKind::Note
            | RecordKind::Other(_) => {}
        }
        Vec::new()
    }

    fn carried(&mut self, body: &str) {
        let Some(carried) = parse::<CarriedCounters>(body) else { return };
        let own = &mut self.counters;
        own.seq = own.seq.max(carried.seq);
        own.opens = own.opens.max(carried.opens);
        own.floor_ms = own.floor_ms.max(carried.floor_ms);
        own.covered_n = own.covered_n.max(carried.covered_n);
        own.checkpoint = [own.checkpoint, carried.checkpoint].into_iter().flatten().max_by_key(|c| c.number);
        own.forgotten.join(&carried.forgotten);
        own.clock = own.clock.or(carried.clock);
        own.journal_id = own.journal_id.take().or(carried.journal_id);
    }

    /// The record holds a checkpoint of the journal before it.
    fn checkpointed(&mut self, n: u64, envelope: &str) {
        self.counters.covered_n = n;
        let Ok(checkpoint) = Checkpoint::read(envelope) else { return };
        if let (Some(signed), Some(digest)) = (&checkpoint.chain, checkpoint.digest()) {
            self.counters.checkpoint = Some(LastCheckpoint { number: signed.chain.number, digest });
        }
    }

    fn boot(&mut self, body: &str) {
        let carried = parse::<CarriedCounters>(body).unwrap_or_default();
        self.counters.seq = self.counters.seq.max(carried.seq);
        self.counters.opens = carried.opens.max(self.counters.opens + 1);
        let boot = parse::<BootRecord>(body).unwrap_or_default();
        if boot.lived {
            self.counters.clock.get_or_insert_default().boot();
        }
        self.counters.journal_id = self.counters.journal_id.take().or(boot.journal_id);
    }

    /// What the wall clock did since the last call.
    pub(in crate::delivery) fn take_clock_step(&mut self) -> Option<ClockStep> {
        self.clock_step.take()
    }

    fn message(&mut self, record: &Record, location: RecordLocation) -> Vec<(Row, RemovalReason)> {
        let Some((head, envelope)) = record.message() else { return Vec::new() };
        self.counters.seq = self.counters.seq.max(head.seq);
        let row = self.row_of(record, location, &head);
        match head.kind.as_str() {
            COMMAND_REPLY => self.replied(envelope, &row),
            checkpoint::KIND => self.checkpointed(record.n, envelope),
            EVIDENCE_READY | EVIDENCE_FAILED => {
                let grant_id = parse::<UploadEnd>(envelope).and_then(|end| end.data.grant_id);
                if let Some(id) = grant_id {
                    self.upload_over(&id, &row);
                    self.forget_inputs(|_, input| matches!(input, StageInput::Grant(g) if g.id == id));
                }
            }
            _ => {}
        }
        self.outbox.push(row)
    }

    /// Forgets what came down and is done with.
    fn forget_inputs(&mut self, done: impl Fn(u64, &StageInput) -> bool) {
        let gone: Vec<u64> =
            self.inputs.iter().filter(|(n, input)| done(**n, input)).map(|(n, _)| *n).collect();
        for n in gone {
            self.inputs.remove(&n);
            self.change(Table::Down, key(n), None);
        }
    }

    /// An upload got so far; after a restart it goes on from there.
    fn upload(&mut self, body: &str) {
        let Some(UploadRecord { grant_id, acked }) = parse(body) else { return };
        for (n, input) in &mut self.inputs {
            if let StageInput::Grant(grant) = input
                && grant.id == grant_id
            {
                grant.offset = grant.offset.max(acked);
                let stored = StoredInput { n: *n, input: input.clone() };
                let value = Some(json(&stored));
                self.changes.push(IndexChange { table: Table::Down, key: key(*n), value });
            }
        }
    }

    /// Uploads that are not over.
    pub(in crate::delivery) fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.inputs.values().filter_map(|input| match input {
            StageInput::Grant(grant) => Some(grant),
            _ => None,
        })
    }

    fn inbound(&mut self, record: &Record) {
        self.know(record);
        let Some(input) = parse::<StageInput>(record.body.as_str()) else { return };
        match &input {
            StageInput::Receipt(receipt) => {
                self.outbox.receipt(&receipt.id, receipt.signed_by.is_some());
            }
            // Nobody can play the box's own ones a second time.
            StageInput::Grant(grant) if grant.own => {}
            StageInput::Grant(grant) => self.remember_grant(record, grant),
            StageInput::Case(_) | StageInput::Command(_) => {}
        }
        self.remember_input(record.n, input);
    }

    /// A stage must act on it.
    pub(super) fn remember_input(&mut self, n: u64, input: StageInput) {
        let stored = StoredInput { n, input: input.clone() };
        self.change(Table::Down, key(n), Some(json(&stored)));
        self.inputs.insert(n, input);
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

    pub(super) fn change(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.changes.push(IndexChange { table, key, value });
    }

    /// Lowest journal number that is still needed.
    pub(in crate::delivery) fn lowest_n(&self) -> Option<u64> {
        let inputs = self.inputs.keys().next().copied();
        [self.outbox.lowest_n(), inputs].into_iter().flatten().min()
    }

    /// The outbox row of a `message` record: it expires by what the box lives through. In a journal of version 0.1, whose
    /// monotonic clock began anew with each start, it expires by the wall clock.
    fn row_of(&self, record: &Record, location: RecordLocation, head: &MessageHead) -> Row {
        let row = row_of(record, location, head);
        let Some(s) = head.expiry_s else { return row };
        match self.counters.clock {
            Some(_) => Row { expires_at: Some(record.at.mono.plus_s(s.into())), ..row },
            None if record.at.is_vouched() => {
                Row { expires_ms: Some(record.at.wall_ms + i64::from(s) * 1000), ..row }
            }
            None => row,
        }
    }
}

/// The outbox row of a `message` record that never expires.
pub(in crate::delivery) fn row_of(record: &Record, location: RecordLocation, head: &MessageHead) -> Row {
    Row {
        seq: head.seq,
        n: record.n,
        location,
        id: head.id.clone(),
        priority: head.priority,
        qos: head.qos,
        conflation_key: head.conflation_key.clone(),
        expires_ms: None,
        expires_at: None,
        puback: false,
        receipted: false,
        tries: 0,
    }
}

pub(super) fn key(n: u64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

pub(super) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    kerbside_wire::text::to_json(value).into_bytes()
}
