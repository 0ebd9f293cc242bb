//! The box's own instruments: GNSS and sensors as tasks, what they say on its way to the core's thread; and who vouches
//! for the clock.

use std::convert::Infallible;
use std::sync::Arc;

use crossbeam_channel::{Sender, TrySendError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clock::Voucher;
use super::meter::Meters;
use crate::sensor::gnss::{Gnss, GnssEvent};
use crate::sensor::readings;
use kerbside_domain::time::SystemClock;
use kerbside_seeing::incident::Input;
use kerbside_site::config::Site;

/// What waits between an adapter and the core; the newest is dropped beyond.
const QUEUE: usize = 64;
const LIMIT_S: f64 = 60.0;

/// The running adapters; dropping it aborts them.
#[derive(Debug, Default)]
pub(super) struct Instruments {
    tasks: Vec<JoinHandle<()>>,
    /// Dropping it ends the questions about the clock.
    asking: Option<Sender<Infallible>>,
}

impl Instruments {
    pub(super) fn stop(self) {
        drop(self.asking);
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
    let voucher = Arc::new(Voucher::new(clock.clone()));
    let asking = ask_about_the_clock(voucher.clone());
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
            voucher,
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
    Instruments { tasks, asking }
}

/// On a thread that nobody joins: the machine's answer may take longer than the program has to end.
fn ask_about_the_clock(voucher: Arc<Voucher>) -> Option<Sender<Infallible>> {
    let (asking, stopped) = crossbeam_channel::bounded(0);
    match std::thread::Builder::new().name("clock".to_owned()).spawn(move || voucher.run(&stopped)) {
        Ok(_) => Some(asking),
        Err(error) => {
            tracing::error!(%error, "the machine is not asked about its clock");
            None
        }
    }
}

type Dropped = prometheus_client::metrics::counter::Counter;

async fn forward_readings(
    mut heard: mpsc::Receiver<kerbside_domain::reading::Reading>,
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
    voucher: Arc<Voucher>,
    fixes: Sender<GnssEvent>,
    dropped: Dropped,
) {
    while let Some(event) = heard.recv().await {
        if let GnssEvent::Fix(fix) = &event {
            if fix.agrees_with_wall() {
                voucher.fix_agrees();
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
