//! Intake: what every way in shares. Readings go on as they come, the newest dropped where there is no room; a press of a call
//! button waits for room and is acknowledged only once it is durable.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::log_limit::LogLimit;
use super::readings::BadReading;
use crate::health::{Pulse, SensorMetrics};
use kerbside_domain::reading::Reading;
use kerbside_domain::time::{Clock, Moment};

/// A press of a call button on its way to the core.
#[derive(Debug)]
pub(crate) struct Press {
    pub(crate) reading: Reading,
    /// Told once the press is durable; dropped: it is not.
    pub(crate) durable: oneshot::Sender<()>,
}

/// Where the readings of all ways in go. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    pub(crate) clock: Arc<dyn Clock>,
    /// Full: the newest reading is dropped and counted.
    pub(crate) readings: mpsc::Sender<Reading>,
    /// Full: whoever brings a press waits.
    pub(crate) presses: mpsc::Sender<Press>,
    pub(crate) metrics: SensorMetrics,
    pub(crate) pulse: Option<Pulse>,
}

impl Intake {
    /// Nobody receives readings any more.
    pub(super) fn is_closed(&self) -> bool {
        self.readings.is_closed()
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(super) fn beat(&self) {
        if let Some(pulse) = &self.pulse {
            pulse.beat();
        }
    }

    /// Sends a reading on and counts it.
    pub(super) fn reading(&self, reading: Reading) {
        self.count(&reading);
        if let Err(mpsc::error::TrySendError::Full(_)) = self.readings.try_send(reading) {
            self.metrics.readings_dropped.inc();
        }
    }

    /// Sends a press on. True once it is durable; false: the box ends, and whoever brought it keeps it.
    pub(super) async fn press(&self, reading: Reading) -> bool {
        self.count(&reading);
        let (durable, told) = oneshot::channel();
        if self.presses.send(Press { reading, durable }).await.is_err() {
            return false;
        }
        told.await.is_ok()
    }

    /// What came was no reading.
    pub(super) fn malformed(&self, from: &str, error: &BadReading, faults: &mut LogLimit) {
        self.metrics.malformed.inc();
        if let Some(left_out) = faults.admit(self.now().mono) {
            tracing::warn!(from, %error, left_out, "not a reading");
        }
    }

    fn count(&self, reading: &Reading) {
        let metrics = &self.metrics;
        let counter = if reading.suspicious.is_some() { &metrics.suspicious } else { &metrics.accepted };
        counter.inc();
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use kerbside_domain::time::VirtualClock;

    /// An intake and what comes out of it.
    pub(crate) fn intake() -> (Intake, mpsc::Receiver<Reading>, mpsc::Receiver<Press>) {
        let (readings, received) = mpsc::channel(16);
        let (presses, pressed) = mpsc::channel(16);
        let metrics = crate::health::Metrics::new().sensors();
        let clock = VirtualClock::new(1_795_221_000_000);
        (Intake { clock, readings, presses, metrics, pulse: None }, received, pressed)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::intake;
    use super::*;

    fn reading(intake: &Intake) -> Reading {
        let (sensor, unit, at) = ("help-1".into(), "1".into(), intake.now());
        Reading { sensor, phenomenon: at, arrived: at, value: 1.0, unit, suspicious: None }
    }

    #[tokio::test]
    async fn a_press_counts_as_brought_only_when_it_is_durable() {
        let (intake, _readings, mut presses) = intake();
        let of_intake = reading(&intake);
        let brought = tokio::spawn({
            let intake = intake.clone();
            async move { intake.press(of_intake).await }
        });
        let press = presses.recv().await.unwrap();
        assert!(!brought.is_finished());
        press.durable.send(()).unwrap();
        assert!(brought.await.unwrap());

        let again = reading(&intake);
        let lost = tokio::spawn(async move { intake.press(again).await });
        drop(presses.recv().await.unwrap());
        assert!(!lost.await.unwrap(), "the core ended before it was durable");
    }
}
