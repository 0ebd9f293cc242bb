//! What comes down: journalled first, then acknowledged to the broker; what counts for nothing is refused with its reason.

use kerbside_crypto::hash::Hash;
use kerbside_wire::text::clipped;
use kerbside_wire::{Inbound, Message, Refusal, RefusalReason, SignedGrant, evidence_not_sent, inbound};
use serde_json::json;

use super::base::{Ledger, RefusalMinute};
use crate::delivery::error::Result;
use crate::delivery::item::Item;
use crate::delivery::records::{StageInput, StoredInput};
use crate::journal::RecordKind;
use crate::tuning::{MAX_GRANTS, REFUSALS_A_MINUTE};

impl Ledger {
    /// One message of the centre. `Ok(Some(..))`: a stage must act on it. After `Ok` it may be acknowledged.
    pub fn incoming(&mut self, topic: &str, payload: &[u8], retain: bool) -> Result<Option<StoredInput>> {
        let parsed = self.parse(topic, payload, retain);
        self.take_in(topic, payload, parsed)
    }

    /// What the message is.
    pub(in crate::delivery) fn parse(
        &self,
        topic: &str,
        payload: &[u8],
        retain: bool,
    ) -> std::result::Result<Inbound, Refusal> {
        inbound::parse(&self.who, topic, payload, retain)
    }

    /// The same once it is parsed.
    pub(in crate::delivery) fn take_in(
        &mut self,
        topic: &str,
        payload: &[u8],
        parsed: std::result::Result<Inbound, Refusal>,
    ) -> Result<Option<StoredInput>> {
        match parsed {
            Ok(Inbound::Receipt(receipt)) => self.store_inbound(StageInput::Receipt(receipt)),
            Ok(Inbound::Case(case)) => self.store_inbound(StageInput::Case(case)),
            Ok(Inbound::Grant(grant)) => self.grant(topic, payload, &grant),
            Ok(Inbound::Command(command)) => self.command(topic, payload, &command),
            Err(refusal) => self.refuse(topic, payload, &refusal, None).map(|()| None),
        }
    }

    /// What a message that only states something (a receipt, a case state) is to be journalled as: it can share a sync
    /// with others. Empty: no news. `None`: it wants something and is judged by what came before, see [`Ledger::take_in`].
    pub(in crate::delivery) fn statement(&self, inbound: &Inbound) -> Option<Vec<Item>> {
        let input = match inbound {
            Inbound::Receipt(receipt) => StageInput::Receipt(receipt.clone()),
            Inbound::Case(case) => StageInput::Case(case.clone()),
            Inbound::Command(_) | Inbound::Grant(_) => return None,
        };
        Some(if self.is_known(&input) { Vec::new() } else { vec![Item::Inbound(input)] })
    }

    /// A receipt again, for a row that is done with: no news for anybody.
    fn is_known(&self, input: &StageInput) -> bool {
        let StageInput::Receipt(receipt) = input else { return false };
        self.state.outbox.seq_of(&receipt.id).is_none() && self.state.inputs.values().any(|i| i == input)
    }

    fn store_inbound(&mut self, input: StageInput) -> Result<Option<StoredInput>> {
        if self.is_known(&input) {
            return Ok(None);
        }
        let committed = self.commit(vec![Item::Inbound(input.clone())])?;
        Ok(committed.first().map(|c| StoredInput { n: c.n, input }))
    }

    /// A file that the centre wants: remembered until it is there or will not come.
    fn grant(&mut self, topic: &str, payload: &[u8], grant: &SignedGrant) -> Result<Option<StoredInput>> {
        let now = self.clock.now();
        let grant = match grant.verified(&self.who, &self.settings.keys, now) {
            Ok(grant) => grant,
            Err(refusal) => return self.refuse(topic, payload, &refusal, None).map(|()| None),
        };
        if self.state.grants().any(|g| g.id == grant.id) {
            return Ok(None);
        }
        if self.state.grants().count() >= MAX_GRANTS {
            let message = evidence_not_sent(&grant, "too many uploads wait", now);
            return self.commit(vec![Item::Message(Box::new(message))]).map(|_| None);
        }
        tracing::info!(id = grant.id, path = grant.path, "the centre wants a file");
        self.store_inbound(StageInput::Grant(grant))
    }

    /// Counts a refusal; the first of each minute are journalled, and answered if there is a reply.
    pub(super) fn refuse(
        &mut self,
        topic: &str,
        payload: &[u8],
        refusal: &Refusal,
        reply: Option<Message>,
    ) -> Result<()> {
        self.stats.refused += 1;
        self.count_refusal(refusal.reason());
        let now = self.clock.now().mono;
        if now.since_s(self.refusals.since) > 60.0 {
            self.refusals = RefusalMinute { since: now, refused: 0 };
        }
        self.refusals.refused += 1;
        if self.refusals.refused > REFUSALS_A_MINUTE {
            return Ok(());
        }
        tracing::warn!(topic = clipped(topic), %refusal, "message of the centre refused");
        let sha256 = Hash::of(payload);
        let body = json!({"topic": clipped(topic), "reason": refusal.to_string(),
            "bytes": payload.len(), "sha256": sha256});
        let note = Item::Note { kind: RecordKind::Refused, body };
        let reply = reply.map(|r| Item::Message(Box::new(r)));
        self.commit([note].into_iter().chain(reply).collect()).map(drop)
    }

    pub(super) fn count_refusal(&mut self, reason: RefusalReason) {
        *self.stats.refusals.entry(reason).or_default() += 1;
    }
}
