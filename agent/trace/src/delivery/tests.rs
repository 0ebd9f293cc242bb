//! The ledger over a real journal: what survives a restart, a lost index, a refused entry.

mod commands;
mod commits;
mod grants;
mod restarts;
mod sending;
mod statements;
mod threads;

use std::path::Path;
use std::sync::Arc;

use kerbside_domain::time::{Mono, VirtualClock};
use kerbside_wire::testing::{report, who};
use kerbside_wire::{self as wire, Outgoing, Priority};
use serde_json::Value;

use super::*;
use crate::index::MemoryStore;
use crate::journal::RecordKind;

fn clock() -> Arc<VirtualClock> {
    VirtualClock::new(1_795_221_065_120)
}

fn open(dir: &Path, receipts: bool) -> (Ledger, Recovery) {
    let settings = DeliverySettings { segment_bytes: 8192, ..DeliverySettings::new(dir, receipts) };
    Ledger::open(settings, who(), clock()).unwrap()
}

fn message(i: u64) -> Item {
    Item::Message(Box::new(wire::matter(&who(), &report(&format!("INCIDENT{i:03}"), 1), None, None).into()))
}

fn receipt(id: &str) -> Vec<u8> {
    let data = serde_json::json!({"id": id, "result": "accepted", "case_no": "2026-1"});
    serde_json::json!({"specversion": "1.0", "type": "kerbside.receipt.v1", "data": data})
        .to_string()
        .into_bytes()
}

const RECEIPT: &str = "cg/v1/310112/mh-xz-017/receipt";

/// All that would be sent on a fresh connection, PUBACKed at once; births and checkpoints left out.
fn sent(ledger: &mut Ledger) -> Vec<Outgoing> {
    ledger.connected(1, false, 8).unwrap();
    let mut all = Vec::new();
    while let Some(outgoing) = ledger.next(1 << 20) {
        ledger.puback(outgoing.seq);
        all.push(outgoing);
    }
    all.retain(|p| !p.topic.ends_with("/state") && !p.topic.ends_with("/audit"));
    all.sort_by_key(|p| p.seq);
    all
}

fn commanded(dir: &Path, clock: &Arc<VirtualClock>) -> Ledger {
    let keys = kerbside_wire::testing::keys();
    let settings = DeliverySettings { segment_bytes: 8192, keys, ..DeliverySettings::new(dir, false) };
    Ledger::open(settings, who(), clock.clone()).unwrap().0
}

fn order(ledger: &mut Ledger, data: &Value) -> Option<StoredInput> {
    let topic = format!("cg/v1/310112/mh-xz-017/cmd/{}", data["verb"].as_str().unwrap());
    let payload = kerbside_wire::testing::command::sealed(data);
    ledger.incoming(&topic, payload.as_bytes(), false).unwrap()
}
