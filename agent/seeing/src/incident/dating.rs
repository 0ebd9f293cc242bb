//! When the dates that a wrong wall clock gave can be put right: when somebody vouches for the clock, or when it jumps.
//!
//! What happened in this run stands on the monotonic clock too, so its date follows from any moment at which the wall clock is
//! right. What an earlier run left without a good clock counts as seen when this run began.

use kerbside_domain::time::{Moment, Mono};

use super::tuning::lifecycle::MISDATED_MS;

/// What is known of the wall clock.
#[derive(Debug, Default)]
pub(super) struct Dating {
    /// When this run began: what is older stands on another run's monotonic clock.
    began: Option<Mono>,
    /// The newest moment that somebody vouched for.
    vouched: Option<Moment>,
}

/// Which moments are put right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redating {
    pub(super) now: Moment,
    began: Mono,
    /// The wall clock jumped since somebody last vouched for it.
    has_jumped: bool,
}

impl Redating {
    /// The date that `at` should have, if it has another.
    pub(super) fn date(&self, at: Moment) -> Option<Moment> {
        let dated_wrong = self.has_jumped
            && at.mono > self.began
            && self.now.wall_gained_ms(at).saturating_abs() > MISDATED_MS;
        (!at.is_vouched() || dated_wrong).then(|| self.now.at(at.mono))
    }
}

impl Dating {
    /// This run begins.
    pub(super) fn begin(&mut self, at: Mono) {
        self.began.get_or_insert(at);
    }

    pub(super) fn redating(&mut self, now: Moment) -> Option<Redating> {
        self.begin(now.mono);
        let began = self.began.filter(|_| now.is_vouched())?;
        let before = self.vouched.replace(now);
        let has_jumped = before.is_some_and(|b| now.wall_gained_ms(b).saturating_abs() > MISDATED_MS);
        Some(Redating { now, began, has_jumped })
    }
}
