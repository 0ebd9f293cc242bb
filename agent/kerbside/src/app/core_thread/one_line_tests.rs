//! Invariant 14: live and replay run one pipeline. The same packets are played through the live camera thread, detector slots
//! and core thread, and through the replay's line, both on a scripted clock and with a detector that always has time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use crossbeam_channel::{Receiver, bounded};
use expect_test::expect;
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::{BBox, CameraIx, Frame, LUMA_HEIGHT, LUMA_WIDTH, Level};
use kerbside_domain::model::ModelNames;
use kerbside_domain::time::{Clock as _, Moment, Mono, VirtualClock};
use kerbside_infer::slots::Slots;
use kerbside_infer::{Cascade, Detector, DetectorError};
use kerbside_media::ring::PacketRing;
use kerbside_media::{CaptureProgram, FrameSink, FrameSource, SourceEnd, StopSignal};
use kerbside_seeing::incident::{Core, Input};
use kerbside_seeing::pipeline::{CameraControl, CameraLine, DetectionJob};
use kerbside_site::config::Site;
use kerbside_trace::delivery::{Delivery, DeliverySettings};
use kerbside_wire::testing::who;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::events::Event;
use super::{CoreThread, Parts};
use crate::app::camera_thread::{CameraThread, Load};
use crate::app::meters::Meters;
use crate::app::tests::site_with;
use crate::evidence::{self, Evidence};
use crate::replay::{self, line::Line};

/// The clip: a still street of 80 s, five pictures a second, a key frame every two seconds. A bag stands there from 15 s.
const SECONDS: usize = 80;
const FPS: usize = 5;
const KEY_EVERY: usize = 10;
const BAG_FROM_S: f64 = 15.0;
/// The bag in the luma plane: left, top, width, height.
const BAG: (usize, usize, usize, usize) = (70, 50, 14, 12);
const BAG_LEVEL: u8 = 215;
const NOISE: u8 = 4;
const START_MS: i64 = 1_795_221_065_120;

/// Packet `n` as the gate sees it, with a camera's noise: without noise it would count as frozen.
fn luma(n: usize) -> Vec<u8> {
    let at_s = n as f64 / FPS as f64;
    let bag = |x: usize, y: usize| {
        at_s >= BAG_FROM_S && (BAG.0..BAG.0 + BAG.2).contains(&x) && (BAG.1..BAG.1 + BAG.3).contains(&y)
    };
    let joint = |x: usize, y: usize| if x.is_multiple_of(16) || y.is_multiple_of(11) { 18 } else { 0 };
    let slab = |x: usize, y: usize| 95 + y / 3 + (x * 7 + y * 13) % 23 - joint(x, y);
    let mut noise = fastrand::Rng::with_seed(n as u64);
    (0..LUMA_HEIGHT)
        .flat_map(|y| (0..LUMA_WIDTH).map(move |x| (x, y)))
        .map(|(x, y)| if bag(x, y) { BAG_LEVEL } else { slab(x, y) as u8 } + noise.u8(0..=NOISE))
        .collect()
}

fn bag_bbox() -> BBox {
    let share = |v: usize, of: usize| v as f32 / of as f32;
    BBox {
        x: share(BAG.0, LUMA_WIDTH),
        y: share(BAG.1, LUMA_HEIGHT),
        w: share(BAG.2, LUMA_WIDTH),
        h: share(BAG.3, LUMA_HEIGHT),
    }
}

/// Calls the bag waste where it sees it.
struct SeesTheBag;

impl Detector for SeesTheBag {
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectorError> {
        let middle = (BAG.1 + BAG.3 / 2) * LUMA_WIDTH + BAG.0 + BAG.2 / 2;
        let there = frame.luma.get(middle).is_some_and(|level| *level >= BAG_LEVEL);
        let bag =
            Detection { label: "garbage".into(), group: Group::Waste, confidence: 0.9, bbox: bag_bbox() };
        Ok(there.then_some(bag).into_iter().collect())
    }
}

/// Plays the clip's packets as a capture child does: which of them become frames is decided by the level that the sink wants.
struct Packets {
    wanted: Level,
    /// Level of each delivered frame, and the level wanted after it.
    levels: Vec<(u64, Level, Level)>,
}

impl FrameSource for Packets {
    fn run(&mut self, sink: &mut dyn FrameSink, _stop: &StopSignal) -> SourceEnd {
        let start = VirtualClock::new(START_MS).now();
        let at = |s: f64| start.at(Mono::from_s(s));
        sink.state(at(0.0), CameraState::Watching, "pictures arrive");
        let mut seq = 0;
        for n in 0..SECONDS * FPS {
            let decoded = match self.wanted {
                Level::L0 => false,
                Level::L1 => n % KEY_EVERY == 0,
                Level::L2 => true,
            };
            if !decoded {
                continue;
            }
            let at = at(n as f64 / FPS as f64);
            let frame = Frame {
                camera: CameraIx(0),
                seq,
                epoch: 0,
                pts: n as i64,
                at,
                level: self.wanted,
                width: 16,
                height: 9,
                rgb: Bytes::from(vec![90; 16 * 9 * 3]),
                luma: Bytes::from(luma(n)),
            };
            let level = self.wanted;
            self.wanted = sink.frame(frame);
            self.levels.push((at.mono.0 / 1000, level, self.wanted));
            seq += 1;
        }
        SourceEnd::Ended
    }
}

/// What one side did with the packets.
struct Played {
    levels: Vec<(u64, Level, Level)>,
    /// What the core was told by cameras and time.
    inputs: Vec<Input>,
    analysed: usize,
}

fn played(levels: Vec<(u64, Level, Level)>, inputs: Vec<Input>) -> Played {
    // What came of evidence and reviews depends on child processes, which neither side has here.
    let inputs: Vec<Input> = inputs
        .into_iter()
        .filter(|i| matches!(i, Input::Observation(_) | Input::Camera { .. } | Input::Tick(_)))
        .collect();
    let detected = |i: &&Input| matches!(i, Input::Observation(o) if o.detections.is_some());
    Played { levels, analysed: inputs.iter().filter(detected).count(), inputs }
}

/// The live side, stepped by hand: after each packet the detector takes what waits, then the core does.
struct Live {
    clock: Arc<VirtualClock>,
    camera: CameraThread,
    slots: Arc<Slots<DetectionJob>>,
    with_detector: Arc<AtomicUsize>,
    cascade: Cascade,
    waiting: Receiver<Input>,
    core: CoreThread,
}

impl Live {
    fn new(dir: &std::path::Path, site: &Arc<Site>) -> Self {
        let clock = VirtualClock::new(START_MS);
        let camera = site.cameras.first().unwrap();
        let meters = Meters::new(site, clock.clone());
        let (delivery, _) = Delivery::open(DeliverySettings::new(dir, true), who(), clock.clone()).unwrap();
        let ring = Arc::new(Mutex::new(PacketRing::new(1.0, 1)));
        let (inputs, waiting) = bounded(64);
        let (outcomes, _) = bounded(64);
        let no_child = Box::new(|_: &_| Err("no child in this test".to_owned()));
        let evidence = Evidence::new(dir.join("evidence"), "box".into(), 0, Vec::new(), no_child);
        let control = Arc::<CameraControl>::default();
        let (slots, with_detector) = (Arc::new(Slots::new(1)), Arc::<AtomicUsize>::default());
        let core = CoreThread::new(Parts {
            core: Core::new(site),
            site: site.clone(),
            clock: clock.clone(),
            delivery,
            evidence: evidence::spawn(evidence, clock.clone(), outcomes, |_| {}, None).unwrap(),
            review: None,
            cameras: vec![control.clone()],
            uploads: mpsc::channel(1).0,
            warnings: mpsc::channel(1).0,
            restart: Arc::new(Notify::new()),
            meter: meters.core(),
        });
        let camera = CameraThread {
            camera: camera.ix,
            id: camera.id.clone(),
            line: CameraLine::new(camera, control, true, Mono::ZERO),
            slots: Some(slots.clone()),
            inputs,
            meter: meters.camera(camera.ix, ring).unwrap(),
            period_s: 1.0 / FPS as f64,
            load: Load::new(camera.id.clone(), with_detector.clone(), Mono::ZERO),
        };
        let cascade = Cascade::new(Box::new(SeesTheBag), None);
        Live { clock, camera, slots, with_detector, cascade, waiting, core }
    }

    fn pump(&mut self) {
        while self.slots.waiting() > 0 {
            let job = self.slots.wait(&*self.clock).unwrap();
            let observed = self.cascade.observe(job);
            self.camera.inputs.send(Input::Observation(observed.observation)).unwrap();
            self.with_detector.fetch_sub(1, Ordering::AcqRel);
        }
        while let Ok(input) = self.waiting.try_recv() {
            self.core.handle(Event::Input(input));
        }
    }
}

impl FrameSink for Live {
    fn frame(&mut self, frame: Frame) -> Level {
        self.clock.advance_to(frame.at.mono);
        self.core.tick(0);
        let level = self.camera.frame(frame);
        self.pump();
        level
    }

    fn state(&mut self, at: Moment, state: CameraState, why: &str) {
        self.camera.state(at, state, why);
        self.pump();
    }

    fn tick(&mut self, at: Moment) -> Level {
        self.camera.tick(at)
    }
}

fn live(site: &Arc<Site>) -> Played {
    let dir = tempfile::tempdir().unwrap();
    let mut live = Live::new(dir.path(), site);
    let levels = run(&mut live);
    played(levels, std::mem::take(&mut live.core.stepped))
}

fn replayed(site: &Arc<Site>) -> Played {
    let dir = tempfile::tempdir().unwrap();
    let camera = site.cameras.first().unwrap();
    let options = replay::options::Options {
        site: (**site).clone(),
        camera: camera.ix,
        clip: "none.mp4".into(),
        out: dir.path().to_owned(),
        annotated: None,
        truth: None,
        start_wall_ms: START_MS,
        realtime: false,
        lang: Default::default(),
        exe: CaptureProgram::of("/nonexistent/kerbside"),
        models: ModelNames::default(),
        record_inputs: true,
        hold_s: 0.0,
    };
    let clock = VirtualClock::new(START_MS);
    let ring = Arc::new(Mutex::new(PacketRing::new(1.0, 1)));
    let cascade = Cascade::new(Box::new(SeesTheBag), None);
    let mut ignored = |_: &str| {};
    let mut line = Line::new(site, camera, &options, cascade, clock.clone(), ring, &mut ignored).unwrap();
    let levels = run(&mut line);
    let mut inputs = line.finish(clock.now(), None).unwrap().inputs;
    // The end of the clip is a tick of its own.
    assert!(matches!(inputs.pop(), Some(Input::Tick(_) | Input::Evidence(_))));
    played(levels, inputs)
}

fn run(sink: &mut dyn FrameSink) -> Vec<(u64, Level, Level)> {
    let (_running, stop) = bounded(0);
    let mut packets = Packets { wanted: Level::L2, levels: Vec::new() };
    packets.run(sink, &stop);
    packets.levels
}

/// All of the picture is a zone in which nothing may be dumped.
const ZONE: &str = r#"
  [[camera.zone]]
  id = "all"
  polygon_norm = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
  [[camera.zone.rule]]
  id = "no-dumping"
  kinds = ["waste.exposed"]
  dwell_s = 20
  min_area_norm = 0.0008
  sensitivity = 5
  repeat_s = 600
  clear_after_s = 6
"#;

/// Where the level wanted changes, in words.
fn changes(levels: &[(u64, Level, Level)]) -> String {
    let mut text = String::new();
    let mut before = Level::L2;
    for (at_ms, _, wanted) in levels {
        if *wanted != before {
            text.push_str(&format!("{:.1} s {wanted:?}\n", *at_ms as f64 / 1000.0));
            before = *wanted;
        }
    }
    text
}

/// All that a core says to these inputs.
fn effects(site: &Site, inputs: &[Input]) -> Vec<String> {
    let (mut core, mut effects) = (Core::new(site), Vec::new());
    inputs.iter().for_each(|input| core.step(input.clone(), &mut effects));
    effects.iter().map(|effect| format!("{effect:?}")).collect()
}

#[test]
fn live_and_replay_do_the_same_with_the_same_packets() {
    let dir = tempfile::tempdir().unwrap();
    let site = Arc::new(site_with(dir.path(), ZONE));
    let (live, replayed) = (live(&site), replayed(&site));
    assert_eq!(live.levels, replayed.levels, "decode levels");
    let text = |inputs: &[Input]| inputs.iter().map(|i| format!("{i:?}")).collect::<Vec<_>>();
    let (live_inputs, replay_inputs) = (text(&live.inputs), text(&replayed.inputs));
    for (n, (live, replay)) in live_inputs.iter().zip(&replay_inputs).enumerate() {
        assert_eq!(live, replay, "input {n} of the core");
    }
    assert_eq!(live_inputs.len(), replay_inputs.len(), "number of inputs");
    let said = effects(&site, &live.inputs);
    assert_eq!(said, effects(&site, &replayed.inputs), "effects");
    assert!(said.iter().any(|effect| effect.contains("Opened")), "the bag is reported: {said:#?}");
    // The ladder follows what is active, not what is merely due for detection: a still street rests on key frames.
    let summary =
        format!("{} of {} packets analysed\n{}", live.analysed, SECONDS * FPS, changes(&live.levels));
    expect![[r#"
        82 of 400 packets analysed
        12.8 s L1
        16.0 s L2
        37.0 s L1
    "#]]
    .assert_eq(&summary);
}
