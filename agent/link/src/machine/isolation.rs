//! Messages on which the broker closes connections: sent alone, then given up with a reason.

use std::collections::BTreeMap;

use crate::tuning::{DEAD_LETTER_AFTER, ISOLATE_AFTER};

/// How many connections broke while a message was on the way.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    broken: BTreeMap<u64, u32>,
}

impl Isolation {
    /// Messages go one by one, so that it shows which it is.
    pub(super) fn is_needed(&self) -> bool {
        self.broken.values().any(|connections| *connections >= ISOLATE_AFTER)
    }

    /// The message got its answer.
    pub(super) fn settled(&mut self, seq: u64) {
        self.broken.remove(&seq);
    }

    /// The peer broke a connection with these messages on the way. The message that is given up now, and on how many
    /// connections.
    pub(super) fn connection_broken(&mut self, in_flight: &[u64]) -> Option<(u64, u32)> {
        for seq in in_flight {
            let connections = self.broken.entry(*seq).or_default();
            *connections += 1;
            if *connections >= DEAD_LETTER_AFTER && in_flight.len() == 1 {
                let given_up = (*seq, *connections);
                self.broken.remove(seq);
                return Some(given_up);
            }
        }
        None
    }
}
