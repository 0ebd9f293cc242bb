//! Commands that counted: each is obeyed once and answered the same again.

use serde::Deserialize;

use super::ledger_state::{LedgerState, RememberedCommand, json, key};
use crate::delivery::records::{CommandRecord, StageInput, parse};
use crate::index::Table;
use crate::journal::Record;
use crate::outbox::Row;
use crate::tuning::COMMANDS_REMEMBERED;

/// Which command a reply answers.
#[derive(Deserialize)]
struct Correlated {
    correlationid: Option<String>,
}

impl LedgerState {
    pub(super) fn command(&mut self, record: &Record) {
        let Some(body) = parse::<CommandRecord>(&record.body) else { return };
        if let Some(command) = body.stage_command() {
            self.remember_input(record.n, StageInput::Command(command));
        }
        let CommandRecord { id, verb, issued_at_ms, expires_at_ms, .. } = body;
        let command = RememberedCommand { id, verb, n: record.n, issued_at_ms, expires_at_ms, reply: None };
        self.change(Table::Commands, key(command.n), Some(json(&command)));
        self.commands.push_back(command);
        while self.commands.len() > COMMANDS_REMEMBERED {
            let Some(old) = self.commands.pop_front() else { break };
            self.change(Table::Commands, key(old.n), None);
            // It could be obeyed a second time now, so nothing that old is obeyed any more.
            if old.expires_at_ms > record.at.wall_ms {
                self.counters.floor_ms = self.counters.floor_ms.max(old.issued_at_ms);
            }
        }
    }

    pub(super) fn replied(&mut self, envelope: &str, row: &Row) {
        let id = parse::<Correlated>(envelope).and_then(|c| c.correlationid);
        let command = self.commands.iter_mut().find(|c| Some(&c.id) == id.as_ref() && c.reply.is_none());
        if let Some(command) = command {
            command.reply = Some(row.clone());
            let (n, value) = (command.n, json(command));
            self.change(Table::Commands, key(n), Some(value));
        }
    }

    pub(in crate::delivery) fn remembered_command(&self, id: &str) -> Option<&RememberedCommand> {
        self.commands.iter().find(|c| c.id == id)
    }

    /// Id and verb of commands that have no answer and that no stage will be given again.
    pub(in crate::delivery) fn unanswered(&self) -> Vec<(String, String)> {
        let open = self.commands.iter().filter(|c| c.reply.is_none() && !self.inputs.contains_key(&c.n));
        open.map(|c| (c.id.clone(), c.verb.clone())).collect()
    }

    /// Their records are gone from the journal; they have expired.
    pub(in crate::delivery) fn forget_commands(&mut self, first_n: u64) {
        while self.commands.front().is_some_and(|c| c.n < first_n) {
            if let Some(old) = self.commands.pop_front() {
                self.change(Table::Commands, key(old.n), None);
            }
        }
    }
}
