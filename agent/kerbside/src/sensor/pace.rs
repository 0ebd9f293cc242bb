//! Pace: waits between attempts that fail, doubled up to a limit and scattered, and waits in steps in which the pulse beats.

use std::time::Duration;

use super::intake::Intake;

/// Shortest and longest wait before the next attempt, s.
const BACKOFF_S: std::ops::RangeInclusive<f64> = 1.0..=60.0;

/// How long to wait before the next attempt.
#[derive(Debug)]
pub(super) struct Backoff {
    wait_s: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { wait_s: *BACKOFF_S.start() }
    }
}

impl Backoff {
    /// Something worked: the next failure waits shortly again.
    pub(super) fn reset(&mut self) {
        *self = Backoff::default();
    }

    /// The wait after this failure, s; the next one waits twice as long.
    pub(super) fn next_s(&mut self) -> f64 {
        let wait_s = self.wait_s;
        self.wait_s = (self.wait_s * 2.0).min(*BACKOFF_S.end());
        wait_s
    }
}

/// Waits about this long, a quarter more or less, so that boxes do not come back at once; less when nobody receives readings.
pub(super) async fn scattered(intake: &Intake, s: f64) {
    wait(intake, s * (0.75 + 0.5 * fastrand::f64())).await;
}

/// Waits this long; less when nobody receives readings.
pub(super) async fn wait(intake: &Intake, s: f64) {
    let mut left = Duration::try_from_secs_f64(s).unwrap_or_default();
    while !left.is_zero() && !intake.is_closed() {
        intake.beat();
        let step = left.min(Duration::from_secs(1));
        tokio::time::sleep(step).await;
        left -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_begin_anew() {
        let mut backoff = Backoff::default();
        let waits: Vec<f64> = (0..8).map(|_| backoff.next_s()).collect();
        assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        backoff.reset();
        assert_eq!(backoff.next_s(), 1.0);
    }
}
