//! What comes down: journalled first, then acknowledged to the broker; commands are judged, obeyed once and answered.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Item, Ledger, Result};
use crate::delivery::state::{CommandRecord, DownInput, Inbound, row_of};
use crate::journal::Entry;
use crate::outbox::Row;
use kerbside_wire::{self as wire, Command, Message, Order};

/// Refused input is journalled in full, and answered, that often a minute; beyond, only counted.
const REFUSALS_A_MINUTE: u64 = 30;
/// Newest records that `log.pull` looks through; longest body and longest answer, bytes.
const LOG_SEARCH: u64 = 20_000;
const LOG_RECORD_BYTES: usize = 1000;
const LOG_BYTES: usize = 32 * 1024;

impl Ledger {
    /// One message from above. `Ok(Some(..))`: the core must hear it. After `Ok` it may be acknowledged.
    pub fn incoming(&mut self, topic: &str, payload: &[u8], retain: bool) -> Result<Option<Inbound>> {
        match wire::down::parse(&self.who, topic, payload, retain) {
            Ok(wire::Down::Receipt(receipt)) => self.keep(DownInput::Receipt(receipt)),
            Ok(wire::Down::Case(case)) => self.keep(DownInput::Case(case)),
            Ok(wire::Down::Grant) => self.grant(topic, payload),
            Ok(wire::Down::Command(command)) => self.command(topic, payload, &command),
            Err(refusal) => self.refused(topic, payload, &refusal).map(|()| None),
        }
    }

    /// What a message that only tells something (a receipt, a case state) is to be journalled as: it can share a sync with others.
    /// Empty: no news. `None`: it wants something, see [`Ledger::incoming`].
    pub(in crate::delivery) fn told(&self, topic: &str, payload: &[u8], retain: bool) -> Option<Vec<Item>> {
        let input = match wire::down::parse(&self.who, topic, payload, retain) {
            Ok(wire::Down::Receipt(receipt)) => DownInput::Receipt(receipt),
            Ok(wire::Down::Case(case)) => DownInput::Case(case),
            _ => return None,
        };
        Some(if self.is_known(&input) { Vec::new() } else { vec![Item::Down(input)] })
    }

    /// A receipt again, for a row that is done with: no news for anybody.
    fn is_known(&self, input: &DownInput) -> bool {
        let DownInput::Receipt(receipt) = input else { return false };
        !self.state.outbox.holds(&receipt.id) && self.state.inbound.values().any(|i| i == input)
    }

    fn keep(&mut self, input: DownInput) -> Result<Option<Inbound>> {
        if self.is_known(&input) {
            return Ok(None);
        }
        let committed = self.commit(vec![Item::Down(input.clone())])?;
        Ok(committed.first().map(|c| Inbound { n: c.n, input }))
    }

    /// A file that the centre wants: kept until it is there or will not come.
    fn grant(&mut self, topic: &str, payload: &[u8]) -> Result<Option<Inbound>> {
        let now = self.clock.now();
        let grant = match wire::grant::read(&self.who, &self.settings.keys, payload, now) {
            Ok(grant) => grant,
            Err(refusal) => return self.refused(topic, payload, &refusal).map(|()| None),
        };
        if self.state.grants().any(|g| g.id == grant.id) {
            return Ok(None);
        }
        if self.state.grants().count() >= kerbside_wire::grant::MAX_GRANTS {
            let draft = wire::evidence_not_sent(&grant, "too many uploads wait", now);
            return self.commit(vec![Item::Message(Box::new(draft))]).map(|_| None);
        }
        tracing::info!(id = grant.id, path = grant.path, "the centre wants a file");
        self.keep(DownInput::Grant(grant))
    }

    /// A command of the centre is judged once and answered once; the same again gets the same answer.
    fn command(&mut self, topic: &str, payload: &[u8], command: &Command) -> Result<Option<Inbound>> {
        let key = match command.genuine(&self.who, &self.settings.keys) {
            Ok(key) => key,
            Err(why) => return self.forged(topic, payload, command, why).map(|()| None),
        };
        if let Some(seen) = self.state.command_seen(&command.id) {
            if let Some(reply) = seen.reply.clone()
                && !self.state.outbox.again(reply.seq)
            {
                self.state.outbox.push(Row { expires_ms: None, ..reply });
            }
            return Ok(None);
        }
        let now = self.clock.now();
        let judged = command.order(now, self.state.carry.floor_ms);
        self.stats.commands += 1;
        let refused = judged.as_ref().err();
        tracing::info!(id = command.id, verb = command.verb, actor = command.actor, key, refused, "command");
        let known = CommandRecord {
            id: command.id.clone(),
            verb: command.verb.clone(),
            actor: command.actor.clone(),
            key,
            issued_at_ms: command.issued_at_ms,
            expires_at_ms: command.expires_at_ms,
            order: judged.as_ref().ok().cloned(),
            refused: judged.as_ref().err().cloned(),
            signed: command.signed.text.clone(),
            signature: command.signed.signature.clone().unwrap_or_default(),
        };
        let body = serde_json::to_value(&known).unwrap_or_default();
        let (result, reason, detail) = match judged {
            Ok(Order::Resend { from, to }) => {
                let (again, unknown) = self.resend(from, to)?;
                ("done", None, json!({"again": again, "not_on_the_box": unknown}))
            }
            Ok(Order::LogPull { kinds, last }) => ("done", None, self.newest_records(&kinds, last)?),
            Ok(_) => {
                let committed = self.commit(vec![Item::Note { kind: "command", body }])?;
                let input = known.commanded().map(DownInput::Command);
                return Ok(committed.first().zip(input).map(|(c, input)| Inbound { n: c.n, input }));
            }
            Err(why) => ("refused", Some(why), Value::Null),
        };
        let verb = wire::down::clipped(&command.verb);
        let reply = wire::reply(&command.id, &verb, result, reason.as_deref(), detail, now);
        self.commit(vec![Item::Note { kind: "command", body }, Item::Message(Box::new(reply))])?;
        Ok(None)
    }

    /// Not ordered by the centre: journalled and answered a few times a minute, and not remembered.
    fn forged(&mut self, topic: &str, payload: &[u8], command: &Command, why: String) -> Result<()> {
        let sha256 = kerbside_crypto::hash::Hash::of(payload);
        let (now, verb) = (self.clock.now(), wire::down::clipped(&command.topic_verb));
        let detail = json!({"payload": sha256});
        let mut reply = wire::reply(&command.id, &verb, "refused", Some(&why), detail, now);
        // No correlation: it must never pass for the answer to a true command of the same id.
        reply.correlation = None;
        let refusal = wire::Refusal::Command(why);
        self.refuse(topic, payload, &refusal, Some(reply))
    }

    /// Commands that were begun and have no answer: what was to be done about them went with the last run's memory.
    pub(super) fn answer_interrupted(&mut self) -> Result<()> {
        let now = self.clock.now();
        let why = Some("the program was restarted before it was done");
        let replies = self.state.unanswered().into_iter();
        let replies = replies.map(|(id, verb)| wire::reply(&id, &verb, "failed", why, Value::Null, now));
        let replies: Vec<Item> = replies.map(|r| Item::Message(Box::new(r))).collect();
        if replies.is_empty() { Ok(()) } else { self.commit(replies).map(drop) }
    }

    /// For `log.pull`: the newest records of these kinds (none: all but messages), oldest first, as much as fits a message.
    fn newest_records(&self, kinds: &[String], last: u32) -> Result<Value> {
        let wanted = |kind: &str| match kinds {
            [] => kind != "message" && kind != "puback",
            kinds => kinds.iter().any(|k| k == kind),
        };
        let offset = self.who.utc_offset_s;
        let mut found = VecDeque::new();
        let from = self.journal.last_n().saturating_sub(LOG_SEARCH).max(1);
        self.journal.replay(from, &mut |record, _| {
            if wanted(&record.kind) {
                let time = kerbside_domain::time::rfc3339(record.at.wall_ms, offset);
                let body = wire::down::shortened(&record.body, LOG_RECORD_BYTES);
                found.push_back(json!({"n": record.n, "time": time, "kind": record.kind, "body": body}));
                if found.len() > last as usize {
                    found.pop_front();
                }
            }
        })?;
        let mut room = LOG_BYTES;
        let fits = |r: &&Value| {
            room = room.saturating_sub(r.to_string().len());
            room > 0
        };
        let mut records: Vec<&Value> = found.iter().rev().take_while(fits).collect();
        records.reverse();
        Ok(json!({"searched_from": from, "records": records}))
    }

    /// Queues messages by sequence number again, from the outbox or from the journal. Returns how many, and how many
    /// are not on the box any more. What was evicted on purpose (lane 3) comes back if its record is still there.
    pub fn resend(&mut self, from: u64, to: u64) -> Result<(u64, u64)> {
        let to = to.min(self.last_seq());
        let mut wanted: Vec<u64> = (from..=to).filter(|seq| !self.state.outbox.again(*seq)).collect();
        let asked = (from..=to).count() as u64;
        if !wanted.is_empty() {
            let mut found = Vec::new();
            self.journal.replay(1, &mut |record, at| {
                if let Some((head, _)) = record.message()
                    && wanted.binary_search(&head.seq).is_ok()
                    && head.slot.is_none()
                {
                    found.push(row_of(&record, at, &head));
                }
            })?;
            for row in found {
                wanted.retain(|seq| *seq != row.seq);
                self.state.outbox.push(Row { expires_ms: None, ..row });
            }
        }
        Ok((asked - wanted.len() as u64, wanted.len() as u64))
    }

    fn refused(&mut self, topic: &str, payload: &[u8], refusal: &wire::Refusal) -> Result<()> {
        self.refuse(topic, payload, refusal, None)
    }

    fn refuse(
        &mut self,
        topic: &str,
        payload: &[u8],
        refusal: &wire::Refusal,
        reply: Option<Message>,
    ) -> Result<()> {
        self.stats.refused += 1;
        let now = self.clock.now().mono;
        if now.since_s(self.refusals.0) > 60.0 {
            self.refusals = (now, 0);
        }
        self.refusals.1 += 1;
        if self.refusals.1 > REFUSALS_A_MINUTE {
            return Ok(());
        }
        tracing::warn!(topic = wire::down::clipped(topic), %refusal, "message from above refused");
        let sha256 = kerbside_crypto::hash::Hash::of(payload);
        let body = json!({"topic": wire::down::clipped(topic), "reason": refusal.to_string(),
            "bytes": payload.len(), "sha256": sha256});
        let note = Item::Note { kind: "refused", body };
        let reply = reply.map(|r| Item::Message(Box::new(r)));
        self.commit([note].into_iter().chain(reply).collect()).map(drop)
    }
}

/// The journal entry of what came down.
pub(super) fn entry(input: &DownInput) -> Entry {
    let kind = match input {
        DownInput::Receipt(_) => "receipt",
        DownInput::Case(_) => "case",
        DownInput::Grant(_) => "grant",
        DownInput::Command(_) => "command",
    };
    Entry::new(kind, wire::envelope::to_json(input))
}
