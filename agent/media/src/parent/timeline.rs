//! From a camera's own timestamps to the agent's clock. Pure.
//!
//! Live: the first packet anchors pts to the monotonic clock. A packet cannot come from the future, so one that arrives earlier
//! than the anchor says moves the anchor back: what was buffered while the stream was opened settles within one burst.
//! A packet later than [`MAX_DRIFT_S`] re-anchors. Replay: pts is the clock.

use crate::tuning::MAX_DRIFT_S;
use kerbside_domain::time::{Moment, Mono};

/// Maps a camera's timestamps to our clock.
#[derive(Debug)]
pub(super) struct Timeline {
    live: bool,
    /// In replay the moment of pts of the first packet; live, unused.
    origin: Moment,
    anchor: Option<Anchor>,
    /// The last moment given out: time never goes back.
    last: Mono,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    epoch: u32,
    pts: i64,
    mono_us: i64,
    us_per_tick: f64,
}

impl Timeline {
    pub(super) fn live() -> Self {
        Timeline { live: true, origin: Moment::default(), anchor: None, last: Mono::ZERO }
    }

    /// Replay that begins at `origin`.
    pub(super) fn replay(origin: Moment) -> Self {
        Timeline { live: false, origin, anchor: None, last: origin.mono }
    }

    /// A new stream: timestamps of earlier epochs mean nothing any more.
    pub(super) fn begin(&mut self, epoch: u32, time_base: (i32, i32)) {
        let us_per_tick = 1e6 * f64::from(time_base.0) / f64::from(time_base.1.max(1));
        self.anchor = Some(Anchor { epoch, pts: i64::MIN, mono_us: 0, us_per_tick });
    }

    /// When a packet that arrives at `now` was shown. Packets before their stream's `begin` are shown now.
    pub(super) fn packet(&mut self, epoch: u32, pts: i64, now: Moment) -> Moment {
        let Some(anchor) = self.anchor.as_mut().filter(|a| a.epoch == epoch) else { return now };
        let now_us = now.mono.0 as i64;
        if anchor.pts == i64::MIN {
            anchor.pts = pts;
            anchor.mono_us = if self.live { now_us } else { self.last.0 as i64 };
        }
        let mono_us = anchor.mono_us.saturating_add(anchor.ticks_us(pts));
        if !self.live {
            self.last = Mono(mono_us.max(0) as u64).max(self.last);
            return self.origin.at(Mono(mono_us.max(0) as u64));
        }
        let delay_us = now_us.saturating_sub(mono_us);
        if delay_us < 0 || delay_us as f64 > MAX_DRIFT_S * 1e6 {
            anchor.pts = pts;
            anchor.mono_us = now_us;
            return now;
        }
        now.at(Mono(mono_us.max(0) as u64))
    }

    /// When a picture was shown: as its packet, without moving the anchor.
    pub(super) fn picture(&self, epoch: u32, pts: i64, now: Moment) -> Moment {
        let anchor = self.anchor.filter(|a| a.epoch == epoch && a.pts != i64::MIN);
        let Some(anchor) = anchor else { return now };
        let mono = Mono(anchor.mono_us.saturating_add(anchor.ticks_us(pts)).max(0) as u64);
        if self.live { now.at(mono.min(now.mono)) } else { self.origin.at(mono) }
    }
}

impl Anchor {
    fn ticks_us(&self, pts: i64) -> i64 {
        (pts.saturating_sub(self.pts) as f64 * self.us_per_tick).round() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: f64) -> Moment {
        Moment::default().at(Mono::from_s(s))
    }

    /// (arrives, pts ticks of 1/1000) -> shown, seconds
    fn shown(steps: &[(f64, i64)]) -> Vec<f64> {
        let mut line = Timeline::live();
        line.begin(1, (1, 1000));
        steps.iter().map(|&(now, pts)| line.packet(1, pts, at(now)).mono.0 as f64 / 1e6).collect()
    }

    #[test]
    fn network_jitter_does_not_move_the_picture() {
        let steps = [(10.0, 5000), (10.25, 5040), (10.28, 5080), (10.5, 5500)];
        assert_eq!(shown(&steps), [10.0, 10.04, 10.08, 10.5]);
    }

    #[test]
    fn a_burst_after_opening_settles_on_its_last_packet() {
        // Two seconds were buffered while the stream was probed; they arrive at once.
        assert_eq!(shown(&[(10.0, 0), (10.0, 1000), (10.0, 2000), (10.05, 2040)]), [10.0, 10.0, 10.0, 10.04]);
    }

    #[test]
    fn a_jump_of_the_cameras_clock_is_followed() {
        assert_eq!(shown(&[(10.0, 0), (20.0, 1000), (20.04, 1040)]), [10.0, 20.0, 20.04]);
        assert_eq!(shown(&[(10.0, 0), (10.04, 900_000), (10.08, 900_040)]), [10.0, 10.04, 10.08]);
    }

    #[test]
    fn a_picture_is_dated_as_its_packet() {
        let mut line = Timeline::live();
        line.begin(1, (1, 1000));
        line.packet(1, 0, at(10.0));
        line.packet(1, 80, at(10.08));
        assert_eq!(line.picture(1, 40, at(10.2)).mono, Mono::from_s(10.04));
    }

    #[test]
    fn replay_runs_on_pts_alone_and_over_epochs() {
        let mut line = Timeline::replay(at(100.0));
        line.begin(1, (1, 25));
        assert_eq!(line.packet(1, 7, at(5.0)).mono, Mono::from_s(100.0));
        assert_eq!(line.packet(1, 32, at(5.0)).mono, Mono::from_s(101.0));
        line.begin(2, (1, 25));
        assert_eq!(line.packet(2, 1000, at(5.0)).mono, Mono::from_s(101.0));
        assert_eq!(line.packet(2, 1025, at(5.0)).mono, Mono::from_s(102.0));
    }
}
