//! The stages that run on threads, built from a site and connected by bounded channels.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, bounded};
use kerbside_c2pa::ChainError;
use kerbside_domain::evidence::EvidenceOutcome;
use kerbside_domain::time::Clock;
use kerbside_infer::slots::Slots;
use kerbside_infer::{Cascade, LIVE_RUN_LIMIT};
use kerbside_media::ring::PacketRing;
use kerbside_media::{CaptureProgram, CaptureSession, CaptureSettings, FrameSource as _};
use kerbside_seeing::incident::{Core, Input, Observation, ReviewAnswer, Warning};
use kerbside_seeing::pipeline::{CameraControl, CameraLine, DetectionJob};
use kerbside_site::config::Site;
use kerbside_trace::delivery::{Delivery, Item, SavedIncident, StoredInput};
use kerbside_trace::journal::RecordKind;
use kerbside_wire::{self as wire, Grant};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::camera_thread::{CameraThread, Load};
use super::core_thread::{self, CoreThread};
use super::main_streams;
use super::meters::Meters;
use super::paths::{evidence_dir, watermark};
use super::restore;
use crate::evidence::{
    self, DamagedFile, Evidence, EvidenceCamera, JournalPosition, Officer, Scrub, Sealer, Signing,
};
use crate::review;
use crate::sensor::{GnssEvent, Press};
use crate::why::{self, Shelf};

/// Inputs on their way to the core; senders wait beyond.
const INPUTS: usize = 256;
/// Outcomes of evidence on their way to the core: more than the evidence stage can have waiting.
const OUTCOMES: usize = 256;
/// Results of reviews on their way to the core: more than can have been requested.
const REVIEWS: usize = 16;

type Ring = Arc<Mutex<PacketRing>>;

/// What the stages are built from.
pub(super) struct Parts<'a> {
    pub(super) site: Arc<Site>,
    pub(super) clock: Arc<dyn Clock>,
    /// The program whose child processes decode.
    pub(super) program: CaptureProgram,
    /// One detector a worker; none: the cameras count as blind.
    pub(super) detectors: Vec<Cascade>,
    pub(super) delivery: Delivery,
    /// Incidents of the last run.
    pub(super) saved: Vec<SavedIncident>,
    pub(super) centre: Receiver<StoredInput>,
    pub(super) gnss: Receiver<GnssEvent>,
    pub(super) presses: Receiver<Press>,
    pub(super) sites: Receiver<Arc<Site>>,
    pub(super) uploads: mpsc::Sender<Grant>,
    /// To the outputs, which speak at the place.
    pub(super) warnings: mpsc::Sender<Warning>,
    pub(super) restart: Arc<Notify>,
    pub(super) meters: &'a Meters,
}

/// The running stages.
pub(super) struct Stages {
    cameras: Vec<JoinHandle<()>>,
    /// Dropping it stops the cameras.
    stop: Sender<Infallible>,
    slots: Arc<Slots<DetectionJob>>,
    detectors: Vec<JoinHandle<()>>,
    core: CoreStage,
}

/// The core's thread. It ends when every sender of inputs is gone.
pub(super) struct CoreStage {
    inputs: Sender<Input>,
    thread: JoinHandle<()>,
}

impl Stages {
    pub(super) fn inputs(&self) -> Sender<Input> {
        self.core.inputs.clone()
    }

    /// Ends cameras and detectors. The core still runs.
    pub(super) fn stop_cameras(self) -> CoreStage {
        drop(self.stop);
        join_all("source", self.cameras);
        self.slots.close();
        join_all("detector", self.detectors);
        self.core
    }
}

impl CoreStage {
    /// Ends the core and the evidence stage. All other senders of inputs must be gone.
    pub(super) fn stop(self) {
        drop(self.inputs);
        join_all("core", vec![self.thread]);
    }
}

pub(super) fn start(parts: Parts<'_>) -> anyhow::Result<Stages> {
    let Parts {
        site,
        clock,
        program,
        detectors,
        delivery,
        saved,
        centre,
        gnss,
        presses,
        sites,
        uploads,
        warnings,
        restart,
        meters,
    } = parts;
    let rings: Vec<Ring> =
        site.cameras.iter().map(|c| Arc::new(Mutex::new(PacketRing::new(c.ring_s, c.ring_bytes)))).collect();
    let (inputs, inputs_out) = bounded(INPUTS);
    let (outcomes, outcomes_out) = bounded(OUTCOMES);
    let (reviews, reviews_out) = bounded(REVIEWS);

    let mut core = Core::new(&site).in_run(ulid::Ulid::generate().to_string());
    restore::incidents(&mut core, saved, &*clock);
    for outcome in restore::lost_evidence(&core) {
        // The channel has more room than requests can be pending, and nothing was sent before.
        let _ = outcomes.try_send(outcome);
    }
    let mains = main_streams::rings(&site);
    let evidence = start_evidence(&site, &clock, &program, (&rings, &mains), &delivery, outcomes, meters)?;
    let review = match detectors.is_empty() {
        true => None,
        false => Some(start_review(&site, &program, &rings, reviews, meters)?),
    };
    let mut cameras = start_cameras(&site, &clock, &program, &rings, !detectors.is_empty(), &inputs, meters)?;
    cameras.threads.extend(main_streams::start(&site, &clock, &program, &mains, &cameras.stopped)?);
    let detectors = detectors
        .into_iter()
        .map(|detector| start_detector(detector, &cameras, &clock, &inputs, meters))
        .collect::<anyhow::Result<_>>()?;
    let core_thread = CoreThread::new(core_thread::Parts {
        core,
        site,
        clock,
        delivery,
        evidence,
        review,
        cameras: cameras.controls,
        uploads,
        warnings,
        restart,
        meter: meters.core(),
    });
    let inbox = core_thread::Inbox {
        inputs: inputs_out,
        evidence: outcomes_out,
        reviews: reviews_out,
        centre,
        gnss,
        presses,
        sites,
    };
    let stays = meters.ends().stays("core");
    let thread = spawn("core", move || {
        let _stays = stays;
        core_thread.run(inbox);
    })?;
    let core = CoreStage { inputs, thread };
    Ok(Stages { cameras: cameras.threads, stop: cameras.stop, slots: cameras.slots, detectors, core })
}

fn start_evidence(
    site: &Site,
    clock: &Arc<dyn Clock>,
    program: &CaptureProgram,
    (rings, mains): (&[Ring], &[Option<Ring>]),
    delivery: &Delivery,
    outcomes: Sender<EvidenceOutcome>,
    meters: &Meters,
) -> anyhow::Result<evidence::EvidenceThread> {
    let cameras = site.cameras.iter().zip(rings).zip(mains);
    let cameras =
        cameras.map(|((c, ring), main)| EvidenceCamera::of(site, c, ring.clone()).with_main(main.clone()));
    let mut evidence = Evidence::new(
        evidence_dir(site),
        site.device.edge_id.clone(),
        site.device.utc_offset_s,
        cameras.collect(),
        kerbside_media::clip::in_child(program.clone()),
    )
    .with_watermark(watermark(site))
    .with_sealer(sealer(delivery, clock))
    .with_shelf(Shelf::open(why::folder(&site.device.data_dir)))
    .with_officer(Officer::new(site, evidence::finder_of(site, LIVE_RUN_LIMIT)));
    match signing(site, delivery) {
        Some(Ok(signing)) => evidence = evidence.with_signing(signing),
        Some(Err(error)) => tracing::error!(%error, "evidence is not signed"),
        None => tracing::error!("evidence is not signed: the box has no key"),
    }
    let scrub = scrub(site, clock, delivery);
    evidence::spawn(evidence, clock.clone(), outcomes, meters.evidence(), Some(scrub))
        .context("starting the evidence stage")
}

/// Without a key nothing is signed; the delivery has said why there is none.
fn signing(site: &Site, delivery: &Delivery) -> Option<Result<Signing, ChainError>> {
    Some(Signing::new(delivery.key()?, &site.device.edge_id, site.chain_file()))
}

/// Without a key the manifests are not signed; the delivery has said why there is none.
fn sealer(delivery: &Delivery, clock: &Arc<dyn Clock>) -> Option<Sealer> {
    let key = delivery.key()?;
    let source = delivery.identity().source();
    let asked = delivery.clone();
    let position = move || {
        let stats = asked.stats().ok()?;
        Some(JournalPosition { n: stats.last_n, hash: stats.last_hash })
    };
    Some(Sealer::new(key, source, clock.clone(), Box::new(position)))
}

/// Reads old evidence again; what it finds goes to the centre.
fn scrub(site: &Site, clock: &Arc<dyn Clock>, delivery: &Delivery) -> Scrub {
    let (clock, delivery) = (clock.clone(), delivery.clone());
    let report = move |found: &DamagedFile| {
        let body = serde_json::json!({"damaged": found.path, "why": found.why});
        let message = wire::evidence_damaged(&found.path, &found.why, clock.now());
        let items = vec![Item::Note { kind: RecordKind::Evidence, body }, Item::Message(Box::new(message))];
        delivery.commit(items).is_ok()
    };
    Scrub::new(evidence_dir(site), site.device.utc_offset_s, Box::new(report))
}

/// The cameras' threads, and what connects them with the other stages. One entry a camera.
struct Cameras {
    threads: Vec<JoinHandle<()>>,
    stop: Sender<Infallible>,
    stopped: Receiver<Infallible>,
    slots: Arc<Slots<DetectionJob>>,
    controls: Vec<Arc<CameraControl>>,
    /// Frames in the camera's slot or in the detector.
    with_detector: Vec<Arc<AtomicUsize>>,
}

fn start_cameras(
    site: &Site,
    clock: &Arc<dyn Clock>,
    program: &CaptureProgram,
    rings: &[Ring],
    has_detector: bool,
    inputs: &Sender<Input>,
    meters: &Meters,
) -> anyhow::Result<Cameras> {
    let (stop, stopped) = bounded(0);
    let slots = Arc::new(Slots::new(site.cameras.len()));
    let mut cameras = Cameras {
        threads: Vec::new(),
        stop,
        stopped,
        slots,
        controls: Vec::new(),
        with_detector: Vec::new(),
    };
    for (camera, ring) in site.cameras.iter().zip(rings) {
        let control: Arc<CameraControl> = Arc::default();
        let with_detector: Arc<AtomicUsize> = Arc::default();
        let mut session =
            CaptureSession::new(CaptureSettings::of(camera, program.clone()), clock.clone(), ring.clone());
        let now = clock.now().mono;
        let mut camera_thread = CameraThread {
            camera: camera.ix,
            id: camera.id.clone(),
            line: CameraLine::new(camera, control.clone(), has_detector, now),
            slots: has_detector.then(|| cameras.slots.clone()),
            inputs: inputs.clone(),
            meter: meters.camera(camera.ix, ring.clone()).context("a camera without its meter")?,
            period_s: 1.0 / camera.analysis_fps,
            load: Load::new(camera.id.clone(), with_detector.clone(), now),
        };
        let stopped = cameras.stopped.clone();
        let name = format!("camera-{}", camera.id);
        cameras.threads.push(spawn(&name, move || {
            session.run(&mut camera_thread, &stopped);
            camera_thread.meter.ended();
        })?);
        cameras.controls.push(control);
        cameras.with_detector.push(with_detector);
    }
    Ok(cameras)
}

fn start_detector(
    cascade: Cascade,
    cameras: &Cameras,
    clock: &Arc<dyn Clock>,
    inputs: &Sender<Input>,
    meters: &Meters,
) -> anyhow::Result<JoinHandle<()>> {
    let (inputs, meter) = (inputs.clone(), meters.detector());
    let with_detector = cameras.with_detector.clone();
    let observe = move |timing| meter.observe(timing);
    // It goes with the worker's thread, which owns what it calls.
    let stays = meters.ends().stays("detector");
    let done = move |observation: Observation| {
        let _ = &stays;
        let camera = usize::from(observation.camera.0);
        let _ = inputs.send(Input::Observation(observation));
        if let Some(count) = with_detector.get(camera) {
            count.fetch_sub(1, Ordering::AcqRel);
        }
    };
    kerbside_infer::worker::spawn(cameras.slots.clone(), cascade, clock.clone(), observe, done)
        .context("starting the detector's thread")
}

fn start_review(
    site: &Site,
    program: &CaptureProgram,
    rings: &[Ring],
    results: Sender<ReviewAnswer>,
    meters: &Meters,
) -> anyhow::Result<review::ReviewStage> {
    let cameras = site.cameras.iter().zip(rings);
    let cameras =
        cameras.map(|(camera, ring)| review::ReviewCamera::of(camera, program.clone(), ring.clone()));
    let models = site.models.clone();
    let stays = meters.ends().stays("review");
    let load = move || {
        let _ = &stays;
        let street = models.street.as_deref().ok_or("no street network")?;
        let loaded = kerbside_infer::load(street, models.runtime.as_deref(), LIVE_RUN_LIMIT);
        loaded.map(|(detector, _)| detector).map_err(|error| error.to_string())
    };
    review::spawn(cameras.collect(), kerbside_media::clip::in_child(program.clone()), load, results)
        .context("starting the review stage")
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
