//! Drift: a pixel's steps in one direction, frame by frame. The shade of a cloud or of a tree comes so, and water; nothing
//! that is put down does.

use kerbside_domain::time::Mono;

use crate::gate::tuning::drift::{MAX_STEP, MIN_S, MIN_STEPS, NOISE};

/// The latest steps of one pixel that all went in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drift {
    since: Mono,
    /// The level before the first of them.
    from: f32,
    /// The longest step, grey levels.
    longest: f32,
    /// How many steps, with the sign of their direction.
    steps: i8,
}

impl Drift {
    /// One frame further: `step` away from the level `before`.
    pub(super) fn push(&mut self, before: f32, step: f32, at: Mono) {
        let sign = if step > 0.0 { 1 } else { -1 };
        if step * f32::from(self.steps) > 0.0 {
            self.steps = self.steps.saturating_add(sign);
            self.longest = self.longest.max(step.abs());
        } else if step.abs() > NOISE {
            *self = Drift { since: at, from: before, longest: step.abs(), steps: sign };
        }
    }

    /// Where the pixel began to drift, if it came to the level `now` without a single large step.
    pub(super) fn origin(&self, now: f32, at: Mono) -> Option<f32> {
        let drifted = self.steps.unsigned_abs() >= MIN_STEPS
            && at.since_s(self.since) >= MIN_S
            && self.longest < MAX_STEP * (now - self.from).abs();
        drifted.then_some(self.from)
    }

    /// The illumination of everything that is remembered changes.
    pub(super) fn relight(&mut self, relit: impl Fn(f32) -> f32) {
        self.from = relit(self.from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift_through(levels: &[f32]) -> Option<f32> {
        let mut drift = Drift::default();
        let mut at = Mono::ZERO;
        for pair in levels.windows(2) {
            at = at.plus_s(0.5);
            drift.push(pair[0], pair[1] - pair[0], at);
        }
        drift.origin(*levels.last().expect("levels"), at)
    }

    #[test]
    fn small_steps_in_one_direction_drift_and_one_large_step_does_not() {
        assert_eq!(drift_through(&[100.0, 94.0, 88.0, 82.0, 76.0, 70.0]), Some(100.0));
        assert_eq!(drift_through(&[100.0, 99.0, 98.0, 97.0, 60.0, 59.0]), None);
        assert_eq!(drift_through(&[100.0, 94.0, 88.0]), None, "too few");
    }
}
