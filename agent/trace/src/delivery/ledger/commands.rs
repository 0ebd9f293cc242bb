//! Commands: judged once and answered once; the same again gets the same answer. Those for the trace are carried out here.

use std::collections::VecDeque;

use kerbside_crypto::hash::Hash;
use kerbside_domain::time::{Moment, rfc3339};
use kerbside_wire::text::{clipped, shortened};
use kerbside_wire::{
    CommandAction, CommandRefusal, NotGenuine, Refusal, ReplyResult, SignedCommand, StoreAction, reply,
};
use serde_json::{Value, json};

use super::base::Ledger;
use super::inbound::Judged;
use crate::delivery::error::Result;
use crate::delivery::item::Item;
use crate::delivery::records::{CommandRecord, StageCommand, StageInput, without_secrets};
use crate::delivery::state::row_of;
use crate::journal::RecordKind;
use crate::outbox::Row;
use crate::tuning::{LOG_BYTES, LOG_RECORD_BYTES, LOG_SEARCH};

/// What was decided about a genuine command.
struct Decided {
    action: std::result::Result<CommandAction, CommandRefusal>,
    /// How long it may still be begun, s.
    left_s: f64,
}

impl Decided {
    fn is_out_of_time(&self) -> bool {
        matches!(self.action, Err(CommandRefusal::Expired | CommandRefusal::IssuedInFuture))
    }
}

impl Ledger {
    /// Whether the ledger itself is to carry it out: that finds done what was requested before.
    pub(in crate::delivery) fn is_for_ledger(&self, command: &SignedCommand) -> bool {
        matches!(self.decide(command).action, Ok(CommandAction::Store(_)))
    }

    /// A command that came down.
    pub(super) fn command(&mut self, topic: &str, payload: &[u8], command: &SignedCommand) -> Result<Judged> {
        let now = self.clock.now();
        let key = match command.signer(&self.who, &self.settings.keys, now) {
            Ok(key) => key.id.clone(),
            Err(why) => return Ok(self.not_genuine(topic, payload, command, why)),
        };
        if self.answered_before(&command.id, &command.verb) {
            return Ok(Judged::default());
        }
        let Decided { action: judged, left_s } = self.decide(command);
        self.stats.commands += 1;
        if let Err(refusal) = &judged {
            self.count_refusal(refusal.reason());
        }
        let refused = judged.as_ref().err().map(ToString::to_string);
        tracing::info!(id = command.id, verb = command.verb, actor = command.actor, key, refused, "command");
        let record = CommandRecord {
            id: command.id.clone(),
            verb: command.verb.clone(),
            actor: command.actor.clone(),
            key,
            issued_at_ms: command.issued_at_ms,
            expires_at_ms: command.expires_at_ms,
            action: judged.as_ref().ok().cloned(),
            refused: refused.clone(),
            signed: command.signed.text.clone(),
            signature: command.signed.signature.clone().unwrap_or_default(),
        };
        let body = serde_json::to_value(&record).unwrap_or_default();
        let note = Item::Note { kind: RecordKind::Command, body };
        let (result, reason, detail) = match judged {
            Ok(CommandAction::Stage(_)) => {
                let until = Some(self.run_clock.now().mono.plus_s(left_s));
                let command = record.stage_command().map(|command| StageCommand { until, ..command });
                let input = command.map(StageInput::Command);
                return Ok(Judged { input, ..Judged::only(vec![note]) });
            }
            // It is answered when they are made; after a restart, that they were not.
            Ok(CommandAction::Store(StoreAction::Statistics { from_ms, to_ms })) => {
                if self.has_room_for_statistics() {
                    let order = Some(self.statistics_for(&command.id, from_ms, to_ms));
                    return Ok(Judged { order, ..Judged::only(vec![note]) });
                }
                (ReplyResult::Failed, Some("too many accounts wait to be made"), Value::Null)
            }
            Ok(CommandAction::Store(StoreAction::Resend { from, to })) => {
                let (again, missing) = self.resend(from, to)?;
                (ReplyResult::Done, None, json!({"again": again, "not_on_the_box": missing}))
            }
            Ok(CommandAction::Store(StoreAction::LogPull { kinds, last })) => {
                (ReplyResult::Done, None, self.newest_records(&kinds, last)?)
            }
            Err(_) => (ReplyResult::Refused, refused.as_deref(), Value::Null),
        };
        let verb = clipped(&command.verb);
        let message = reply(&command.id, &verb, result, reason, detail, now);
        Ok(Judged::only(vec![note, Item::Message(Box::new(message))]))
    }

    /// Whether it came before; then its answer goes out again, if there is one yet.
    pub(super) fn answered_before(&mut self, id: &str, verb: &str) -> bool {
        let Some(remembered) = self.state.remembered_command(id, verb) else { return false };
        if let Some(reply) = remembered.reply.clone()
            && !self.state.outbox.resend(reply.seq)
        {
            self.state.outbox.push(Row { expires_ms: None, expires_at: None, ..reply });
        }
        true
    }

    /// What is to be done about a genuine command. After a jump of the wall clock nobody knows on which side of it the time is
    /// right, so what was issued since then counts by either.
    fn decide(&self, command: &SignedCommand) -> Decided {
        let is_forgotten = self.state.counters.has_forgotten(command.issued_at_ms);
        let by = |now: Moment| Decided {
            action: command.action(now, is_forgotten),
            left_s: command.expires_at_ms.saturating_sub(now.wall_ms).max(0) as f64 / 1000.0,
        };
        let mut reckonings = self.reckonings(command.issued_at_ms).map(by);
        let first = reckonings.next().unwrap_or_else(|| by(self.clock.now()));
        if !first.is_out_of_time() {
            return first;
        }
        reckonings.find(|decided| !decided.is_out_of_time()).unwrap_or(first)
    }

    /// Not ordered by the centre: journalled and answered a few times a minute, and not remembered.
    fn not_genuine(
        &mut self,
        topic: &str,
        payload: &[u8],
        command: &SignedCommand,
        why: NotGenuine,
    ) -> Judged {
        let (now, verb) = (self.clock.now(), clipped(&command.topic_verb));
        let (reason, detail) = (why.to_string(), json!({"payload": Hash::of(payload)}));
        let mut message = reply(&command.id, &verb, ReplyResult::Refused, Some(&reason), detail, now);
        // No correlation: it must never pass for the answer to a true command of the same id.
        message.correlation_id = None;
        self.refuse(topic, payload, &Refusal::NotGenuine(why), Some(message))
    }

    /// Commands that were begun and have no answer: what was to be done about them went with the last run's memory.
    pub(super) fn answer_interrupted(&mut self) -> Result<()> {
        let now = self.clock.now();
        let why = Some("the program was restarted before it was done");
        let answer = |(id, verb): (String, String)| {
            let message = reply(&id, &verb, ReplyResult::Failed, why, Value::Null, now);
            Item::Message(Box::new(message))
        };
        let replies: Vec<Item> = self.state.unanswered().into_iter().map(answer).collect();
        if replies.is_empty() { Ok(()) } else { self.commit(replies).map(drop) }
    }

    /// For `log.pull`: the newest records of these kinds (none: all but messages), oldest first, as much as fits a message.
    fn newest_records(&self, kinds: &[String], last: u32) -> Result<Value> {
        let is_wanted = |kind: &RecordKind| match kinds {
            [] => *kind != RecordKind::Message && *kind != RecordKind::Puback,
            kinds => kinds.iter().any(|k| k == kind.as_str()),
        };
        let offset = self.who.utc_offset_s;
        let mut newest = VecDeque::new();
        let from = self.journal.last_n().saturating_sub(LOG_SEARCH).max(1);
        self.journal.replay(from, &mut |record, _| {
            if is_wanted(&record.kind) {
                let time = rfc3339(record.at.wall_ms, offset);
                let body = without_secrets(&record, &record.body);
                let (kind, body) = (record.kind.as_str(), shortened(&body, LOG_RECORD_BYTES));
                newest.push_back(json!({"n": record.n, "time": time, "kind": kind, "body": body}));
                if newest.len() > last as usize {
                    newest.pop_front();
                }
            }
        })?;
        let mut room = LOG_BYTES;
        let fits = |r: &&Value| {
            room = room.saturating_sub(r.to_string().len());
            room > 0
        };
        let mut records: Vec<&Value> = newest.iter().rev().take_while(fits).collect();
        records.reverse();
        Ok(json!({"searched_from": from, "records": records}))
    }

    /// Queues messages by sequence number again, from the outbox or from the journal. Returns how many, and how many
    /// are not on the box any more. Telemetry that was evicted on purpose comes back if its record is still there.
    pub fn resend(&mut self, from: u64, to: u64) -> Result<(u64, u64)> {
        let to = to.min(self.last_seq());
        let mut missing: Vec<u64> = (from..=to).filter(|seq| !self.state.outbox.resend(*seq)).collect();
        let requested = (from..=to).count() as u64;
        if !missing.is_empty() {
            let mut rows = Vec::new();
            self.journal.replay(1, &mut |record, location| {
                if let Some((head, _)) = record.message()
                    && missing.binary_search(&head.seq).is_ok()
                    && head.conflation_key.is_none()
                {
                    rows.push(row_of(&record, location, &head));
                }
            })?;
            for row in rows {
                missing.retain(|seq| *seq != row.seq);
                self.state.outbox.push(row);
            }
        }
        Ok((requested - missing.len() as u64, missing.len() as u64))
    }
}
