//! `device.statistics`: made of the records of the journal, so it survives whatever the journal survives. After each midnight of the
//! site's own time, after a start, and on command.
//!
//! The store thread has the records read on a thread of its own, one account at a time: reports, receipts and PUBACKs never wait for
//! it. Whoever drives a ledger alone waits.

use kerbside_domain::panics;
use kerbside_domain::time::Moment;
use kerbside_wire::statistics::statistics;
use kerbside_wire::{ReplyResult, message_body, reply};
use serde_json::{Value, json};

use super::accounts::{Counting, Made, Order, counted};
use super::base::Ledger;
use super::commit::fits;
use crate::delivery::item::Item;
use crate::tuning::{ACCOUNTS_WAITING, UNWRITTEN_RETRY_S};

const DAY_MS: i64 = 86_400_000;
/// A centre that was away for longer asks again, s.
const ANSWER_EXPIRY_S: u32 = 86_400;
/// An account that nobody took for a month is of no use, and must not hold the journal's old segments any longer, s.
const DAILY_EXPIRY_S: u32 = 30 * 86_400;
const VERB: &str = "statistics";

impl Ledger {
    /// The days since 1970 in the site's own time.
    fn day_of(&self, wall_ms: i64) -> i64 {
        (wall_ms + i64::from(self.who.utc_offset_s) * 1000).div_euclid(DAY_MS)
    }

    fn begin_of(&self, day: i64) -> i64 {
        day * DAY_MS - i64::from(self.who.utc_offset_s) * 1000
    }

    /// Yesterday, once a day and once after a start, also where it fails: the next day tells it anew. A box that does not know the day
    /// waits until it does.
    pub(super) fn order_statistics_if_due(&mut self, now: Moment) {
        let today = self.day_of(now.wall_ms);
        if now.is_vouched() && self.accounts.told_day != Some(today) {
            self.accounts.told_day = Some(today);
            let (from_ms, to_ms) = (self.begin_of(today - 1), self.begin_of(today));
            // One that still waits since yesterday is told no more: a box whose disk refuses for weeks keeps one.
            self.accounts.waiting.retain(|order| order.command.is_some());
            self.accounts.waiting.push_back(Order { from_ms, to_ms, command: None });
        }
    }

    pub(super) fn has_room_for_statistics(&self) -> bool {
        self.accounts.waiting.len() < ACCOUNTS_WAITING
    }

    /// What a command wants; by default the day before its end, which is now.
    pub(super) fn statistics_for(&self, command: &str, from_ms: Option<i64>, to_ms: Option<i64>) -> Order {
        let to_ms = to_ms.unwrap_or(self.clock.now().wall_ms);
        let from_ms = from_ms.unwrap_or_else(|| self.begin_of(self.day_of(to_ms.saturating_sub(1))));
        Order { from_ms, to_ms, command: Some(command.to_owned()) }
    }

    /// The command that wants it is durable. It is answered when they are made.
    pub(in crate::delivery) fn order_statistics(&mut self, order: Option<Order>) {
        self.accounts.waiting.extend(order);
    }

    /// From now on nobody waits for an account: [`Ledger::upkeep`] says it once it is made.
    pub(in crate::delivery) fn count_beside(&mut self) {
        self.accounts.is_beside = true;
    }

    /// Between requests: says what is counted, and has the next account counted.
    pub(super) fn go_on_with_statistics(&mut self) {
        let now = self.clock.now();
        if let Some((order, made, _)) = self.accounts.unwritten.take_if(|(_, _, due)| now.mono >= *due) {
            self.tell(order, made);
        }
        if let Some((order, counting)) = self.accounts.running.take_if(|(_, counting)| counting.is_finished())
        {
            self.counted(order, counting);
        }
        if self.accounts.running.is_none()
            && self.accounts.unwritten.is_none()
            && let Some(order) = self.accounts.waiting.pop_front()
        {
            self.begin_to_count(order, now);
        }
        if !self.accounts.is_beside
            && let Some((order, counting)) = self.accounts.running.take()
        {
            self.counted(order, counting);
        }
    }

    fn begin_to_count(&mut self, order: Order, now: Moment) {
        let view = self.journal.view();
        // On the journal's clock, which stands still while the box is off: rather too early than too late.
        let since = now.mono.minus_s(now.wall_ms.saturating_sub(order.from_ms).max(0) as f64 / 1000.0);
        let (from_ms, to_ms) = (order.from_ms, order.to_ms);
        let count = move || panics::contained(|| counted(&view, since, from_ms, to_ms));
        match std::thread::Builder::new().name("statistics".into()).spawn(count) {
            Ok(counting) => self.accounts.running = Some((order, counting)),
            Err(error) => self.tell(order, Err(error.to_string())),
        }
    }

    fn counted(&mut self, order: Order, counting: Counting) {
        let made = match counting.join().and_then(|counted| counted) {
            Ok(Ok((account, complete))) => Ok(statistics(&self.who, &account, complete, self.clock.now())),
            Ok(Err(why)) => Err(why),
            Err(_) => Err("a fault of the program".to_owned()),
        };
        if let Err(why) = &made {
            tracing::warn!(why, command = order.command, "no statistics are told");
        }
        self.tell(order, made);
    }

    /// What is told at this moment: the reply names the number that the account will have.
    fn told(&self, order: &Order, made: &Made) -> Vec<Item> {
        let now = self.clock.now();
        let answer =
            |id, result, why, detail| Item::Message(Box::new(reply(id, VERB, result, why, detail, now)));
        match (&order.command, made.clone()) {
            (None, Ok(mut account)) => {
                // A box without its centre keeps one of them, not one for each day.
                account.conflation_key = Some(VERB.to_owned());
                account.expiry_s = Some(DAILY_EXPIRY_S);
                vec![Item::Message(Box::new(account))]
            }
            (None, Err(_)) => Vec::new(),
            (Some(id), Ok(mut account)) => {
                account.expiry_s = Some(ANSWER_EXPIRY_S);
                // They are committed together. What no record can hold has no number.
                let seq = self.last_seq() + 1;
                let sequence = fits(&message_body(&account, &self.who, seq, now)).then_some(seq);
                let reply = answer(id, ReplyResult::Done, None, json!({"sequence": sequence}));
                vec![Item::Message(Box::new(account)), reply]
            }
            (Some(id), Err(why)) => vec![answer(id, ReplyResult::Failed, Some(why.as_str()), Value::Null)],
        }
    }

    fn tell(&mut self, order: Order, made: Made) {
        if let Err(error) = self.commit(self.told(&order, &made)) {
            tracing::warn!(%error, "statistics are told when the disk takes them");
            let due = self.clock.now().mono.plus_s(UNWRITTEN_RETRY_S);
            self.accounts.unwritten = Some((order, made, due));
        }
    }

    /// Waits until nothing is being counted.
    #[cfg(test)]
    pub(in crate::delivery) fn finish_statistics(&mut self) {
        self.finish_statistics_with(|| {});
    }

    /// The same; `before` is called before each account is told.
    #[cfg(test)]
    pub(in crate::delivery) fn finish_statistics_with(&mut self, before: impl Fn()) {
        while !self.accounts.waiting.is_empty() || self.accounts.running.is_some() {
            assert!(self.accounts.unwritten.is_none(), "the disk refuses: nothing more is counted");
            if self.accounts.running.is_none() {
                self.go_on_with_statistics();
            }
            if let Some((order, counting)) = self.accounts.running.take() {
                before();
                self.counted(order, counting);
            }
        }
    }
}
