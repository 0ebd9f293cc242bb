//! When the next checkpoint is due, by the time that has passed. Pure.

use kerbside_domain::time::Mono;

use crate::tuning::{CHECKPOINT_AFTER_EVIDENCE_S, CHECKPOINT_EVERY_S};

/// What decides when the next checkpoint is due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CheckpointTimes {
    /// `None`: none since the start, so that a box whose power fails each hour signs all the same.
    last: Option<Mono>,
    /// Since when evidence has been named that none covers.
    evidence_since: Option<Mono>,
}

impl CheckpointTimes {
    /// A checkpoint was written.
    pub(super) fn signed(now: Mono) -> CheckpointTimes {
        CheckpointTimes { last: Some(now), evidence_since: None }
    }

    /// Evidence was named.
    pub(super) fn evidence(&mut self, now: Mono) {
        self.evidence_since.get_or_insert(now);
    }

    pub(super) fn is_due(&self, uncovered: u64, now: Mono) -> bool {
        let since = |at: Option<Mono>, s: f64| at.is_some_and(|at| now.since_s(at) >= s);
        uncovered > 0 && (self.last.is_none() || since(self.last, CHECKPOINT_EVERY_S))
            || since(self.evidence_since, CHECKPOINT_AFTER_EVIDENCE_S)
    }
}
