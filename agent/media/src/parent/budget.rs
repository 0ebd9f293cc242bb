//! How much a child may say of itself between packets. Pure.

use kerbside_domain::time::Mono;

use crate::tuning::{TALK_BURST, TALK_PER_S};

/// A bucket that fills with time and loses one with each message.
#[derive(Debug)]
pub(super) struct TalkBudget {
    left: f64,
    filled: Mono,
}

impl TalkBudget {
    pub(super) fn new(now: Mono) -> Self {
        TalkBudget { left: TALK_BURST, filled: now }
    }

    /// Takes one message; false if the child has said too much.
    pub(super) fn take(&mut self, now: Mono) -> bool {
        self.left = (self.left + now.since_s(self.filled) * TALK_PER_S).min(TALK_BURST);
        self.filled = now;
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_a_flood_is_not() {
        let mut budget = TalkBudget::new(Mono::ZERO);
        let taken = (0..1000).filter(|_| budget.take(Mono::ZERO)).count();
        assert_eq!(taken as f64, TALK_BURST);
        assert!(budget.take(Mono::from_s(1.0)), "what a camera says each second goes on");
        let slow = (0..100_000).all(|i| budget.take(Mono::from_s(2.0 + f64::from(i) / TALK_PER_S)));
        assert!(slow);
    }
}
