//! Commands and grants that counted: each is obeyed once and answered the same again.

use kerbside_wire::Grant;
use kerbside_wire::limits::GRANT_LIFE_MS;
use serde::Deserialize;

use super::ledger_state::{LedgerState, RememberedCommand, json, key};
use crate::delivery::records::{CommandRecord, StageInput, parse};
use crate::index::Table;
use crate::journal::Record;
use crate::outbox::Row;
use crate::tuning::COMMANDS_REMEMBERED;

/// Under that verb grants are remembered; no command can have it, for a verb is a level of a topic.
pub(in crate::delivery) const GRANT_VERB: &str = "evidence/grant";

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
        self.remember(command);
    }

    /// A grant is not followed a second time, also when its upload is over.
    pub(super) fn remember_grant(&mut self, record: &Record, grant: &Grant) {
        let Grant { id, issued_at_ms, expires_at_ms, .. } = grant.clone();
        // A journal of an earlier version does not say when.
        let issued_at_ms =
            if issued_at_ms == 0 { expires_at_ms.saturating_sub(GRANT_LIFE_MS) } else { issued_at_ms };
        let verb = GRANT_VERB.to_owned();
        let grant = RememberedCommand { id, verb, n: record.n, issued_at_ms, expires_at_ms, reply: None };
        self.remember(grant);
    }

    fn remember(&mut self, command: RememberedCommand) {
        self.change(Table::Commands, key(command.n), Some(json(&command)));
        self.commands.push_back(command);
        while self.commands.len() > COMMANDS_REMEMBERED {
            let Some(old) = self.commands.pop_front() else { break };
            self.change(Table::Commands, key(old.n), None);
            // It must not be obeyed a second time. Whether it has expired is no matter: the clock may go back.
            self.counters.forgotten.add(old.issued_at_ms);
        }
    }

    pub(super) fn replied(&mut self, envelope: &str, row: &Row) {
        let Some(id) = parse::<Correlated>(envelope).and_then(|c| c.correlationid) else { return };
        self.answered(|c| c.id == id && c.verb != GRANT_VERB, row);
    }

    /// The upload of a grant is over.
    pub(super) fn upload_over(&mut self, grant_id: &str, row: &Row) {
        self.answered(|c| c.id == grant_id && c.verb == GRANT_VERB, row);
    }

    fn answered(&mut self, is: impl Fn(&RememberedCommand) -> bool, row: &Row) {
        if let Some(command) = self.commands.iter_mut().find(|c| c.reply.is_none() && is(c)) {
            command.reply = Some(row.clone());
            let (n, value) = (command.n, json(command));
            self.change(Table::Commands, key(n), Some(value));
        }
    }

    /// Ids of commands count whatever their verb; those of grants are apart.
    pub(in crate::delivery) fn remembered_command(&self, id: &str, verb: &str) -> Option<&RememberedCommand> {
        let of_grant = verb == GRANT_VERB;
        self.commands.iter().find(|c| c.id == id && (c.verb == GRANT_VERB) == of_grant)
    }

    /// Id and verb of commands that have no answer and that no stage will be given again.
    pub(in crate::delivery) fn unanswered(&self) -> Vec<(String, String)> {
        let open = self.commands.iter().filter(|c| c.reply.is_none() && !self.inputs.contains_key(&c.n));
        // The end of an upload always answers its grant.
        let open = open.filter(|c| c.verb != GRANT_VERB);
        open.map(|c| (c.id.clone(), c.verb.clone())).collect()
    }

    /// Their records are gone from the journal.
    pub(in crate::delivery) fn forget_commands(&mut self, first_n: u64) {
        while self.commands.front().is_some_and(|c| c.n < first_n) {
            if let Some(old) = self.commands.pop_front() {
                self.change(Table::Commands, key(old.n), None);
                self.counters.forgotten.add(old.issued_at_ms);
            }
        }
    }
}
