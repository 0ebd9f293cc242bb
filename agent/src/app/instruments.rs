//! The box's own instruments: GNSS and sensors as tasks, what they say on its way to the core's thread.

use std::sync::Arc;

use crossbeam_channel::{Sender, TrySendError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::meter::Meters;
use crate::config::Site;
use crate::incident::Input;
use crate::sensor::gnss::{Gnss, GnssEvent};
use crate::sensor::readings;
use crate::time::{ClockQuality, SystemClock};

/// What waits between an adapter and the core; the newest is dropped beyond.
const QUEUE: usize = 64;
const LIMIT_S: f64 = 60.0;

/// The running adapters; dropping it aborts them.
#[derive(Debug, Default)]
pub(super) struct Instruments {
    tasks: Vec<JoinHandle<()>>,
}

impl Instruments {
    pub(super) fn stop(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Starts what the site has, on the current runtime.
pub(super) fn start(
    site: &Site,
    clock: &Arc<SystemClock>,
    meters: &Meters,
    inputs: Sender<Input>,
    fixes: Sender<GnssEvent>,
) -> Instruments {
    let mut tasks = Vec::new();
    if let Some(source) = &site.gnss {
        let (events, heard) = mpsc::channel(QUEUE);
        let gnss = Gnss {
            source: source.clone(),
            clock: clock.clone(),
            state_file: Some(site.device.data_dir.join("position.json")),
            events,
            metrics: meters.metrics().sensors(),
            pulse: Some(meters.pulse("gnss", LIMIT_S)),
        };
        tasks.push(tokio::spawn(gnss.run()));
        tasks.push(tokio::spawn(forward_fixes(
            heard,
            clock.clone(),
            fixes,
            meters.metrics().dropped("gnss_newest"),
        )));
    }
    if site.sensors.broker.is_some() && !site.sensors.sensors.is_empty() {
        let (readings, heard) = mpsc::channel(QUEUE);
        let broker = readings::Broker {
            sensors: site.sensors.clone(),
            edge_id: site.device.edge_id.clone(),
            clock: clock.clone(),
            readings,
            metrics: meters.metrics().sensors(),
            pulse: Some(meters.pulse("sensors", LIMIT_S)),
        };
        tasks.push(tokio::spawn(broker.run()));
        tasks.push(tokio::spawn(forward_readings(
            heard,
            inputs,
            meters.metrics().dropped("readings_newest"),
        )));
    }
    Instruments { tasks }
}

type Dropped = prometheus_client::metrics::counter::Counter;

async fn forward_readings(
    mut heard: mpsc::Receiver<crate::incident::Reading>,
    inputs: Sender<Input>,
    dropped: Dropped,
) {
    while let Some(reading) = heard.recv().await {
        match inputs.try_send(Input::Reading(reading)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => drop(dropped.inc()),
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}

/// A receiver that agrees with the wall clock vouches for it.
async fn forward_fixes(
    mut heard: mpsc::Receiver<GnssEvent>,
    clock: Arc<SystemClock>,
    fixes: Sender<GnssEvent>,
    dropped: Dropped,
) {
    while let Some(event) = heard.recv().await {
        if let GnssEvent::Fix(fix) = &event {
            if fix.agrees_with_wall() {
                clock.set_quality(ClockQuality::Gnss);
            }
            continue;
        }
        match fixes.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => drop(dropped.inc()),
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}
