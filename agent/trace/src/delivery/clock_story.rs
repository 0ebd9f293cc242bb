//! What the records say of the wall clock: whether it jumped, how time was reckoned before, and whether it was ever right.
//!
//! Nobody can tell from the box which side of a jump is the right one: NTP is unauthenticated, and a box may have been off. So a
//! jump deletes nothing, and what the centre signs with a time counts by either reckoning until the jump is undone or grows old.

use kerbside_domain::time::{Moment, Mono};
use serde::{Deserialize, Serialize};

use crate::tuning::{
    CORRECTED_MS, ISSUED_EARLY_MS, JUMP_MS, OFF_UNKNOWN_MS, OTHER_RECKONING_S, PAUSED_AGAIN_AFTER_S, PAUSED_S,
};

/// All moments are on the clock that counts on over restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClockStory {
    /// The newest moment at which somebody vouched for the wall clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vouched: Option<Moment>,
    /// The newest jump that was not undone, and the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jump: Option<Jump>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier_jump: Option<Jump>,
    /// Since when nothing is deleted for its age, or was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused: Option<Mono>,
    /// The first moment of this start at which nobody vouched, until somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unvouched: Option<Moment>,
}

/// Two moments next to each other that somebody vouched for, more than a day apart by the wall clock alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Jump {
    before: Moment,
    after: Moment,
}

/// What became of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockStep {
    /// Somebody vouched before and after, and it moved that much further than the box ran.
    Jumped { by_ms: i64 },
    /// Somebody vouches now; before nobody did, and it was wrong by that much.
    Corrected { by_ms: i64 },
}

/// The time as it was reckoned before a jump. The box may have been off since, for a time that nobody knows, so it may be later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OtherReckoning {
    now: Moment,
    /// What was issued before that, by this reckoning, waited while the box was off.
    issued_from_ms: i64,
}

impl OtherReckoning {
    /// What time it may be, for something that was issued then; `None`: by this reckoning it does not count.
    pub(super) fn for_issued(&self, issued_ms: i64) -> Option<Moment> {
        let latest_ms = self.now.wall_ms.saturating_add(OFF_UNKNOWN_MS);
        let wall_ms = issued_ms.clamp(self.now.wall_ms, latest_ms);
        (issued_ms >= self.issued_from_ms).then_some(Moment { wall_ms, ..self.now })
    }
}

impl ClockStory {
    /// The program was started.
    pub(super) fn boot(&mut self) {
        self.unvouched = None;
    }

    /// The moment of one record.
    pub(super) fn note(&mut self, at: Moment) -> Option<ClockStep> {
        if !at.is_vouched() {
            self.unvouched.get_or_insert(at);
            return None;
        }
        let jumped = self.vouched.replace(at).and_then(|before| self.jumped(before, at));
        let corrected = self.unvouched.take().map(|wrong| at.wall_gained_ms(wrong));
        let corrected = corrected.filter(|by_ms| by_ms.saturating_abs() >= CORRECTED_MS);
        jumped.or(corrected.map(|by_ms| ClockStep::Corrected { by_ms }))
    }

    fn jumped(&mut self, before: Moment, at: Moment) -> Option<ClockStep> {
        let by_ms = at.wall_gained_ms(before);
        if by_ms.saturating_abs() <= JUMP_MS {
            let is_old = |jump: &Jump| at.mono.since_s(jump.after.mono) > OTHER_RECKONING_S;
            self.jump = self.jump.filter(|jump| !is_old(jump));
            self.earlier_jump = self.earlier_jump.filter(|jump| !is_old(jump));
            return None;
        }
        let is_undone = |jump: &Jump| at.wall_gained_ms(jump.before).saturating_abs() <= JUMP_MS;
        match [self.jump, self.earlier_jump].iter().flatten().any(is_undone) {
            true => (self.jump, self.earlier_jump) = (None, None),
            false => (self.earlier_jump, self.jump) = (self.jump, Some(Jump { before, after: at })),
        }
        // Jump after jump may not put off a deletion for ever.
        if self.paused.is_none_or(|since| at.mono.since_s(since) >= PAUSED_AGAIN_AFTER_S) {
            self.paused = Some(at.mono);
        }
        Some(ClockStep::Jumped { by_ms })
    }

    /// Nothing is deleted for its age: the wall clock jumped less than a day ago.
    pub(super) fn is_paused(&self, now: Moment) -> bool {
        self.until(now).paused.is_some_and(|since| now.mono.since_s(since) < PAUSED_S)
    }

    /// The story with what the clock does right now: no record tells it yet.
    fn until(mut self, now: Moment) -> Self {
        self.note(now);
        self
    }

    /// What time it is by each moment that somebody vouched for and that counts.
    pub(super) fn reckonings(&self, now: Moment) -> Vec<Moment> {
        let before = [self.jump, self.earlier_jump].into_iter().flatten().map(|jump| jump.before);
        before.chain(self.vouched).map(|vouched| vouched.at(now.mono)).collect()
    }

    /// The time as it was reckoned before each jump that was not undone, if somebody vouches now: the newest first.
    pub(super) fn others(&self, now: Moment) -> Vec<OtherReckoning> {
        let ClockStory { jump, earlier_jump, .. } = self.until(now);
        let other = |Jump { before, after }| OtherReckoning {
            now: before.at(now.mono),
            issued_from_ms: before.at(after.mono).wall_ms.saturating_sub(ISSUED_EARLY_MS),
        };
        [jump, earlier_jump].into_iter().flatten().filter(|_| now.is_vouched()).map(other).collect()
    }
}

#[cfg(test)]
mod tests {
    use kerbside_domain::time::ClockQuality;

    use super::*;

    const DAY_MS: i64 = 86_400_000;
    const NOON_MS: i64 = 1_795_221_065_120;

    /// After so many hours of running, with the wall clock so many days from where it should stand.
    fn at(ran_h: f64, off_by_days: f64, quality: ClockQuality) -> Moment {
        let ran_ms = (ran_h * 3_600_000.0) as i64;
        let wall_ms = NOON_MS + ran_ms + (off_by_days * DAY_MS as f64) as i64;
        Moment { mono: Mono(ran_ms as u64 * 1000), wall_ms, quality }
    }

    fn vouched(ran_h: f64, off_by_days: f64) -> Moment {
        at(ran_h, off_by_days, ClockQuality::Ntp)
    }

    #[test]
    fn a_jump_is_said_pauses_for_a_day_and_one_that_is_undone_is_forgotten() {
        let mut story = ClockStory::default();
        let steps: Vec<_> = [(0.0, 0.0), (1.0, 0.0), (2.0, 40.0), (3.0, 40.0)]
            .map(|(h, days)| story.note(vouched(h, days)))
            .to_vec();
        assert_eq!(steps, [None, None, Some(ClockStep::Jumped { by_ms: 40 * DAY_MS }), None]);
        assert!(story.is_paused(vouched(25.9, 40.0)) && !story.is_paused(vouched(26.1, 40.0)));
        let others = story.others(vouched(4.0, 40.0));
        let [other] = others.as_slice() else { panic!("{others:?}") };
        let by_other = |h: f64| other.for_issued(vouched(h, 0.0).wall_ms);
        assert_eq!(by_other(3.5), Some(vouched(4.0, 0.0)));
        assert_eq!(by_other(1.9), None, "issued before the jump");
        let issued = vouched(9.0, 0.0).wall_ms;
        assert_eq!(by_other(9.0).map(|now| now.wall_ms), Some(issued), "it may have been off for some hours");
        assert!(
            by_other(90.0).is_some_and(|now| now.wall_ms < vouched(30.0, 0.0).wall_ms),
            "but not for days"
        );
        // A second jump before the first is undone.
        assert_eq!(story.others(vouched(4.5, 900.0)).len(), 2);
        assert_eq!(story.note(vouched(5.0, 0.0)), Some(ClockStep::Jumped { by_ms: -40 * DAY_MS }));
        assert_eq!(story.others(vouched(5.0, 0.0)), []);
        assert!(!story.is_paused(vouched(26.1, 0.0)), "the second jump does not pause anew");
    }

    #[test]
    fn jump_after_jump_pauses_a_day_of_seven() {
        let mut story = ClockStory::default();
        let mut paused_h = 0;
        for h in 0..28 * 24 {
            let days = if h % 20 < 10 { 0.0 } else { 3.0 };
            story.note(vouched(f64::from(h), days));
            paused_h += u32::from(story.is_paused(vouched(f64::from(h), days)));
        }
        assert!((72..=120).contains(&paused_h), "{paused_h} of {} hours", 28 * 24);
    }

    #[test]
    fn leaps_drift_nights_and_clocks_that_nobody_vouches_for_are_no_jumps() {
        let mut story = ClockStory::default();
        let none = ClockQuality::None;
        let moments = [
            vouched(0.0, 0.0),
            vouched(1.0, 1.0 / 86_400.0),
            vouched(2.0, 0.5),
            at(3.0, -20_000.0, none),
            at(4.0, 49_000.0, none),
            vouched(5.0, 0.6),
        ];
        let steps: Vec<_> = moments.into_iter().filter_map(|moment| story.note(moment)).collect();
        let by_ms = vouched(5.0, 0.6).wall_gained_ms(at(3.0, -20_000.0, none));
        assert_eq!(steps, [ClockStep::Corrected { by_ms }]);
        assert_eq!(
            (story.others(vouched(6.0, 0.6)), story.is_paused(vouched(6.0, 0.6))),
            (Vec::new(), false)
        );
    }

    #[test]
    fn a_dead_battery_at_each_boot_is_corrected_each_time() {
        let mut story = ClockStory::default();
        for boot in 0..5 {
            story.boot();
            let h = f64::from(boot) * 10.0;
            assert_eq!(story.note(at(h, -20_000.0, ClockQuality::None)), None);
            let corrected = story.note(vouched(h + 0.1, 0.0));
            assert_eq!(corrected, Some(ClockStep::Corrected { by_ms: 20_000 * DAY_MS }), "boot {boot}");
        }
    }
}
