//! The state as the index holds it.

use kerbside_crypto::hash::Hash;
use serde::{Deserialize, Serialize};

use super::ledger_state::{LedgerState, RememberedCommand, json, key};
use crate::delivery::records::{CarriedCounters, SavedIncident, StoredInput, parse};
use crate::index::{IndexChange, IndexError, Store, Table};
use crate::outbox::{OutboxSettings, Row};

const CURSOR: &[u8] = b"cursor";

/// Up to which record the index has seen, and how much it should hold.
#[derive(Serialize, Deserialize)]
struct IndexCursor {
    n: u64,
    hash: Hash,
    #[serde(rename = "carry")]
    counters: CarriedCounters,
    rows: usize,
    incidents: usize,
    /// Absent in an index of an older version: it is made anew.
    #[serde(rename = "inbound", default)]
    inputs: usize,
    #[serde(default)]
    commands: usize,
}

impl LedgerState {
    /// Reads the index. `Ok(None)`: it is empty, or says of itself that it is not whole.
    pub(in crate::delivery) fn load(
        store: &dyn Store,
        settings: OutboxSettings,
    ) -> Result<Option<LedgerState>, IndexError> {
        let mut state = LedgerState::new(settings);
        let meta = store.scan(Table::Meta)?;
        let cursor = meta.iter().find(|(k, _)| k == CURSOR);
        let Some(cursor) = cursor.and_then(|(_, v)| parse::<IndexCursor>(v)) else {
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
            let Some(stored) = parse::<StoredInput>(&value) else { return Ok(None) };
            state.inputs.insert(stored.n, stored.input);
        }
        for (_, value) in store.scan(Table::Commands)? {
            let Some(command) = parse::<RememberedCommand>(&value) else { return Ok(None) };
            state.commands.push_back(command);
        }
        // sled can lose single values without a word.
        if state.sizes() != (cursor.rows, cursor.incidents, cursor.inputs, cursor.commands) {
            return Ok(None);
        }
        state.outbox.take_changed();
        (state.n, state.hash, state.counters) = (cursor.n, cursor.hash, cursor.counters);
        Ok(Some(state))
    }

    fn sizes(&self) -> (usize, usize, usize, usize) {
        (self.outbox.len(), self.incidents.len(), self.inputs.len(), self.commands.len())
    }

    /// All changes since the last call, with the cursor: one batch for the index.
    pub(in crate::delivery) fn take_changes(&mut self) -> Vec<IndexChange> {
        for (seq, row) in self.outbox.take_changed() {
            self.change(Table::Rows, key(seq), row.as_ref().map(json));
        }
        let (rows, incidents, inputs, commands) = self.sizes();
        let cursor = IndexCursor {
            n: self.n,
            hash: self.hash,
            counters: self.counters.clone(),
            rows,
            incidents,
            inputs,
            commands,
        };
        self.change(Table::Meta, CURSOR.to_vec(), Some(json(&cursor)));
        std::mem::take(&mut self.changes)
    }
}
