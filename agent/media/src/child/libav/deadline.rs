//! The time limit that FFmpeg's blocking calls ask about.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kerbside_domain::time::{Clock, Mono, SystemClock};

/// Renewed at each call that may block; its copies share one limit.
#[derive(Clone)]
pub(super) struct Deadline {
    clock: Arc<SystemClock>,
    at_us: Arc<AtomicU64>,
    limit_s: f64,
}

impl Deadline {
    pub(super) fn new(limit_s: f64) -> Self {
        let deadline =
            Deadline { clock: Arc::new(SystemClock::new()), at_us: Arc::new(AtomicU64::new(0)), limit_s };
        deadline.renew();
        deadline
    }

    pub(super) fn renew(&self) {
        let at = self.clock.now().mono.plus_s(self.limit_s);
        self.at_us.store(at.0, Ordering::Relaxed);
    }

    /// Share of the limit that is gone, 0..1.
    pub(super) fn spent_share(&self) -> f64 {
        let at = Mono(self.at_us.load(Ordering::Relaxed));
        1.0 - at.since_s(self.clock.now().mono) / self.limit_s
    }

    pub(super) fn is_over(&self) -> bool {
        self.clock.now().mono.0 > self.at_us.load(Ordering::Relaxed)
    }
}
