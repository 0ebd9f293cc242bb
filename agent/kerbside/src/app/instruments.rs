//! The box's own instruments: GNSS and sensors run as tasks, and their events go on to the core's thread. Fixes also tell how
//! far the wall clock can be trusted.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clock_quality::ClockJudge;
use super::meters::Meters;
use crate::health::{DropPolicy, Stays};
use crate::outputs::Outputs;
use crate::sensor::{self, Gnss, GnssEvent, Intake, Press};
use kerbside_domain::panics;
use kerbside_domain::reading::Reading;
use kerbside_domain::time::SystemClock;
use kerbside_seeing::incident::{Input, Warning};
use kerbside_site::config::Site;

/// Events between an adapter and its forwarding task; the newest is dropped beyond.
const QUEUE: usize = 64;
/// Presses between an adapter and its forwarding task; an adapter waits beyond.
const PRESSES: usize = 16;
/// Between two looks for room in the core's channel of presses.
const ROOM: Duration = Duration::from_millis(50);
/// Both adapters beat every second, also while they wait for a receiver or a broker.
const LIVENESS_LIMIT_S: f64 = 60.0;

/// The running adapters.
#[derive(Debug, Default)]
pub(super) struct Instruments {
    tasks: Vec<JoinHandle<()>>,
    /// Dropping it ends the queries of the clock's quality.
    clock_queries: Option<Sender<Infallible>>,
}

impl Instruments {
    pub(super) fn stop(self) {
        drop(self.clock_queries);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Starts what the site has, on the current runtime.
pub(super) fn start(
    site: &Site,
    clock: &Arc<SystemClock>,
    meters: &Meters,
    inputs: Sender<Input>,
    gnss: Sender<GnssEvent>,
    presses: Sender<Press>,
    warnings: mpsc::Receiver<Warning>,
) -> Instruments {
    let judge = Arc::new(ClockJudge::new(clock.clone()));
    let clock_queries = query_clock_quality(judge.clone(), meters.ends().stays("clock"));
    let mut tasks = Vec::new();
    if let Some(receiver) = &site.gnss {
        let (events, received) = mpsc::channel(QUEUE);
        let adapter = Gnss {
            source: receiver.source.clone(),
            mobile: receiver.mobile,
            clock: clock.clone(),
            state_file: Some(site.device.data_dir.join("position.json")),
            events,
            metrics: meters.metrics().sensors(),
            pulse: Some(meters.pulse("gnss", LIVENESS_LIMIT_S)),
        };
        let dropped = meters.metrics().dropped(DropPolicy::GnssNewest);
        tasks.push(tokio::spawn(panics::named("gnss", adapter.run())));
        tasks.push(tokio::spawn(panics::named("gnss", forward_gnss(received, judge, gnss, dropped))));
    }
    let (readings, received) = mpsc::channel(QUEUE);
    let (pressed, brought) = mpsc::channel(PRESSES);
    let mut intake = Intake {
        clock: clock.clone(),
        readings,
        presses: pressed,
        metrics: meters.metrics().sensors(),
        pulse: None,
    };
    if !site.sensors.sensors.is_empty() {
        intake.pulse = Some(meters.pulse("sensors", LIVENESS_LIMIT_S));
    }
    let ways = sensor::ways(&site.sensors, &site.device.edge_id, &intake);
    if !ways.is_empty() {
        let dropped = meters.metrics().dropped(DropPolicy::ReadingsNewest);
        tasks.push(tokio::spawn(panics::named(
            "sensors",
            forward_readings(received, inputs.clone(), dropped),
        )));
        tasks.push(tokio::spawn(panics::named("sensors", forward_presses(brought, presses))));
    }
    tasks.extend(ways.into_iter().map(|(name, way)| tokio::spawn(panics::named(name, way))));
    let outputs = Outputs::new(site, clock.clone(), inputs);
    tasks.push(tokio::spawn(panics::named("outputs", outputs.run(warnings))));
    Instruments { tasks, clock_queries }
}

/// On a thread that nobody joins: the machine's answer may take longer than the program has to end.
fn query_clock_quality(judge: Arc<ClockJudge>, stays: Stays) -> Option<Sender<Infallible>> {
    let (queries, stopped) = crossbeam_channel::bounded(0);
    let body = move || {
        let _stays = stays;
        judge.run(&stopped);
    };
    match std::thread::Builder::new().name("clock".to_owned()).spawn(body) {
        Ok(_) => Some(queries),
        Err(error) => {
            tracing::error!(%error, "the quality of the clock is not queried");
            None
        }
    }
}

async fn forward_readings(mut received: mpsc::Receiver<Reading>, inputs: Sender<Input>, dropped: Counter) {
    while let Some(reading) = received.recv().await {
        match inputs.try_send(Input::Reading(reading)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => drop(dropped.inc()),
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}

/// A press waits for room: none is lost.
async fn forward_presses(mut brought: mpsc::Receiver<Press>, presses: Sender<Press>) {
    while let Some(mut press) = brought.recv().await {
        loop {
            match presses.try_send(press) {
                Ok(()) => break,
                Err(TrySendError::Full(waits)) => press = waits,
                Err(TrySendError::Disconnected(_)) => return,
            }
            tokio::time::sleep(ROOM).await;
        }
    }
}

/// Fixes only tell whether the wall clock agrees; positions and moves go on to the core's thread.
async fn forward_gnss(
    mut received: mpsc::Receiver<GnssEvent>,
    judge: Arc<ClockJudge>,
    events: Sender<GnssEvent>,
    dropped: Counter,
) {
    while let Some(event) = received.recv().await {
        if let GnssEvent::Fix(fix) = &event {
            if fix.agrees_with_wall() {
                judge.fix_agrees();
            }
            continue;
        }
        match events.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => drop(dropped.inc()),
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;
    use kerbside_domain::time::{Clock as _, ClockQuality, Moment};

    use super::*;
    use crate::health::Metrics;
    use crate::sensor::{Fix, FixQuality};

    fn reading(value: f64) -> Reading {
        let (sensor, unit, at) = ("bin-1".into(), "%".into(), Moment::default());
        Reading { sensor, phenomenon: at, arrived: at, value, unit, suspicious: None }
    }

    fn fix(utc_ms: i64, at: Moment) -> GnssEvent {
        GnssEvent::Fix(Fix {
            lon_deg: 121.376,
            lat_deg: 31.112,
            alt_m: None,
            hdop: None,
            sats: None,
            quality: FixQuality::Autonomous,
            utc_ms: Some(utc_ms),
            at,
            doubts: Vec::new(),
        })
    }

    #[tokio::test]
    async fn readings_reach_the_core_and_a_full_channel_drops_the_newest() {
        let dropped = Metrics::new().dropped(DropPolicy::ReadingsNewest);
        let (readings, received) = mpsc::channel(4);
        let (inputs, core) = bounded(1);
        for value in [1.0, 2.0] {
            readings.send(reading(value)).await.unwrap();
        }
        drop(readings);
        forward_readings(received, inputs, dropped.clone()).await;
        let Ok(Input::Reading(first)) = core.recv() else { panic!("no reading") };
        assert_eq!((first.value, core.len(), dropped.get()), (1.0, 0, 1));
    }

    #[tokio::test]
    async fn a_fix_that_agrees_judges_the_clock_and_only_positions_go_on() {
        let clock = Arc::new(SystemClock::new());
        let judge = Arc::new(ClockJudge::new(clock.clone()));
        let dropped = Metrics::new().dropped(DropPolicy::GnssNewest);
        let (gnss, received) = mpsc::channel(4);
        let (events, core) = bounded(4);
        let now = clock.now();
        let moved = GnssEvent::Moved { away_m: 80.0, limit_m: 25.0, at: now };
        for event in [fix(now.wall_ms - 60_000, now), moved.clone()] {
            gnss.send(event).await.unwrap();
        }
        drop(gnss);
        forward_gnss(received, judge.clone(), events, dropped.clone()).await;
        assert_eq!(core.try_iter().collect::<Vec<_>>(), [moved]);
        assert_ne!(clock.now().quality, ClockQuality::Gnss, "a minute off is no agreement");

        let (gnss, received) = mpsc::channel(4);
        let (events, core) = bounded(4);
        gnss.send(fix(now.wall_ms, now)).await.unwrap();
        drop(gnss);
        forward_gnss(received, judge, events, dropped).await;
        assert_eq!((clock.now().quality, core.len()), (ClockQuality::Gnss, 0));
    }
}
