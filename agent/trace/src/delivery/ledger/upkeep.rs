//! Between requests: PUBACKs into the journal, what has expired out, the index brought up to date, old segments dropped.

use serde_json::json;

use super::{Item, Ledger, Result};
use crate::journal::{Durability, Entry};
use crate::store::StoreError;
use kerbside_domain::time::Moment;

/// The index is written after that many records, or that long, whichever comes first.
const INDEX_EVERY_RECORDS: u64 = 500;
const INDEX_EVERY_S: f64 = 5.0;
/// The journal is signed after that many records, or that long if there is anything new.
const CHECKPOINT_EVERY_RECORDS: u64 = 1000;
const CHECKPOINT_EVERY_S: f64 = 6.0 * 3600.0;

impl Ledger {
    /// Between requests: PUBACKs into the journal, expired rows out, the index brought up to date, old segments dropped.
    pub fn housekeeping(&mut self) -> Result<()> {
        let now = self.clock.now();
        if !self.pubacks.is_empty() {
            let body = json!({"seqs": self.pubacks}).to_string();
            self.journal.append(&[Entry::new("puback", body)], Durability::Later)?;
            (self.state.n, self.state.hash) = (self.journal.last_n(), self.journal.last_hash());
            self.pubacks.clear();
        }
        if now.mono.since_s(self.indexed.1) < INDEX_EVERY_S
            && self.state.n.saturating_sub(self.indexed.0) < INDEX_EVERY_RECORDS
        {
            return Ok(());
        }
        for row in self.state.outbox.expire(now.wall_ms) {
            self.bury_removed(row, "expired");
        }
        self.journal.sync()?;
        self.checkpoint(now)?;
        self.drop_segments(now)?;
        self.write_index();
        self.ballast.take();
        self.indexed = (self.state.n, self.clock.now().mono);
        Ok(())
    }

    /// Signs where the journal stands, when enough was written since the last time or enough time has passed.
    fn checkpoint(&mut self, now: Moment) -> Result<()> {
        let (n, hash) = (self.journal.last_n(), self.journal.last_hash());
        let fresh = n.saturating_sub(self.state.carry.covered_n);
        let late = now.mono.since_s(self.checkpointed) >= CHECKPOINT_EVERY_S;
        let due = fresh >= CHECKPOINT_EVERY_RECORDS || fresh > 0 && late;
        let Some(key) = self.key.as_ref().filter(|_| due) else { return Ok(()) };
        let draft = kerbside_wire::checkpoint::checkpoint(&self.who, key, n, hash, now);
        self.commit(vec![Item::Message(Box::new(draft))])?;
        self.checkpointed = now.mono;
        Ok(())
    }

    fn drop_segments(&mut self, now: Moment) -> Result<()> {
        let Some(end) = self.journal.oldest_segment_end() else { return Ok(()) };
        if now.quality == kerbside_domain::time::ClockQuality::None {
            return Ok(());
        }
        let older_than_ms = now.wall_ms - i64::from(self.settings.keep_days) * 86_400_000;
        if self.state.lowest_n(now.wall_ms).is_some_and(|n| n < end) {
            return Ok(());
        }
        // Open incidents whose record lies in the oldest segment move to the newest before it can go.
        let old: Vec<_> =
            self.state.incidents.values().filter(|(n, _)| *n < end).map(|(_, s)| s.clone()).collect();
        if !old.is_empty() && self.journal.oldest_is_before(older_than_ms)? {
            self.commit(old.into_iter().map(Item::Incident).collect())?;
        }
        if self.state.incidents.values().all(|(n, _)| *n >= end) {
            self.stats.segments_dropped += self.journal.drop_before(end, older_than_ms)? as u64;
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
    fn give_up_index(&mut self, e: &StoreError) {
        tracing::error!(error = %e, "index given up until the next start");
        self.store = None;
        self.stats.index_failed = true;
    }

    /// Writes the whole state into a fresh index.
    pub(super) fn rewrite_index(&mut self) {
        if let Some(store) = &mut self.store
            && let Err(e) = super::opening::clear(store.as_mut())
        {
            self.give_up_index(&e);
        }
        self.write_index();
    }

    /// Everything durable, the index too.
    pub fn close(&mut self) -> Result<()> {
        self.housekeeping()?;
        self.journal.sync()?;
        self.write_index();
        Ok(())
    }
}
