//! App: builds all stages from a site, starts them, waits, stops them. The only file that knows them all.
//!
//! Shutdown flows down the line (invariant 9): the sources stop; each stage ends when its input closes; the link drains for a
//! grace period, says offline and disconnects. A second signal exits at once.

mod camera_thread;
mod clock;
mod desk;
mod instruments;
mod meter;
mod orders;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use anyhow::Context as _;
use crossbeam_channel::{Sender, bounded};
use parking_lot::Mutex;

use camera_thread::{CameraThread, Load};

use crate::evidence::{CameraSource, Evidence, Watermark};
use crate::health;
use crate::review;
use kerbside_domain::evidence::EvidenceOutcome;
use kerbside_domain::model::ModelNames;
use kerbside_domain::time::{Clock, SystemClock};
use kerbside_infer::keep::{self, Networks};
use kerbside_infer::schedule::Slots;
use kerbside_infer::{Cascade, LIVE_RUN_LIMIT};
use kerbside_link::{self as link, upload};
use kerbside_media::ring::PacketRing;
use kerbside_media::source::{Exe, FrameSource as _, Session, Setup};
use kerbside_seeing::incident::{Core, IncidentRecord, Input, ReviewAnswer};
use kerbside_seeing::pipeline::{CameraControl, CameraLine, DetectionJob};
use kerbside_site::config::Site;
use kerbside_trace::delivery::{self, Delivery};
use kerbside_wire::Identity;

/// Inputs on their way to the core; senders wait beyond.
const INPUTS: usize = 256;
/// More outcomes than the evidence stage can have waiting.
const OUTCOMES: usize = 256;
/// Of the past: more than can have been asked.
const ANSWERS: usize = 16;
/// Positions on their way to the core.
const FIXES: usize = 16;
/// How long the link may send what waits when the program ends, s.
const GRACE_S: f64 = 8.0;

/// Where the site's evidence lies.
pub fn evidence_dir(site: &Site) -> PathBuf {
    site.device.data_dir.join("evidence")
}

/// How much of its disk is left to the reports.
fn watermark(site: &Site) -> Watermark {
    Watermark::new(evidence_dir(site), site.evidence.min_free)
}

/// Why the agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Stopped,
    /// The centre ordered that it be started again.
    Restart,
}

/// Runs the agent until a signal or the centre stops it.
pub fn run(site: Site, exe: Exe) -> anyhow::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("tasks")
        .enable_all()
        .build()
        .context("the runtime for tasks")?;
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let (site, detectors, models) = load_detectors(site);
    let site = Arc::new(site);
    let who = Identity::from_site(&site).with_models(models);
    let mut settings = delivery::Settings::new(site.device.data_dir.clone(), site.centre.receipts);
    settings.keys.clone_from(&site.centre.keys);
    let (delivery, opened) =
        Delivery::open(settings, who, clock.clone()).context("opening journal and outbox")?;
    let meters = meter::Meters::new(&site, clock.clone());
    let line = Line::build(&site, &clock, &exe, detectors, &delivery, opened.incidents, &meters)?;
    let (fixes, fixes_out) = bounded(FIXES);
    let inbox = desk::Inbox {
        inputs: line.inputs_out,
        outcomes: line.outcomes_out,
        looked_back: line.looked_back,
        inbound: opened.inbound,
        fixes: fixes_out,
    };
    let restart = Arc::new(tokio::sync::Notify::new());
    let guard = runtime.enter();
    let (uploads, uploading) = upload::spawn(upload::Uploader {
        evidence_dir: evidence_dir(&site),
        delivery: delivery.clone(),
        clock: clock.clone(),
        trust: upload_trust(&site),
    });
    let desk = line.desk.with_restart(restart.clone()).with_uploads(uploads);
    let core = spawn("core", move || desk.run(inbox))?;

    let link =
        link::spawn(link::Settings::new(&site.centre, &site.device.edge_id), opened.link, clock.clone());
    let instruments = instruments::start(&site, &clock, &meters, line.inputs.clone(), fixes);
    let pages = meters.serve(&site);
    drop(guard);
    health::notify_ready();
    tracing::info!(edge = site.device.edge_id, cameras = site.cameras.len(), "running");

    let ended = runtime.block_on(async {
        tokio::select! {
            () = crate::signal::stop() => Ended::Stopped,
            () = restart.notified() => Ended::Restart,
        }
    });
    tracing::info!(?ended, "stopping");
    health::notify_stopping();
    runtime.spawn(async {
        crate::signal::stop().await;
        tracing::warn!("second signal: leaving at once");
        std::process::exit(i32::from(crate::cli::exit::FAILED));
    });
    drop(line.stop);
    join_all("source", line.sources);
    line.slots.close();
    join_all("detector", line.workers);
    instruments.stop();
    drop(line.inputs);
    join_all("core", vec![core]);
    // What is broken off here goes on at the next start.
    uploading.abort();
    runtime.block_on(link.stop(GRACE_S));
    pages.abort();
    delivery.close().context("closing the journal")?;
    // A file that is just being read must not hold up the end.
    runtime.shutdown_background();
    tracing::info!("stopped");
    Ok(ended)
}

/// Whom https servers of uploads must be certified by: the operator's choice, the centre's CA, or the system's.
fn upload_trust(site: &Site) -> Option<kerbside_site::config::Tls> {
    let system = std::path::Path::new("/etc/ssl/certs/ca-certificates.crt");
    let chosen = site.evidence.upload_ca_file.clone();
    let ca_file = chosen.or_else(|| site.centre.tls.as_ref().map(|t| t.ca_file.clone()));
    let ca_file = ca_file.or_else(|| system.is_file().then(|| system.to_owned()))?;
    Some(kerbside_site::config::Tls { ca_file, cert_file: None, key_file: None })
}

/// All that runs on threads, built and started except for the core's own.
struct Line {
    desk: desk::Desk,
    inputs: Sender<Input>,
    inputs_out: crossbeam_channel::Receiver<Input>,
    outcomes_out: crossbeam_channel::Receiver<EvidenceOutcome>,
    looked_back: crossbeam_channel::Receiver<ReviewAnswer>,
    slots: Arc<Slots<DetectionJob>>,
    sources: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    /// Dropping it stops the sources.
    stop: Sender<Infallible>,
}

impl Line {
    fn build(
        site: &Arc<Site>,
        clock: &Arc<SystemClock>,
        exe: &Exe,
        detectors: Vec<Cascade>,
        delivery: &Delivery,
        saved: Vec<delivery::SavedIncident>,
        meters: &meter::Meters,
    ) -> anyhow::Result<Line> {
        let clock: Arc<dyn Clock> = clock.clone();
        let (inputs, inputs_out) = bounded(INPUTS);
        let (outcomes, outcomes_out) = bounded(OUTCOMES);
        let rings: Vec<Arc<Mutex<PacketRing>>> = site
            .cameras
            .iter()
            .map(|c| Arc::new(Mutex::new(PacketRing::new(c.ring_s, c.ring_bytes))))
            .collect();
        let cameras = site.cameras.iter().zip(&rings).map(|(c, ring)| CameraSource::of(c, ring.clone()));
        let evidence = Evidence::new(
            evidence_dir(site),
            site.device.edge_id.clone(),
            site.device.utc_offset_s,
            cameras.collect(),
            crate::evidence::in_child(exe.clone()),
        )
        .with_watermark(watermark(site));
        let lost = outcomes.clone();
        let evidence = crate::evidence::spawn(evidence, clock.clone(), outcomes, meters.evidence())
            .context("evidence")?;
        let slots = Arc::new(Slots::new(site.cameras.len()));
        let has_detector = !detectors.is_empty();
        let with_detector: Vec<Arc<AtomicUsize>> = site.cameras.iter().map(|_| Arc::default()).collect();
        let worker =
            |detector| start_worker(detector, &slots, &clock, &inputs, meters, with_detector.clone());
        let workers = detectors.into_iter().map(worker).collect::<anyhow::Result<_>>()?;
        let wishes: Vec<Arc<CameraControl>> = site.cameras.iter().map(|_| Arc::default()).collect();
        let (stop, stopped) = bounded(0);
        let mut sources = Vec::new();
        for (((camera, ring), wish), with_detector) in
            site.cameras.iter().zip(&rings).zip(&wishes).zip(&with_detector)
        {
            let mut session = Session::new(Setup::of(camera, exe.clone()), clock.clone(), ring.clone());
            let now = clock.now().mono;
            let mut camera_thread = CameraThread {
                camera: camera.ix,
                id: camera.id.clone(),
                line: CameraLine::new(camera, wish.clone(), has_detector, now),
                slots: has_detector.then(|| slots.clone()),
                inputs: inputs.clone(),
                meter: meters.camera(camera.ix, ring.clone()).context("a camera without its meter")?,
                period_s: 1.0 / camera.looks_per_s,
                load: Load::new(camera.id.clone(), with_detector.clone(), now),
            };
            let stopped = stopped.clone();
            sources.push(spawn(&format!("camera-{}", camera.id), move || {
                session.run(&mut camera_thread, &stopped);
            })?);
        }
        let mut core = Core::new(site);
        restore(&mut core, saved, &*clock);
        for outcome in lost_evidence(&core) {
            // The channel holds more than can be pending; the core's thread reads it first.
            let _ = lost.try_send(outcome);
        }
        let (evidence, meter) = (Some(evidence), meters.desk());
        let (answers, looked_back) = bounded(ANSWERS);
        let lookback = has_detector.then(|| start_lookback(site, exe, &rings, answers)).transpose()?;
        let desk = desk::Desk::new(core, site.clone(), clock, delivery.clone(), evidence, wishes, meter);
        let desk = desk.with_lookback(lookback);
        Ok(Line { desk, inputs, inputs_out, outcomes_out, looked_back, slots, sources, workers, stop })
    }
}

/// One detector a worker, and the site with the networks that are really used. A model that cannot be used does not stop the
/// box: the one that worked last goes on; without one sensors, journal and link go on, and the cameras say they are blind.
fn load_detectors(mut site: Site) -> (Site, Vec<Cascade>, ModelNames) {
    if site.models.street.is_none() {
        tracing::warn!("no [models] street: cameras are recorded, nothing is detected");
        return (site, Vec::new(), ModelNames::default());
    }
    let kept = site.device.data_dir.join(keep::FOLDER);
    match keep::load_or_kept(&site.models, &kept, LIVE_RUN_LIMIT) {
        Ok(Networks { cascades, manifests, models }) => {
            site.models = models;
            (site, cascades, manifests.names())
        }
        Err(error) => {
            tracing::error!(%error, "no detector: the cameras count as blind until this is mended");
            (site, Vec::new(), ModelNames::default())
        }
    }
}

fn start_worker(
    cascade: Cascade,
    slots: &Arc<Slots<DetectionJob>>,
    clock: &Arc<dyn Clock>,
    inputs: &Sender<Input>,
    meters: &meter::Meters,
    with_detector: Vec<Arc<AtomicUsize>>,
) -> anyhow::Result<JoinHandle<()>> {
    let (inputs, meter) = (inputs.clone(), meters.detector());
    let observe = move |seen| meter.observe(seen);
    let done = move |look: kerbside_seeing::incident::Observation| {
        let camera = usize::from(look.camera.0);
        let _ = inputs.send(Input::Observation(look));
        if let Some(count) = with_detector.get(camera) {
            count.fetch_sub(1, Ordering::AcqRel);
        }
    };
    kerbside_infer::worker::spawn(slots.clone(), cascade, clock.clone(), observe, done)
        .context("starting the detector's thread")
}

fn start_lookback(
    site: &Arc<Site>,
    exe: &Exe,
    rings: &[Arc<Mutex<PacketRing>>],
    answers: Sender<ReviewAnswer>,
) -> anyhow::Result<review::Stage> {
    let pasts = site.cameras.iter().zip(rings);
    let pasts = pasts.map(|(camera, ring)| review::Past::of(camera, exe.clone(), ring.clone())).collect();
    let models = site.models.clone();
    let load = move || {
        let street = models.street.as_deref().ok_or("no street network")?;
        let loaded = kerbside_infer::load(street, models.runtime.as_deref(), LIVE_RUN_LIMIT);
        loaded.map(|(detector, _)| detector).map_err(|error| error.to_string())
    };
    review::spawn(pasts, crate::evidence::in_child(exe.clone()), load, answers).context("looking back")
}

/// Open incidents of the last run live on, so that what still stands there is not reported anew.
fn restore(core: &mut Core, saved: Vec<delivery::SavedIncident>, clock: &dyn Clock) {
    let mut records: Vec<IncidentRecord> = Vec::new();
    for incident in saved {
        match incident.record.map(serde_json::from_value) {
            Some(Ok(record)) => records.push(record),
            Some(Err(error)) => {
                tracing::error!(incident = incident.id, %error, "saved incident is unreadable")
            }
            None => {}
        }
    }
    let known = records.len();
    let left_out = core.restore(records, clock.now());
    if known > 0 {
        tracing::info!(known, left_out, "incidents of the last run");
    }
}

/// What was asked for before the restart and will not come: its packets are gone with the last run's memory.
fn lost_evidence(core: &Core) -> Vec<EvidenceOutcome> {
    use kerbside_domain::evidence::EvidenceRole::{
        After, Annotated, Before, Clip, Manifest, Snapshot, Trigger,
    };
    let lost = |(incident_id, revision)| EvidenceOutcome {
        incident_id,
        revision,
        answers: vec![Before, Trigger, Annotated, After, Snapshot, Clip, Manifest],
        items: Vec::new(),
        shortfall: Some("the program was restarted before it was made".to_owned()),
    };
    core.evidence_pending().into_iter().map(lost).collect()
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .with_context(|| format!("starting the thread {name}"))
}

fn join_all(stage: &str, threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!(stage, "a thread ended by a panic");
        }
    }
}
