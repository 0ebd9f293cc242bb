//! Commands whose ids are forgotten: none of them is obeyed a second time, wherever the wall clock of the box stands.
//!
//! What is remembered of them is when they were issued, by the centre's own clock, as spans: a command that was issued within one
//! may be one of them. A span that lies ahead, because the centre's clock or the box's once did, leaves the time before it free.

use serde::{Deserialize, Serialize};

use crate::tuning::{FORGOTTEN_REACH_MS, FORGOTTEN_SPANS};

/// Spans from the first to the last of some forgotten commands, ms; in order, and apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Forgotten {
    spans: Vec<(i64, i64)>,
}

impl Forgotten {
    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// A command that was issued then is forgotten.
    pub(super) fn add(&mut self, issued_ms: i64) {
        self.add_span((issued_ms, issued_ms));
    }

    /// Takes over what another knows.
    pub(super) fn join(&mut self, other: &Forgotten) {
        other.spans.iter().for_each(|span| self.add_span(*span));
    }

    /// Whether a command that was issued then may be one that is forgotten.
    pub(super) fn covers(&self, issued_ms: i64) -> bool {
        self.spans.iter().any(|(from, to)| (*from..=*to).contains(&issued_ms))
    }

    fn add_span(&mut self, (from, to): (i64, i64)) {
        let mut joined = (from, to);
        let (reach_from, reach_to) =
            (from.saturating_sub(FORGOTTEN_REACH_MS), to.saturating_add(FORGOTTEN_REACH_MS));
        self.spans.retain(|span| {
            let is_near = span.1 >= reach_from && span.0 <= reach_to;
            if is_near {
                joined = (joined.0.min(span.0), joined.1.max(span.1));
            }
            !is_near
        });
        self.spans.push(joined);
        self.spans.sort_unstable();
        // The oldest lie in the past, where no command is issued any more: to join them costs nothing.
        while let [first, second, ..] = *self.spans
            && self.spans.len() > FORGOTTEN_SPANS
        {
            self.spans.drain(..2);
            self.spans.insert(0, (first.0, second.1));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn what_lies_ahead_leaves_the_time_before_it_free() {
        let mut forgotten = Forgotten::default();
        (0..100).for_each(|minute| forgotten.add(minute * 60_000));
        (0..20).for_each(|minute| forgotten.add(192 * HOUR_MS + minute * 60_000));
        assert_eq!(forgotten.spans.len(), 2);
        assert!(forgotten.covers(30_000) && forgotten.covers(192 * HOUR_MS + 1));
        assert!([2 * HOUR_MS, 191 * HOUR_MS, 193 * HOUR_MS].iter().all(|ms| !forgotten.covers(*ms)));
        // Many commands over many years stay a few numbers, and the newest of them apart from what lies ahead.
        (0..1000).for_each(|day| forgotten.add(1_000_000 * HOUR_MS + day * 24 * HOUR_MS));
        assert_eq!(forgotten.spans.len(), FORGOTTEN_SPANS);
        assert!(!forgotten.covers(1_000_000 * HOUR_MS + 24_000 * HOUR_MS + 1));
    }

    proptest! {
        #[test]
        fn what_was_forgotten_once_stays_covered(all in proptest::collection::vec(-20_000_000i64..20_000_000, 1..200)) {
            let (mut forgotten, mut second) = (Forgotten::default(), Forgotten::default());
            all.iter().for_each(|ms| forgotten.add(*ms));
            all.iter().rev().for_each(|ms| second.add(*ms + 3));
            let before = forgotten.clone();
            forgotten.join(&second);
            for ms in &all {
                prop_assert!(before.covers(*ms) && forgotten.covers(*ms) && forgotten.covers(*ms + 3));
            }
            prop_assert!(forgotten.spans.len() <= FORGOTTEN_SPANS);
        }
    }
}
