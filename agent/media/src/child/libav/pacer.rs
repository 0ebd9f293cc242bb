//! Lets the time of a file pass as it did when it was recorded.

use std::time::Duration;

use kerbside_domain::time::Mono;

use crate::child::parent_link::ParentLink;
use crate::tuning::LONGEST_PACE_S;

/// Joins the first packet's time to the moment it was read.
#[derive(Default)]
pub(super) struct RealtimePacer {
    start: Option<(f64, Mono)>,
}

impl RealtimePacer {
    /// Sleeps until a packet of `at_s` is due.
    pub(super) fn wait(&mut self, at_s: f64, parent: &ParentLink) {
        let now = parent.now();
        let (first_s, started) = *self.start.get_or_insert((at_s, now));
        let ahead_s = started.plus_s(at_s - first_s).since_s(now);
        if ahead_s > 0.0 {
            std::thread::sleep(Duration::from_secs_f64(ahead_s.min(LONGEST_PACE_S)));
        }
    }
}
