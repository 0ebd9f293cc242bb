//! Another client with our name: each takes the session from the other. MQTT 5 brokers say so; others just close.

use crate::tuning::{RIVAL_CLOSES, RIVAL_LASTED_S, RIVAL_S};

#[derive(Debug, Default)]
pub(super) struct Rivals {
    told: u32,
    /// Connections in a row that were closed soon, with nothing on the way.
    closed: u32,
}

impl Rivals {
    /// The broker said it.
    pub(super) fn told(&mut self) {
        self.told = self.told.saturating_add(1);
    }

    /// The peer closed a connection that had lasted `lasted_s`.
    pub(super) fn closed(&mut self, lasted_s: f64, was_idle: bool) {
        if lasted_s < RIVAL_S && was_idle {
            self.closed = self.closed.saturating_add(1);
        } else {
            self.closed = 0;
        }
    }

    /// A connection lives that long. True: a suspicion is over.
    pub(super) fn lasts(&mut self, lasted_s: f64) -> bool {
        let is_over = lasted_s >= RIVAL_LASTED_S && self.is_suspected();
        if lasted_s >= RIVAL_LASTED_S {
            *self = Rivals::default();
        }
        is_over
    }

    pub(super) fn is_suspected(&self) -> bool {
        self.told > 0 || self.closed >= RIVAL_CLOSES
    }

    pub(super) fn in_words(&self) -> Option<String> {
        match (self.told, self.closed) {
            (0, closed) if closed >= RIVAL_CLOSES => Some(
                "the broker closes each connection soon, as if another client took the session: is edge_id used twice?"
                    .to_owned(),
            ),
            (0, _) => None,
            _ => Some("another client took the session: is edge_id used twice?".to_owned()),
        }
    }
}
