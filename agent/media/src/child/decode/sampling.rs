//! Which decoded pictures become frames. Pure.

use crate::tuning::EARLY_S;

/// Which pictures become frames: those nearest to a fixed beat of stream time.
pub(super) struct Sampling {
    period_s: f64,
    due_s: Option<f64>,
    last_s: f64,
}

impl Sampling {
    pub(super) fn new(analysis_fps: f64) -> Self {
        Sampling { period_s: 1.0 / analysis_fps.clamp(0.05, 60.0), due_s: None, last_s: f64::NEG_INFINITY }
    }

    pub(super) fn restart(&mut self) {
        self.due_s = None;
        self.last_s = f64::NEG_INFINITY;
    }

    /// A picture at `at_s` would be taken.
    pub(super) fn is_due(&self, at_s: f64) -> bool {
        // Time never goes back between frames.
        at_s > self.last_s && self.due_s.is_none_or(|due| at_s >= due - EARLY_S.min(self.period_s / 4.0))
    }

    pub(super) fn take(&mut self, at_s: f64) {
        self.last_s = at_s;
        let due = self.due_s.unwrap_or(at_s) + self.period_s;
        // After a pause the beat starts again from here; it never catches up with what it missed.
        self.due_s = Some(if due > at_s { due } else { at_s + self.period_s });
    }

    /// The picture due could not be taken: the next one will do. True when a whole beat has gone by.
    pub(super) fn missed(&mut self, at_s: f64) -> bool {
        let due = *self.due_s.get_or_insert(at_s);
        let lost = at_s >= due + self.period_s;
        if lost {
            self.due_s = Some(due + self.period_s);
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Sampling {
        fn offer(&mut self, at_s: f64) -> bool {
            let due = self.is_due(at_s);
            if due {
                self.take(at_s);
            }
            due
        }
    }

    #[test]
    fn frames_are_the_pictures_nearest_the_beat() {
        let mut sampling = Sampling::new(5.0);
        let taken: Vec<u32> = (0..30).filter(|&i| sampling.offer(f64::from(i) / 12.0)).collect();
        // 12 pictures and 5 frames a second: 0, 2.4, 4.8, 7.2, 9.6, 12, ...
        assert_eq!(taken, [0, 3, 5, 7, 10, 12, 15, 17, 19, 22, 24, 27, 29]);
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut sampling = Sampling::new(5.0);
        let taken: Vec<bool> = [0.0, 10.0, 10.04, 10.2, 10.2, 10.1].map(|at| sampling.offer(at)).into();
        assert_eq!(taken, [true, true, false, true, false, false]);
    }

    #[test]
    fn a_frame_not_wanted_is_made_up_by_the_next_picture_and_a_lost_beat_counted() {
        let mut sampling = Sampling::new(5.0);
        assert!(sampling.offer(0.0));
        let lost: Vec<bool> = [0.2, 0.24, 0.36, 0.41, 0.5, 0.61].map(|at| sampling.missed(at)).into();
        assert_eq!(lost, [false, false, false, true, false, true]);
        assert!(sampling.offer(0.64));
        assert!(!sampling.offer(0.7));
        assert!(sampling.offer(0.8));
    }
}
