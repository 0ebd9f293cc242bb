//! Between requests: PUBACKs into the journal, what has expired out, the journal signed, the index brought up to date, old
//! segments dropped.

use kerbside_domain::time::Moment;
use serde_json::json;

use super::base::Ledger;
use crate::delivery::error::Result;
use crate::delivery::item::Item;
use crate::index::{IndexChange, IndexError, Store, Table};
use crate::journal::{AgeLimit, Durability, Entry, RecordKind};
use crate::outbox::RemovalReason;
use crate::tuning::{INDEX_EVERY_RECORDS, INDEX_EVERY_S};

impl Ledger {
    /// They are durable with what is written next, or at worst the messages are sent again.
    pub(super) fn journal_pubacks(&mut self) -> Result<()> {
        if !self.pubacks.is_empty() {
            let body = json!({"seqs": self.pubacks}).to_string();
            self.journal.append(&[Entry::new(RecordKind::Puback, body)], Durability::Later)?;
            (self.state.n, self.state.hash) = (self.journal.last_n(), self.journal.last_hash());
            self.pubacks.clear();
        }
        Ok(())
    }

    /// Between requests: PUBACKs into the journal, expired rows out, the index brought up to date, old segments dropped.
    pub fn upkeep(&mut self) -> Result<()> {
        let now = self.clock.now();
        self.journal_pubacks()?;
        self.sign_if_long(now)?;
        self.go_on_with_statistics();
        if now.mono.since_s(self.indexed_at) < INDEX_EVERY_S
            && self.state.n.saturating_sub(self.indexed_n) < INDEX_EVERY_RECORDS
        {
            return Ok(());
        }
        self.note_clock()?;
        for row in self.state.outbox.expire(now) {
            self.give_up(row, &RemovalReason::Expired);
        }
        self.order_statistics_if_due(now);
        self.go_on_with_statistics();
        self.journal.sync()?;
        self.sign_if_due(now)?;
        self.drop_segments(now)?;
        // Whatever was appended meanwhile, rows that were given up among it, is on the disk before the index speaks of it.
        self.journal.sync()?;
        self.write_index();
        self.reserve.reserve();
        (self.indexed_n, self.indexed_at) = (self.state.n, self.clock.now().mono);
        Ok(())
    }

    fn drop_segments(&mut self, now: Moment) -> Result<()> {
        let Some(end) = self.journal.oldest_segment_end() else { return Ok(()) };
        // What an account is being made of stays until it is made.
        if self.accounts.running.is_some()
            || self.is_deletion_paused()
            || self.state.lowest_n().is_some_and(|n| n < end)
        {
            return Ok(());
        }
        let limit = AgeLimit { now, s: f64::from(self.settings.keep_days) * 86_400.0 };
        // Open incidents whose record lies in the oldest segment move to the newest before it can go.
        let old: Vec<_> =
            self.state.incidents.values().filter(|(n, _)| *n < end).map(|(_, s)| s.clone()).collect();
        if !old.is_empty() && self.journal.oldest_is_beyond(limit)? {
            self.commit(old.into_iter().map(Item::Incident).collect())?;
        }
        if self.state.incidents.values().all(|(n, _)| *n >= end) && self.journal.oldest_is_beyond(limit)? {
            // Signed first: segments that go without it were not dropped by the box.
            self.sign_beginning(end, now)?;
            self.stats.segments_dropped += self.journal.drop_before(end, limit)? as u64;
            self.state.forget_commands(self.journal.first_n());
        }
        Ok(())
    }

    fn write_index(&mut self) {
        let changes = self.state.take_changes();
        if let Some(store) = &mut self.store
            && let Err(e) = store.apply(&changes).and_then(|()| store.sync())
        {
            self.give_up_index(&e);
        }
    }

    /// The journal carries on; the next start finds an older cursor and goes on from there.
    fn give_up_index(&mut self, e: &IndexError) {
        tracing::error!(error = %e, "index given up until the next start");
        self.store = None;
        self.stats.index_failed = true;
    }

    /// Writes the whole state into an empty index.
    pub(super) fn rewrite_index(&mut self) {
        if let Some(store) = &mut self.store
            && let Err(e) = clear(store.as_mut())
        {
            self.give_up_index(&e);
        }
        self.write_index();
    }

    /// Everything durable and signed, the index too.
    pub fn close(&mut self) -> Result<()> {
        self.upkeep()?;
        self.sign_stop()?;
        self.journal.sync()?;
        self.write_index();
        Ok(())
    }
}

fn clear(store: &mut dyn Store) -> std::result::Result<(), IndexError> {
    let mut changes = Vec::new();
    for table in Table::ALL {
        let pairs = store.scan(table)?;
        changes.extend(pairs.into_iter().map(|(key, _)| IndexChange { table, key, value: None }));
    }
    store.apply(&changes)
}
