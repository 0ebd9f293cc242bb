//! Who vouches for the wall clock: GNSS while its fixes agree, else NTP if the machine says so, else nobody.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::ntp::{self, Synchronised};
use kerbside_domain::time::{Clock as _, ClockQuality, Mono, SystemClock};

/// Between two questions to the machine.
const PERIOD: Duration = Duration::from_secs(60);
/// So long a fix that agreed speaks for the clock, s.
const FIX_HOLDS_S: f64 = 180.0;

/// Says to the clock how far it can be trusted.
#[derive(Debug)]
pub(super) struct Voucher {
    clock: Arc<SystemClock>,
    /// When a fix agreed last, µs of the monotonic clock; 0: never.
    agreed_us: AtomicU64,
}

impl Voucher {
    pub(super) fn new(clock: Arc<SystemClock>) -> Self {
        Voucher { clock, agreed_us: AtomicU64::new(0) }
    }

    /// A receiver agrees with the wall clock.
    pub(super) fn fix_agrees(&self) {
        self.agreed_us.store(self.clock.now().mono.0.max(1), Ordering::Relaxed);
        self.clock.set_quality(ClockQuality::Gnss);
    }

    fn machine_says(&self, synchronised: Synchronised) {
        let agreed = Some(self.agreed_us.load(Ordering::Relaxed)).filter(|us| *us > 0);
        let now = self.clock.now();
        let quality = judged(agreed.map(|us| now.mono.since_s(Mono(us))), synchronised);
        if quality != now.quality {
            tracing::info!(?quality, "the wall clock's quality");
            self.clock.set_quality(quality);
        }
    }

    /// Asks the machine at once and then every minute, until nobody holds the other end of `stopped`.
    pub(super) fn run(&self, stopped: &Receiver<Infallible>) {
        loop {
            self.machine_says(ntp::synchronised());
            if stopped.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }
}

fn judged(since_fix_s: Option<f64>, synchronised: Synchronised) -> ClockQuality {
    match (since_fix_s, synchronised) {
        (Some(since_s), _) if since_s < FIX_HOLDS_S => ClockQuality::Gnss,
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
            (Some(FIX_HOLDS_S), yes, ClockQuality::Ntp),
            (Some(FIX_HOLDS_S), Synchronised::No, ClockQuality::None),
        ];
        for (since_fix_s, synchronised, expected) in table {
            assert_eq!(judged(since_fix_s, synchronised), expected, "{since_fix_s:?} {synchronised:?}");
        }
        let voucher = Voucher::new(Arc::new(SystemClock::new()));
        let quality = || voucher.clock.now().quality;
        voucher.machine_says(yes);
        assert_eq!(quality(), ClockQuality::Ntp);
        voucher.fix_agrees();
        voucher.machine_says(Synchronised::No);
        assert_eq!(quality(), ClockQuality::Gnss);
    }
}
