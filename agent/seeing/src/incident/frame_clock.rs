//! The times between the frames of one camera that count. No time runs over a gap in which the camera did not see.

use kerbside_domain::time::Mono;

use super::tuning::frames::{MAX_DETECTION_GAP_S, MAX_GAP_S};

/// When the last frames of each sort came.
#[derive(Debug, Default)]
pub(super) struct FrameClock {
    /// Of any frame.
    frame: Option<Mono>,
    /// Of one in which the camera saw, since it began to see.
    seeing: Option<Mono>,
    /// Of one with detections, since the camera began to see.
    detected: Option<Mono>,
    /// Since when the camera has seen the background that it knows now.
    seeing_since: Option<Mono>,
}

impl FrameClock {
    /// False: an older or equal time has been seen; the frame comes out of order.
    pub(super) fn accept(&mut self, at: Mono) -> bool {
        let in_order = self.frame.is_none_or(|last| at > last);
        if in_order {
            self.frame = Some(at);
        }
        in_order
    }

    /// A frame in which the camera sees: the time that it stands for, s.
    pub(super) fn see(&mut self, at: Mono) -> f64 {
        let dt_s = self.seeing.map_or(0.0, |last| at.since_s(last).min(MAX_GAP_S));
        self.seeing = Some(at);
        self.seeing_since.get_or_insert(at);
        dt_s
    }

    /// A frame with detections: the time that they stand for, s.
    pub(super) fn detect(&mut self, at: Mono) -> f64 {
        let dt_s = self.detected.map_or(0.0, |last| at.since_s(last).min(MAX_DETECTION_GAP_S));
        self.detected = Some(at);
        dt_s
    }

    /// The source stopped.
    pub(super) fn source_stopped(&mut self) {
        self.seeing = None;
    }

    /// A frame in which the camera does not see.
    pub(super) fn blind_frame(&mut self) {
        self.seeing = None;
        self.detected = None;
    }

    /// The background was lost: what is learnt anew is seen from then on.
    pub(super) fn background_lost(&mut self) {
        self.seeing_since = None;
    }

    /// Since when the camera has seen the background that it knows now.
    pub(super) fn seeing_since(&self) -> Option<Mono> {
        self.seeing_since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(s: f64) -> Mono {
        Mono::from_s(s)
    }

    #[test]
    fn no_time_runs_over_a_gap() {
        let mut clock = FrameClock::default();
        assert_eq!((clock.see(s(1.0)), clock.see(s(3.0))), (0.0, 2.0));
        clock.blind_frame();
        assert_eq!((clock.see(s(9.0)), clock.see(s(100.0))), (0.0, MAX_GAP_S));
        assert_eq!((clock.detect(s(1.0)), clock.detect(s(60.0))), (0.0, MAX_DETECTION_GAP_S));
        assert_eq!(clock.seeing_since(), Some(s(1.0)));
    }

    #[test]
    fn frames_out_of_order_are_told_apart() {
        let mut clock = FrameClock::default();
        assert!(clock.accept(s(2.0)));
        assert!(!clock.accept(s(2.0)) && !clock.accept(s(1.0)));
        assert!(clock.accept(s(2.1)));
    }
}
