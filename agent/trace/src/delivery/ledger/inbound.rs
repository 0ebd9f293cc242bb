//! What comes down: journalled first, then acknowledged to the broker; what counts for nothing is refused with its reason.

use kerbside_crypto::hash::Hash;
use kerbside_crypto::sign::CentreKey;
use kerbside_domain::case::{CaseUpdate, Receipt};
use kerbside_domain::time::Moment;
use kerbside_wire::signed::Signed;
use kerbside_wire::text::clipped;
use kerbside_wire::unanswerable;
use kerbside_wire::{
    GrantRefusal, Inbound, JudgedGrant, Message, MustSign, Refusal, RefusalReason, Replay, SignedGrant,
    Statement, evidence_not_sent, inbound, scope,
};
use serde::Deserialize;
use serde_json::json;

use super::accounts::Order;
use super::base::Ledger;
use crate::delivery::error::Result;
use crate::delivery::item::{Committed, Item};
use crate::delivery::records::{StageInput, StoredInput, parse};
use crate::delivery::state::GRANT_VERB;
use crate::journal::RecordKind;
use crate::tuning::{ANSWERS_A_MINUTE, MAX_GRANTS, REFUSALS_A_MINUTE};

/// What becomes of a message of the centre. It may be acknowledged when the items are durable; they can share a sync with
/// others.
#[derive(Debug, Default)]
pub(in crate::delivery) struct Judged {
    /// Empty: no news.
    pub(in crate::delivery) items: Vec<Item>,
    /// A stage must act on it, under the number of the first item's record.
    pub(in crate::delivery) input: Option<StageInput>,
    /// An account that a command wants: it counts once the command is durable.
    pub(in crate::delivery) order: Option<Order>,
}

impl Judged {
    pub(super) fn only(items: Vec<Item>) -> Self {
        Judged { items, ..Judged::default() }
    }

    fn inbound(input: StageInput, received: Option<Hash>) -> Self {
        let items = vec![Item::Inbound { input: input.clone(), received }];
        Judged { items, input: Some(input), order: None }
    }
}

/// For the stages, once it is durable.
pub(in crate::delivery) fn stored(input: Option<StageInput>, committed: &[Committed]) -> Option<StoredInput> {
    committed.first().zip(input).map(|(c, input)| StoredInput { n: c.n, input })
}

impl Ledger {
    /// One message of the centre. `Ok(Some(..))`: a stage must act on it. After `Ok` it may be acknowledged.
    pub fn incoming(&mut self, topic: &str, payload: &[u8], retain: bool) -> Result<Option<StoredInput>> {
        let parsed = self.parse(topic, payload, retain);
        let Judged { items, input, order } = self.judge(topic, payload, &parsed)?;
        if items.is_empty() {
            return Ok(None);
        }
        let committed = self.commit(items)?;
        self.order_statistics(order);
        Ok(stored(input, &committed))
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

    /// What is to be journalled of it, by what the ledger has. Nothing is written here.
    pub(in crate::delivery) fn judge(
        &mut self,
        topic: &str,
        payload: &[u8],
        parsed: &std::result::Result<Inbound, Refusal>,
    ) -> Result<Judged> {
        match parsed {
            Ok(Inbound::Receipt(receipt)) => Ok(self.receipt(topic, payload, receipt)),
            Ok(Inbound::Case(case)) => Ok(self.case(topic, payload, case)),
            Ok(Inbound::Grant(grant)) => Ok(self.grant(topic, payload, grant)),
            Ok(Inbound::Command(command)) => self.command(topic, payload, command),
            Err(refusal) => Ok(self.refuse_strange(topic, payload, refusal)),
        }
    }

    /// The same again says the same, whoever plays it.
    fn receipt(&mut self, topic: &str, payload: &[u8], statement: &Statement<Receipt>) -> Judged {
        let must = self.settings.must_sign.receipts;
        let signed_by = match self.vouched_by(statement, scope::RECEIPT, must, Replay::Harmless) {
            Ok(signed_by) => signed_by,
            Err(refusal) => return self.refuse(topic, payload, &refusal, None),
        };
        let received = received(topic, payload, &statement.signed, signed_by.is_some());
        let receipt = Receipt { signed_by, ..statement.said.clone() };
        // A receipt for a row that still waits for one, because it was sent again on command, is news.
        let is_done = !self.state.outbox.awaits_receipt(&receipt.id, receipt.signed_by.is_some());
        let input = StageInput::Receipt(receipt);
        let is_known =
            is_done && (self.state.knows(&received) || self.state.inputs.values().any(|i| *i == input));
        if is_known { Judged::default() } else { Judged::inbound(input, Some(received)) }
    }

    fn case(&mut self, topic: &str, payload: &[u8], statement: &Statement<CaseUpdate>) -> Judged {
        let must = self.settings.must_sign.cases;
        let signed_by = match self.vouched_by(statement, scope::CASE, must, Replay::Harmful) {
            Ok(signed_by) => signed_by,
            Err(refusal) => return self.refuse(topic, payload, &refusal, None),
        };
        let is_signed = signed_by.is_some();
        let received = received(topic, payload, &statement.signed, is_signed);
        // Without an id or a time of its own an equal one may be a second step into the same state.
        if self.state.knows(&received) && (is_signed || has_id(payload)) {
            return Judged::default();
        }
        let case = CaseUpdate { signed_by, ..statement.said.clone() };
        Judged::inbound(StageInput::Case(case), Some(received))
    }

    fn vouched_by<T>(
        &self,
        statement: &Statement<T>,
        what: &str,
        must: bool,
        replay: Replay,
    ) -> std::result::Result<Option<String>, Refusal> {
        statement.vouched_by(what, (&self.who, &self.settings.keys, must), replay, self.clock.now())
    }

    /// Whose word counts from now on.
    pub(in crate::delivery) fn set_trust(&mut self, keys: Vec<CentreKey>, must_sign: MustSign) {
        self.settings.keys = keys;
        self.settings.must_sign = must_sign;
    }

    /// How many uploads wait or are under way.
    pub(in crate::delivery) fn granted(&self) -> usize {
        self.state.grants().count()
    }

    /// How many more may wait.
    pub(in crate::delivery) fn grants_left(&self) -> usize {
        MAX_GRANTS.saturating_sub(self.granted())
    }

    /// A file that the centre wants: it waits until it is there or will not come, and its id is remembered as commands' are.
    fn grant(&mut self, topic: &str, payload: &[u8], grant: &SignedGrant) -> Judged {
        let now = self.clock.now();
        let counters = &self.state.counters;
        let is_forgotten = |issued_ms| counters.has_forgotten(issued_ms);
        let judged = |now: Moment| grant.judged(&self.who, &self.settings.keys, now, is_forgotten);
        let (mut decided, mut by) = match judged(now) {
            Ok(decided) => (decided, now),
            Err(refusal) => return self.refuse_strange(topic, payload, &refusal),
        };
        // As with commands: what was issued since the wall clock jumped counts by the time before the jump too.
        if decided.is_out_of_time() {
            let again = self.reckonings(decided.grant.issued_at_ms);
            let mut again = again.filter_map(|other| Some((judged(other).ok()?, other)));
            (decided, by) = again.find(|(again, _)| !again.is_out_of_time()).unwrap_or((decided, by));
        }
        let JudgedGrant { mut grant, refused } = decided;
        grant.until = grant.left_s(by).map(|s| self.run_clock.now().mono.plus_s(s));
        if self.state.grants().any(|g| g.id == grant.id) || self.answered_before(&grant.id, GRANT_VERB) {
            return Judged::default();
        }
        let full = || (self.grants_left() == 0).then_some(GrantRefusal::TooManyWait);
        if let Some(why) = refused.or_else(full) {
            let answer = evidence_not_sent(&grant, &why.to_string(), now);
            return self.refuse_genuine(topic, payload, &why.into(), answer);
        }
        tracing::info!(id = grant.id, path = grant.path, "the centre wants a file");
        Judged::inbound(StageInput::Grant(grant), None)
    }

    /// Refuses what nobody vouches for, with an answer if it is a command or grant that names an id.
    fn refuse_strange(&mut self, topic: &str, payload: &[u8], refusal: &Refusal) -> Judged {
        let answer = unanswerable::refused(&self.who, topic, payload, refusal, self.clock.now());
        self.refuse(topic, payload, refusal, answer)
    }

    /// The same of what the centre really said. Strangers cannot use up these answers.
    fn refuse_genuine(&mut self, topic: &str, payload: &[u8], refusal: &Refusal, answer: Message) -> Judged {
        self.stats.refused += 1;
        self.count_refusal(refusal.reason());
        if !self.genuine_refusals.admits(self.clock.now().mono, ANSWERS_A_MINUTE) {
            self.stats.unanswered += 1;
            return Judged::default();
        }
        self.refusal_items(topic, payload, refusal, Some(answer))
    }

    /// Counts a refusal; the first of each minute are journalled, and answered if there is a reply.
    pub(super) fn refuse(
        &mut self,
        topic: &str,
        payload: &[u8],
        refusal: &Refusal,
        reply: Option<Message>,
    ) -> Judged {
        self.stats.refused += 1;
        self.count_refusal(refusal.reason());
        let admitted = self.refusals.admits(self.clock.now().mono, REFUSALS_A_MINUTE);
        if is_answered(topic) && (reply.is_none() || !admitted) {
            self.stats.unanswered += 1;
        }
        if admitted { self.refusal_items(topic, payload, refusal, reply) } else { Judged::default() }
    }

    fn refusal_items(
        &self,
        topic: &str,
        payload: &[u8],
        refusal: &Refusal,
        reply: Option<Message>,
    ) -> Judged {
        tracing::warn!(topic = clipped(topic), %refusal, "message of the centre refused");
        let sha256 = Hash::of(payload);
        let body = json!({"topic": clipped(topic), "reason": refusal.to_string(),
            "bytes": payload.len(), "sha256": sha256});
        let note = Item::Note { kind: RecordKind::Refused, body };
        let reply = reply.map(|r| Item::Message(Box::new(r)));
        Judged::only([note].into_iter().chain(reply).collect())
    }

    pub(super) fn count_refusal(&mut self, reason: RefusalReason) {
        *self.stats.refusals.entry(reason).or_default() += 1;
    }
}

/// Commands and grants are; receipts and case states never.
fn is_answered(topic: &str) -> bool {
    topic.ends_with("/grant") || topic.contains("/cmd/")
}

/// By which it is known again: what was signed, where it is, for whoever plays it again can change the rest.
fn received(topic: &str, payload: &[u8], signed: &Signed, is_signed: bool) -> Hash {
    let text = if is_signed { signed.text.as_bytes() } else { payload };
    Hash::of(&[topic.as_bytes(), &[0], text].concat())
}

/// Whether the envelope names the event.
fn has_id(payload: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Named {
        #[serde(default)]
        id: String,
    }
    parse::<Named>(payload).is_some_and(|named| !named.id.is_empty())
}
