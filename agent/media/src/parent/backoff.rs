//! How long to wait before a child is replaced: doubling from 1 s to 12 s, with jitter. Pure.

use crate::tuning::{BACKOFF_FIRST_S, BACKOFF_LONGEST_S};

/// Jittered exponential backoff; the same seed gives the same waits.
#[derive(Debug)]
pub(super) struct Backoff {
    next_s: f64,
    random: fastrand::Rng,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Backoff { next_s: BACKOFF_FIRST_S, random: fastrand::Rng::with_seed(seed) }
    }

    /// The wait before the next attempt, s: between half the step and the whole step, never below [`BACKOFF_FIRST_S`].
    /// All cameras of a box come back at the same time after a power cut; the jitter keeps them apart.
    pub(super) fn wait_s(&mut self) -> f64 {
        let step = self.next_s;
        self.next_s = (step * 2.0).min(BACKOFF_LONGEST_S);
        (step * (0.5 + 0.5 * self.random.f64())).max(BACKOFF_FIRST_S)
    }

    /// The last attempt did well.
    pub(super) fn reset(&mut self) {
        self.next_s = BACKOFF_FIRST_S;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_anew() {
        let mut backoff = Backoff::new(7);
        for step in [1.0, 2.0, 4.0, 8.0, 12.0, 12.0] {
            let wait = backoff.wait_s();
            assert!((step / 2.0..=step).contains(&wait) && wait >= BACKOFF_FIRST_S, "{step}: {wait}");
        }
        backoff.reset();
        assert_eq!(backoff.wait_s(), 1.0);
    }

    #[test]
    fn two_cameras_do_not_come_back_together() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..5).map(|_| backoff.wait_s()).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }
}
