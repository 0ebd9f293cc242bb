//! The decode ladder: how much of a stream is decoded. Pure.
//!
//! | level | decodes | while |
//! |---|---|---|
//! | L0 | nothing | the camera is paused |
//! | L1 | key frames | nothing moves |
//! | L2 | every frame | something moves, and for [`QUIET_S`] after |
//!
//! While a sensor that a rule names says so, every frame is decoded.
//! A candidate in the core keeps the level at L1 or above. Where key frames are further apart than
//! [`SPARSE_KEY_S`](kerbside_domain::frame::SPARSE_KEY_S), L1 would be blind between them, so such a source stays at L2.
//! Overload caps the level at L1 until it has been gone for [`RECOVER_S`].

use kerbside_domain::frame::Level;
use kerbside_domain::time::Mono;

/// Every frame is decoded for at least this long after something moved, s. Somebody who stops for a moment must not make
/// the level flicker: each climb waits for the next key frame. A choice, not a measurement.
pub const MIN_L2_S: f64 = 5.0;
/// Without motion for this long, only key frames are decoded, s. At 4 s the synthetic suite gave a false report
/// (measured 2026-11-27); the saving was 1 to 2 ms of CPU a second.
pub const QUIET_S: f64 = 10.0;
/// After the overload has ended every frame is decoded again only after this long, s: longer than one judgement of the
/// load (10 s), so that a box at its limit does not swing at each of them. A choice, not a measurement.
pub const RECOVER_S: f64 = 15.0;

/// The policy of one camera.
#[derive(Debug)]
pub struct Ladder {
    needed: Level,
    climbed: Mono,
    moved: Mono,
    hold: bool,
    sparse_keys: bool,
    paused: bool,
    hurried: bool,
    overloaded: bool,
    cap: Level,
    cap_changed: Mono,
}

impl Ladder {
    /// Starts at L2: backgrounds must be learned before anything can be called quiet.
    pub fn new(now: Mono) -> Self {
        Ladder {
            needed: Level::L2,
            climbed: now,
            moved: now,
            hold: false,
            sparse_keys: false,
            paused: false,
            hurried: false,
            overloaded: false,
            cap: Level::L2,
            cap_changed: now,
        }
    }

    /// One frame passed the gate. `active`: something moves, a static region is young, or the scene is still being learned.
    pub fn frame(&mut self, now: Mono, active: bool) -> Level {
        if active {
            self.moved = now;
        }
        self.decide(now)
    }

    /// The core has (or no longer has) a candidate in this camera's picture. With one the level is L1 at least.
    pub fn hold(&mut self, now: Mono, hold: bool) -> Level {
        self.hold = hold;
        self.decide(now)
    }

    /// A sensor says that something may happen there, or no longer: every frame is decoded meanwhile.
    pub fn hurry(&mut self, now: Mono, hurried: bool) -> Level {
        self.hurried = hurried;
        self.decide(now)
    }

    /// The source reported key frames more than [`SPARSE_KEY_S`](kerbside_domain::frame::SPARSE_KEY_S) apart.
    pub fn sparse_keys(&mut self, now: Mono, sparse: bool) -> Level {
        self.sparse_keys = sparse;
        self.decide(now)
    }

    /// A command paused the analysis of this camera, or the pause is over. Its packet ring goes on.
    pub fn pause(&mut self, now: Mono, paused: bool) -> Level {
        self.paused = paused;
        self.decide(now)
    }

    /// The load was judged, as it is every few seconds. `overloaded`: the detector loses most frames, and key frames must do.
    /// Never L0, which sees nothing.
    pub fn overload(&mut self, now: Mono, overloaded: bool) -> Level {
        if overloaded {
            self.cap = Level::L1;
            self.cap_changed = now;
        }
        self.overloaded = overloaded;
        self.decide(now)
    }

    /// The level that is needed: above the present one while an overload caps it.
    pub fn needed(&self) -> Level {
        self.needed
    }

    fn decide(&mut self, now: Mono) -> Level {
        if !self.overloaded && self.cap < Level::L2 && now.since_s(self.cap_changed) >= RECOVER_S {
            self.cap = Level::L2;
        }
        let needed = self.need(now);
        if needed == Level::L2 && self.needed != Level::L2 {
            self.climbed = now;
        }
        self.needed = needed;
        // Between sparse key frames nothing would be seen at all, so overload does not step down there.
        if self.sparse_keys { needed } else { needed.min(self.cap) }
    }

    /// The level that would be wanted on a box that is never overloaded.
    fn need(&self, now: Mono) -> Level {
        let quiet_s = now.since_s(self.moved);
        let rests = now.since_s(self.climbed) >= MIN_L2_S && quiet_s >= QUIET_S;
        match self.needed {
            _ if self.paused && !self.hold => Level::L0,
            _ if self.sparse_keys || self.hurried => Level::L2,
            Level::L2 if !rests => Level::L2,
            Level::L2 => Level::L1,
            _ if quiet_s == 0.0 => Level::L2,
            _ => Level::L1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{L0, L1, L2};

    fn s(s: f64) -> Mono {
        Mono::from_s(s)
    }

    #[test]
    fn quiet_steps_down_and_motion_climbs_at_once() {
        let mut ladder = Ladder::new(s(0.0));
        let seen = [
            (1.0, false),
            (9.9, false),
            (10.0, false),
            (12.0, true),
            (13.0, false),
            (21.9, false),
            (22.0, false),
        ]
        .map(|(at, moves)| ladder.frame(s(at), moves));
        assert_eq!(seen, [L2, L2, L1, L2, L2, L2, L1]);
    }

    #[test]
    fn while_a_sensor_says_so_every_frame_is_decoded_but_for_a_pause_and_an_overload() {
        let mut ladder = Ladder::new(s(0.0));
        assert_eq!(ladder.frame(s(11.0), false), L1);
        assert_eq!(ladder.hurry(s(12.0), true), L2);
        assert_eq!(ladder.frame(s(60.0), false), L2);
        assert_eq!(ladder.overload(s(61.0), true), L1);
        assert_eq!(ladder.pause(s(62.0), true), L0);
        ladder.pause(s(63.0), false);
        ladder.overload(s(64.0), false);
        assert_eq!(ladder.hurry(s(90.0), false), L1);
    }

    #[test]
    fn a_sensors_word_blinds_no_source_of_sparse_key_frames_and_overload_hides_no_need() {
        let mut ladder = Ladder::new(s(0.0));
        ladder.sparse_keys(s(1.0), true);
        ladder.hurry(s(2.0), true);
        assert_eq!(ladder.overload(s(3.0), true), L2, "key frames alone would show nothing");
        let mut ladder = Ladder::new(s(0.0));
        assert_eq!(ladder.frame(s(11.0), false), L1);
        ladder.overload(s(30.0), true);
        assert_eq!((ladder.hurry(s(31.0), true), ladder.needed()), (L1, L2), "it is due and not given");
        assert_eq!((ladder.hurry(s(60.0), false), ladder.needed()), (L1, L1));
    }

    #[test]
    fn a_hold_keeps_key_frames_even_when_paused() {
        let mut ladder = Ladder::new(s(0.0));
        assert_eq!(ladder.frame(s(11.0), false), L1);
        assert_eq!(ladder.pause(s(12.0), true), L0);
        assert_eq!(ladder.hold(s(13.0), true), L1);
        assert_eq!(ladder.hold(s(14.0), false), L0);
        assert_eq!(ladder.pause(s(15.0), false), L1);
    }

    #[test]
    fn sparse_key_frames_are_watched_whole() {
        let mut ladder = Ladder::new(s(0.0));
        assert_eq!(ladder.frame(s(11.0), false), L1);
        assert_eq!(ladder.sparse_keys(s(12.0), true), L2);
        assert_eq!(ladder.frame(s(100.0), false), L2);
        assert_eq!(ladder.overload(s(101.0), true), L2);
        assert_eq!(ladder.sparse_keys(s(110.0), false), L1);
    }

    #[test]
    fn overload_steps_down_and_recovers_after_a_while() {
        let mut ladder = Ladder::new(s(0.0));
        assert_eq!(ladder.overload(s(1.0), true), L1);
        assert_eq!((ladder.frame(s(2.0), true), ladder.needed()), (L1, L2));
        assert_eq!(ladder.overload(s(3.0), false), L1);
        assert_eq!((ladder.frame(s(12.0), false), ladder.needed()), (L1, L1));
        assert_eq!(ladder.frame(s(15.0), true), L1);
        assert_eq!(ladder.frame(s(16.0), true), L2);
    }
}
