//! The wall clock, as the ledger acts on it: what it did is journalled and said, and after a jump nothing is deleted for its age.

use kerbside_domain::time::Moment;
use serde_json::json;

use super::base::Ledger;
use crate::delivery::clock_story::ClockStep;
use crate::delivery::error::Result;
use crate::delivery::item::Item;
use crate::journal::RecordKind;

impl Ledger {
    /// Nothing is deleted for its age: the wall clock jumped less than a day ago.
    pub(super) fn is_deletion_paused(&self) -> bool {
        let now = self.clock.now();
        self.state.counters.clock.is_some_and(|clock| clock.is_paused(now))
    }

    /// What time it may be, for something that was issued then: by the wall clock, then by the time before each jump.
    pub(super) fn reckonings(&self, issued_ms: i64) -> impl Iterator<Item = Moment> {
        let now = self.clock.now();
        let others = self.state.counters.clock.map(|clock| clock.others(now)).unwrap_or_default();
        [now].into_iter().chain(others.into_iter().filter_map(move |other| other.for_issued(issued_ms)))
    }

    /// Journals and says what the wall clock did since the last call.
    pub(super) fn note_clock(&mut self) -> Result<()> {
        let Some(step) = self.state.take_clock_step() else { return Ok(()) };
        let body = match step {
            ClockStep::Jumped { by_ms } => {
                let by_s = by_ms as f64 / 1000.0;
                let paused = self.is_deletion_paused();
                tracing::warn!(
                    by_s,
                    deletion_paused = paused,
                    "the wall clock jumped, or the box was off for long: nothing is deleted for its age for a day"
                );
                self.stats.clock_jumps += 1;
                self.stats.clock_jumped_by_s = Some(by_s);
                json!({"jumped_by_s": by_s, "deletion_paused": paused})
            }
            ClockStep::Corrected { by_ms } => {
                let by_s = by_ms as f64 / 1000.0;
                tracing::warn!(by_s, "the wall clock was wrong until now, and nobody had vouched for it");
                json!({"corrected_by_s": by_s})
            }
        };
        self.commit(vec![Item::Note { kind: RecordKind::Clock, body }]).map(drop)
    }
}
