//! What a ledger is made of.

use std::collections::HashMap;
use std::sync::Arc;

use kerbside_crypto::sign::SigningKey;
use kerbside_domain::time::{Clock, Moment, Mono};
use kerbside_wire::limits::GRANT_LIFE_MS;
use kerbside_wire::{Grant, Identity};

use super::accounts::Accounts;
use super::checkpoint_times::CheckpointTimes;
use crate::delivery::records::{SavedIncident, StageInput, StoredInput};
use crate::delivery::reserve_file::ReserveFile;
use crate::delivery::settings::DeliverySettings;
use crate::delivery::state::LedgerState;
use crate::delivery::stats::{DeliveryStats, Unfinished};
use crate::index::Store;
use crate::journal::Journal;

/// How many messages were refused in this minute.
#[derive(Debug)]
pub(super) struct RefusalMinute {
    pub(super) since: Mono,
    pub(super) refused: u64,
}

impl RefusalMinute {
    pub(super) fn new(since: Mono) -> Self {
        RefusalMinute { since, refused: 0 }
    }

    /// Counts one more; whether it is among the first `limit` of its minute.
    pub(super) fn admits(&mut self, now: Mono, limit: u64) -> bool {
        if now.since_s(self.since) > 60.0 {
            *self = RefusalMinute::new(now);
        }
        self.refused += 1;
        self.refused <= limit
    }
}

#[derive(Debug)]
pub struct Ledger {
    pub(super) journal: Journal,
    /// `None` after it failed: the journal carries on alone until the next start makes the index anew.
    pub(super) store: Option<Box<dyn Store>>,
    pub(super) state: LedgerState,
    pub(super) who: Identity,
    pub(super) settings: DeliverySettings,
    /// Counts on over restarts: all moments of the journal and the outbox.
    pub(super) clock: Arc<dyn Clock>,
    /// The clock of this run, as the stages have it.
    pub(super) run_clock: Arc<dyn Clock>,
    pub(super) stats: DeliveryStats,
    /// Messages that the broker has, not yet journalled.
    pub(super) pubacks: Vec<u64>,
    /// By sequence number: how often the record could not be read.
    pub(super) unreadable: HashMap<u64, u32>,
    /// The whole journal could not be read: looked at again then.
    pub(super) journal_away_until: Option<Mono>,
    /// Up to which record the index was written, and when.
    pub(super) indexed_n: u64,
    pub(super) indexed_at: Mono,
    /// What nobody vouches for.
    pub(super) refusals: RefusalMinute,
    /// The centre's own word that is not followed: strangers cannot use up its answers.
    pub(super) genuine_refusals: RefusalMinute,
    /// Signs checkpoints and manifests of evidence.
    pub(super) key: Option<Arc<SigningKey>>,
    pub(super) checkpoints: CheckpointTimes,
    pub(super) accounts: Accounts,
    pub(super) reserve: ReserveFile,
    /// Locked while this ledger lives: one process a folder.
    pub(super) _lock: Option<std::fs::File>,
}

impl Ledger {
    pub fn identity(&self) -> &Identity {
        &self.who
    }

    /// The box's own key; `None`: its file cannot be used.
    pub fn key(&self) -> Option<Arc<SigningKey>> {
        self.key.clone()
    }

    /// On the clock that counts on over restarts.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// A number that is higher than in every start of the program before; sessions are counted from it.
    pub fn session_base(&self) -> u64 {
        self.state.counters.opens * 1_000_000
    }

    /// Number of the newest record.
    pub(in crate::delivery) fn last_n(&self) -> u64 {
        self.journal.last_n()
    }

    /// Of the newest that is on the disk.
    pub(in crate::delivery) fn synced_n(&self) -> u64 {
        self.journal.synced_n()
    }

    pub fn last_seq(&self) -> u64 {
        self.state.counters.seq
    }

    pub fn incidents(&self) -> Vec<SavedIncident> {
        self.state.incidents.values().map(|(_, saved)| saved.clone()).collect()
    }

    /// What came down and the core has not consumed, oldest first.
    pub fn inputs(&self) -> Vec<StoredInput> {
        let timed = |input: &StageInput| match input {
            StageInput::Grant(grant) => StageInput::Grant(self.timed(grant.clone())),
            other => other.clone(),
        };
        self.state.inputs.iter().map(|(n, input)| StoredInput { n: *n, input: timed(input) }).collect()
    }

    /// A grant that waited over a restart goes on for as long as any reckoning of the time allows.
    fn timed(&self, grant: Grant) -> Grant {
        let now = self.clock.now();
        let reckoned = self.state.counters.clock.map(|clock| clock.reckonings(now)).unwrap_or_default();
        let left_s = reckoned.into_iter().chain([now]).filter_map(|by| grant.left_s(by)).reduce(f64::max);
        let left_s = left_s.map(|s| s.min(GRANT_LIFE_MS as f64 / 1000.0));
        Grant { until: left_s.map(|s| self.run_clock.now().mono.plus_s(s)), ..grant }
    }

    pub fn unfinished(&self) -> Unfinished {
        let incident = |id: &str| id.split('.').next().unwrap_or(id).to_owned();
        Unfinished {
            unacknowledged: self.state.outbox.reports().map(incident).collect(),
            granted: self.state.grants().map(|g| g.set_and_file().0.to_owned()).collect(),
            now: self.clock.now(),
            deletion_paused: self.is_deletion_paused(),
        }
    }

    pub fn stats(&self) -> DeliveryStats {
        DeliveryStats {
            outbox: self.state.outbox.stats(),
            in_flight: self.state.outbox.in_flight(),
            last_seq: self.last_seq(),
            last_n: self.journal.last_n(),
            last_hash: self.journal.last_hash(),
            journal_bytes: self.journal.bytes(),
            incidents: self.state.incidents.len(),
            deletion_paused: self.is_deletion_paused(),
            ..self.stats.clone()
        }
    }

    #[cfg(test)]
    pub(in crate::delivery) fn first_n(&self) -> u64 {
        self.journal.first_n()
    }

    #[cfg(test)]
    pub(in crate::delivery) fn each_record(&self, mut each: impl FnMut(&crate::journal::Record)) {
        self.journal.replay(1, &mut |record, _| each(&record)).unwrap();
    }
}
