//! `device.statistics`: made of the newest records of the journal, so it survives whatever the journal survives. After each
//! midnight of the site's own time, after a start, and on command.

use kerbside_domain::time::Moment;
use kerbside_wire::Message;
use kerbside_wire::statistics::{Statistics, statistics};
use serde_json::{Value, json};

use super::base::Ledger;
use crate::delivery::error::Result;
use crate::delivery::item::Item;
use crate::delivery::records::{StageInput, parse};
use crate::journal::RecordKind;
use crate::tuning::STATISTICS_SEARCH;

const DAY_MS: i64 = 86_400_000;
/// A centre that was away for longer asks again, s.
const ANSWER_EXPIRY_S: u32 = 86_400;
/// An account that nobody took for a month is of no use, and must not hold the journal's old segments any longer, s.
const DAILY_EXPIRY_S: u32 = 30 * 86_400;

impl Ledger {
    /// The days since 1970 in the site's own time.
    fn day_of(&self, wall_ms: i64) -> i64 {
        (wall_ms + i64::from(self.who.utc_offset_s) * 1000).div_euclid(DAY_MS)
    }

    fn begin_of(&self, day: i64) -> i64 {
        day * DAY_MS - i64::from(self.who.utc_offset_s) * 1000
    }

    /// Yesterday, once a day and once after a start, also where it fails: reading is dear, and the next day tells it anew. A box that
    /// does not know the day waits until it does.
    pub(super) fn tell_statistics_if_due(&mut self, now: Moment) -> Result<()> {
        let today = self.day_of(now.wall_ms);
        if !now.is_vouched() || self.statistics_day == Some(today) {
            return Ok(());
        }
        self.statistics_day = Some(today);
        let (from_ms, to_ms) = (self.begin_of(today - 1), self.begin_of(today));
        let mut message = self.account(from_ms, to_ms, now)?;
        // A box without its centre keeps one of them, not one for each day.
        message.conflation_key = Some("statistics".to_owned());
        message.expiry_s = Some(DAILY_EXPIRY_S);
        self.commit(vec![Item::Message(Box::new(message))])?;
        Ok(())
    }

    /// On command; the detail of the reply.
    pub(super) fn tell_statistics(&mut self, from_ms: Option<i64>, to_ms: Option<i64>) -> Result<Value> {
        let now = self.clock.now();
        let to_ms = to_ms.unwrap_or(now.wall_ms);
        let from_ms = from_ms.unwrap_or_else(|| self.begin_of(self.day_of(to_ms.saturating_sub(1))));
        let mut message = self.account(from_ms, to_ms, now)?;
        message.expiry_s = Some(ANSWER_EXPIRY_S);
        let committed = self.commit(vec![Item::Message(Box::new(message))])?;
        Ok(json!({"sequence": committed.first().and_then(|c| c.seq)}))
    }

    /// The account of a span.
    fn account(&self, from_ms: i64, to_ms: i64, now: Moment) -> Result<Message> {
        let mut account = Statistics::new(from_ms, to_ms);
        let first = self.journal.last_n().saturating_sub(STATISTICS_SEARCH).max(1);
        let mut begins_ms = None;
        self.journal.replay(first, &mut |record, _| {
            begins_ms.get_or_insert(record.at.wall_ms);
            match record.kind {
                RecordKind::Message => {
                    if let Some((_, envelope)) = record.message() {
                        account.message(envelope);
                    }
                }
                RecordKind::Receipt | RecordKind::Case => match parse(&record.body) {
                    Some(StageInput::Receipt(receipt)) => account.receipt(&receipt),
                    Some(StageInput::Case(update)) => account.case(&update),
                    _ => {}
                },
                _ => {}
            }
        })?;
        // From its very first record on the journal holds everything there ever was, unless the oldest have been dropped.
        let holds_all = first == 1 && self.journal.first_n() <= 1;
        let complete = holds_all || begins_ms.is_some_and(|ms| ms <= from_ms);
        Ok(statistics(&self.who, &account, complete, now))
    }
}
