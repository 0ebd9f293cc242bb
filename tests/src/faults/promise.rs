//! What a store acknowledged, and whether it is still so after the fault.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::Result;
use kerbside_trace::delivery::{Ledger, StageInput};
use serde_json::Value;

use super::row::Row;

/// One acknowledgement: the call returned, so it must be on the disk.
#[derive(Clone, Debug)]
pub enum Ack {
    Message {
        id: String,
        seq: u64,
    },
    /// The centre's receipt of that message.
    Receipt {
        id: String,
    },
    /// The core's record of an incident, with a version that only grows.
    Incident {
        id: String,
        version: u64,
    },
    /// A command that was obeyed: topic, and the signed message.
    Command {
        topic: String,
        payload: Vec<u8>,
    },
    /// The core has taken all that came down to this journal number.
    Consumed {
        upto: u64,
    },
}

/// All acknowledgements over the life of one store.
#[derive(Debug, Default)]
pub struct Promise {
    messages: BTreeSet<String>,
    receipted: BTreeSet<String>,
    incidents: BTreeMap<String, u64>,
    commands: Vec<(String, Vec<u8>)>,
    consumed: u64,
    last_seq: u64,
    /// Acknowledged since the store was opened, with the moment of the acknowledgement.
    unsettled: Vec<(Instant, Ack)>,
    /// Begun and not acknowledged: either outcome is right.
    doubtful_receipts: BTreeSet<String>,
}

impl Promise {
    pub fn acknowledged(&mut self, ack: Ack) {
        self.unsettled.push((kerbside_testkit::wait::now(), ack));
    }

    /// Before a receipt is handed in: without its acknowledgement nobody knows whether it counts.
    pub fn trying_receipt(&mut self, id: &str) {
        self.doubtful_receipts.insert(id.to_owned());
    }

    /// Acknowledgements since the store was opened.
    pub fn unsettled(&self) -> usize {
        self.unsettled.len()
    }

    /// Takes what was acknowledged up to `until` as promised and the rest as doubtful.
    pub fn settle(&mut self, until: Option<Instant>) {
        for (at, ack) in std::mem::take(&mut self.unsettled) {
            if until.is_some_and(|until| at > until) {
                continue;
            }
            match ack {
                Ack::Message { id, seq } => {
                    self.messages.insert(id);
                    self.last_seq = self.last_seq.max(seq);
                }
                Ack::Receipt { id } => {
                    self.doubtful_receipts.remove(&id);
                    self.receipted.insert(id);
                }
                Ack::Incident { id, version } => drop(self.incidents.insert(id, version)),
                Ack::Command { topic, payload } => self.commands.push((topic, payload)),
                Ack::Consumed { upto } => self.consumed = self.consumed.max(upto),
            }
        }
    }

    /// Messages whose receipt has not come.
    pub fn open(&self) -> Vec<String> {
        self.messages.difference(&self.receipted).cloned().collect()
    }

    /// Compares an opened store with everything promised. What it holds beyond that counts from now on.
    pub fn check(&mut self, ledger: &mut Ledger, row: &mut Row) -> Result<()> {
        let held = outbox(ledger)?;
        for id in self.messages.iter().filter(|id| !self.receipted.contains(*id)) {
            if !held.contains_key(id) && !self.doubtful_receipts.contains(id) {
                row.lost += 1;
                eprintln!("{}: message {id} is gone", row.fault);
            }
        }
        for (id, times) in &held {
            if *times > 1 || self.receipted.contains(id) {
                row.duplicated += 1;
                eprintln!(
                    "{}: message {id} is there {times} times, receipted: {}",
                    row.fault,
                    self.receipted.contains(id)
                );
            }
        }
        self.check_records(ledger, row);
        // Somebody plays the old commands again.
        for (topic, payload) in &self.commands {
            if ledger.incoming(topic, payload, false)?.is_some() {
                row.duplicated += 1;
                eprintln!("{}: a command is obeyed twice", row.fault);
            }
        }
        if ledger.last_seq() < self.last_seq {
            row.lost += 1;
            eprintln!("{}: sequence numbers are given out again", row.fault);
        }
        // What was on its way counts as it came out.
        for id in std::mem::take(&mut self.doubtful_receipts) {
            if !held.contains_key(&id) && self.messages.contains(&id) {
                self.receipted.insert(id);
            }
        }
        self.messages.extend(held.into_keys());
        Ok(())
    }

    fn check_records(&mut self, ledger: &Ledger, row: &mut Row) {
        let saved: BTreeMap<String, u64> = ledger
            .incidents()
            .into_iter()
            .filter_map(|s| Some((s.id, s.record?["version"].as_u64()?)))
            .collect();
        for (id, version) in &self.incidents {
            if saved.get(id).is_none_or(|there| there < version) {
                row.lost += 1;
                eprintln!("{}: incident {id} is at {:?}, not at {version}", row.fault, saved.get(id));
            }
        }
        self.incidents.extend(saved);
        // A receipt that the core has not consumed must be handed over again; one that it has must not.
        for inbound in ledger.inputs() {
            if inbound.n <= self.consumed {
                row.duplicated += 1;
                eprintln!("{}: inbound {} was consumed", row.fault, inbound.n);
            }
            if let StageInput::Receipt(receipt) = inbound.input
                && self.messages.contains(&receipt.id)
            {
                self.receipted.insert(receipt.id);
            }
        }
    }
}

/// Ids of everything that would be sent now, and how often.
pub fn outbox(ledger: &mut Ledger) -> Result<BTreeMap<String, u32>> {
    ledger.connected(1, false, 8)?;
    let mut held = BTreeMap::new();
    while let Some(outgoing) = ledger.next(1 << 20) {
        let event: Value = serde_json::from_slice(&outgoing.body)?;
        let is_matter = event["type"].as_str().is_some_and(|t| t.starts_with("kerbside.matter."));
        if let Some(id) = event["id"].as_str().filter(|_| is_matter) {
            *held.entry(id.to_owned()).or_default() += 1;
        }
        ledger.puback(outgoing.seq);
    }
    Ok(held)
}
