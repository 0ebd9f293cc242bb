//! When each kind of upkeep is due.

use kerbside_domain::time::Mono;
use kerbside_seeing::pipeline::Ticks;

/// Between two comparisons of the saved incidents with those of the core, s. A report saves its own incident at once; this
/// only removes what the core has retired.
pub(super) const SAVE_PERIOD_S: f64 = 60.0;

/// When each kind of work is due next.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) ticks: Ticks,
    pub(super) health: Mono,
    pub(super) save: Mono,
    pub(super) prune: Mono,
}

impl Due {
    /// Health and pruning are due at the first tick.
    pub(super) fn from(now: Mono) -> Self {
        let save = Mono::from_s(SAVE_PERIOD_S);
        Due { ticks: Ticks::new(now), health: Mono::ZERO, save, prune: Mono::ZERO }
    }

    /// A health message goes out at the next tick.
    pub(super) fn health_now(&mut self) {
        self.health = Mono::ZERO;
    }
}

/// True at most once a period; then `due` is moved on.
pub(super) fn reached(due: &mut Mono, now: Mono, period_s: f64) -> bool {
    let reached = now >= *due;
    if reached {
        *due = now.plus_s(period_s);
    }
    reached
}
