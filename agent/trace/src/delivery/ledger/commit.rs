//! Items into journal records, and messages that are given up.

use kerbside_wire::text::{clipped, to_json};
use kerbside_wire::{Priority, evidence, message_body};
use serde_json::json;

use super::base::Ledger;
use crate::delivery::error::Result;
use crate::delivery::item::{Committed, Item};
use crate::delivery::records::SavedIncident;
use crate::journal::{Appended, Durability, Entry, JournalError, Record, RecordKind, record};
use crate::outbox::{RemovalReason, Row};
use crate::tuning::RECORD_HEAD_BYTES;

impl Ledger {
    /// Makes all items durable with one sync, or none: after an error nothing has changed.
    pub fn commit(&mut self, items: Vec<Item>) -> Result<Vec<Committed>> {
        let lazy = items.iter().all(Item::is_telemetry);
        self.commit_as(items, if lazy { Durability::Later } else { Durability::Now })
    }

    pub(super) fn commit_as(&mut self, items: Vec<Item>, durability: Durability) -> Result<Vec<Committed>> {
        // A receipt counts by what was acknowledged before it, and so it must be after a restart.
        if items.iter().any(Item::is_receipt) {
            self.journal_pubacks()?;
        }
        let now = self.clock.now();
        let mut seq = self.state.counters.seq;
        let mut entries = Vec::with_capacity(items.len());
        // Where each item's last entry will stand, and its sequence number.
        let mut ends = Vec::with_capacity(items.len());
        for item in items {
            let mut own = None;
            match item {
                Item::Message(message) => {
                    if message.kind == evidence::MANIFEST_KIND {
                        self.checkpoints.evidence(now.mono);
                    }
                    let body = message_body(&message, &self.who, seq + 1, now);
                    if fits(&body) {
                        seq += 1;
                        own = Some(seq);
                    }
                    entries.push(Entry::new(RecordKind::Message, body));
                }
                Item::Incident(saved) => entries.push(incident_entry(&saved)),
                Item::AllIncidents(all) => entries.extend(self.incident_changes(all)),
                Item::Consumed(upto) => {
                    entries.push(Entry::new(RecordKind::Consumed, json!({"upto": upto}).to_string()));
                }
                Item::Inbound { input, received } => entries.push(input.entry(received.as_ref())),
                Item::Note { kind, body } => entries.push(Entry::new(kind, body.to_string())),
            }
            ends.push((entries.len(), own));
        }
        // What no segment can hold would be refused for ever, and with it all that is committed together.
        entries.iter_mut().filter(|e| !fits(&e.body)).for_each(|entry| *entry = oversized(entry));
        let before = self.journal.last_n();
        let appended = if entries.is_empty() { Vec::new() } else { self.append(&entries, durability)? };
        let n_at = |end: usize| end.checked_sub(1).and_then(|i| appended.get(i)).map_or(before, |a| a.n);
        Ok(ends.into_iter().map(|(end, seq)| Committed { n: n_at(end), seq }).collect())
    }

    /// Entries for what differs from what is kept already; who is not in `all` is forgotten.
    fn incident_changes(&self, all: Vec<SavedIncident>) -> Vec<Entry> {
        let kept = &self.state.incidents;
        let gone = kept.keys().filter(|id| all.iter().all(|s| s.id != **id));
        let gone: Vec<_> =
            gone.map(|id| SavedIncident { id: id.clone(), place: None, record: None }).collect();
        let changed = all.into_iter().filter(|s| kept.get(&s.id).is_none_or(|(_, old)| old != s));
        changed.chain(gone).map(|s| incident_entry(&s)).collect()
    }

    /// Journal first, then state; rows that this drives out are given up.
    fn append(&mut self, entries: &[Entry], durability: Durability) -> Result<Vec<Appended>> {
        let mut appended = self.journal.append(entries, durability);
        if appended.as_ref().is_err_and(JournalError::is_full) && self.reserve.release() {
            tracing::error!("the disk is full: the reserve file is deleted, so that reports still land");
            appended = self.journal.append(entries, durability);
        }
        let appended = match appended {
            Ok(appended) => appended,
            Err(e) => {
                self.stats.append_errors += 1;
                return Err(e.into());
            }
        };
        let now = self.clock.now();
        let mut driven_out = Vec::new();
        for (entry, a) in entries.iter().zip(&appended) {
            let record = Record {
                n: a.n,
                prev: a.prev,
                hash: a.hash,
                boot: String::new(),
                at: now,
                kind: entry.kind.clone(),
                body: entry.body.clone(),
            };
            driven_out.extend(self.state.apply(&record, a.location, now.mono));
            self.stats.receipts += u64::from(entry.kind == RecordKind::Receipt);
        }
        self.carry_counters();
        self.stats.appended += appended.len() as u64;
        for (row, reason) in driven_out {
            self.give_up(row, &reason);
        }
        Ok(appended)
    }

    pub(super) fn carry_counters(&mut self) {
        self.journal.set_counters(to_json(&self.state.counters));
    }

    /// Says why a row left. If this cannot be written, the row is back after a restart, and no harm done.
    pub(super) fn give_up(&mut self, row: Row, reason: &RemovalReason) {
        self.unreadable.remove(&row.seq);
        let telemetry = row.conflation_key.is_some() || row.priority == Priority::Telemetry;
        let routine = telemetry || *reason == RemovalReason::OverBudget;
        if routine {
            self.stats.evicted += 1;
        } else {
            self.stats.dead_lettered += 1;
        }
        let text = reason.to_string();
        if !telemetry {
            let priority = row.priority.as_str();
            tracing::warn!(seq = row.seq, id = row.id, priority, reason = text, "message given up");
        }
        let body = json!({"seq": row.seq, "id": row.id, "lane": row.priority, "reason": text});
        let durability = if routine { Durability::Later } else { Durability::Now };
        if let Err(e) = self.append(&[Entry::new(RecordKind::DeadLettered, body.to_string())], durability) {
            tracing::error!(error = %e, seq = row.seq, "that a message was given up is not journalled");
        }
    }

    /// Takes a row out for good, and says why.
    pub fn dead_letter(&mut self, seq: u64, reason: &RemovalReason) {
        if let Some(row) = self.state.outbox.remove(seq) {
            self.give_up(row, reason);
        }
    }
}

fn incident_entry(saved: &SavedIncident) -> Entry {
    Entry::new(RecordKind::Incident, to_json(saved))
}

pub(super) fn fits(body: &str) -> bool {
    body.len() <= record::MAX_LINE - RECORD_HEAD_BYTES
}

/// What is written in place of an entry that is too long: that it was, and how it began.
fn oversized(entry: &Entry) -> Entry {
    let (kind, bytes) = (entry.kind.as_str(), entry.body.len());
    tracing::error!(kind, bytes, "too long for the journal: left out");
    let begins = clipped(&entry.body);
    let body = json!({"kind": kind, "bytes": bytes, "begins": begins});
    Entry::new(RecordKind::Oversized, body.to_string())
}
