//! How far the wall clock can be trusted: GNSS while its fixes agree, else NTP if the machine is synchronised, else not at all.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::ntp::{self, Synchronised};
use kerbside_domain::time::{Clock as _, ClockQuality, Mono, SystemClock};

/// Between two queries of the machine.
const PERIOD: Duration = Duration::from_secs(60);
/// How long a fix that agreed with the wall clock counts, s. A receiver gives one every second; three minutes bridge a lorry
/// that stops before the antenna.
const FIX_COUNTS_S: f64 = 180.0;

/// Sets the quality of the clock.
#[derive(Debug)]
pub(super) struct ClockJudge {
    clock: Arc<SystemClock>,
    /// When a fix agreed last, µs of the monotonic clock; 0: never.
    agreed_us: AtomicU64,
}

impl ClockJudge {
    pub(super) fn new(clock: Arc<SystemClock>) -> Self {
        ClockJudge { clock, agreed_us: AtomicU64::new(0) }
    }

    /// A receiver agrees with the wall clock.
    pub(super) fn fix_agrees(&self) {
        self.agreed_us.store(self.clock.now().mono.0.max(1), Ordering::Relaxed);
        self.clock.set_quality(ClockQuality::Gnss);
    }

    fn machine_answers(&self, synchronised: Synchronised) {
        let agreed = Some(self.agreed_us.load(Ordering::Relaxed)).filter(|us| *us > 0);
        let now = self.clock.now();
        let quality = quality(agreed.map(|us| now.mono.since_s(Mono(us))), synchronised);
        if quality != now.quality {
            tracing::info!(?quality, "the wall clock's quality");
            self.clock.set_quality(quality);
        }
    }

    /// Queries the machine at once and then every minute, until the other end of `stopped` is dropped.
    pub(super) fn run(&self, stopped: &Receiver<Infallible>) {
        loop {
            self.machine_answers(ntp::synchronised());
            if stopped.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }
}

fn quality(since_fix_s: Option<f64>, synchronised: Synchronised) -> ClockQuality {
    match (since_fix_s, synchronised) {
        (Some(since_s), _) if since_s < FIX_COUNTS_S => ClockQuality::Gnss,
        (_, Synchronised::Yes(_)) => ClockQuality::Ntp,
        (_, Synchronised::No | Synchronised::Unknown) => ClockQuality::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gnss_goes_before_ntp_and_neither_outlives_its_word() {
        let yes = Synchronised::Yes("chrony");
        let table = [
            (None, Synchronised::Unknown, ClockQuality::None),
            (None, yes, ClockQuality::Ntp),
            (Some(1.0), Synchronised::No, ClockQuality::Gnss),
            (Some(1.0), yes, ClockQuality::Gnss),
            (Some(FIX_COUNTS_S), yes, ClockQuality::Ntp),
            (Some(FIX_COUNTS_S), Synchronised::No, ClockQuality::None),
        ];
        for (since_fix_s, synchronised, expected) in table {
            assert_eq!(quality(since_fix_s, synchronised), expected, "{since_fix_s:?} {synchronised:?}");
        }
        let judge = ClockJudge::new(Arc::new(SystemClock::new()));
        let now = || judge.clock.now().quality;
        judge.machine_answers(yes);
        assert_eq!(now(), ClockQuality::Ntp);
        judge.fix_agrees();
        judge.machine_answers(Synchronised::No);
        assert_eq!(now(), ClockQuality::Gnss);
    }
}
