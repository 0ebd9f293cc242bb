//! A session and a watcher that writes down what it is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{CameraIx, Frame, Level, Packet, StreamInfo};
use kerbside_domain::time::{Clock, Moment, Mono, SystemClock, VirtualClock};
use kerbside_media::ring::PacketRing;
use kerbside_media::{
    CaptureProgram, CaptureSession, CaptureSettings, FrameSink, FrameSource, Notice, Pace, SourceEnd,
    StopSignal,
};
use kerbside_testkit::wait::now;
use parking_lot::Mutex;

/// The program under test.
pub fn kerbside() -> CaptureProgram {
    CaptureProgram::of(env!("CARGO_BIN_EXE_kerbside"))
}

/// A script in place of the program.
pub fn sh(script: &str) -> CaptureProgram {
    let args = vec!["-c".into(), script.into()];
    CaptureProgram { path: "/bin/sh".into(), args, ..CaptureProgram::default() }
}

/// 640x360, 10 pictures a second, 46 s, a key picture every 2 s.
pub fn bag_left() -> PathBuf {
    kerbside_testkit::clip("bag-left.mp4")
}

pub fn setup(url: impl Into<String>, pace: Pace) -> CaptureSettings {
    CaptureSettings {
        camera: CameraIx(0),
        url: url.into(),
        transport: Default::default(),
        tls: Default::default(),
        opencv: false,
        libav: false,
        pace,
        analysis_fps: 5.0,
        analysis_width: 320,
        stall_after_s: 0.3,
        restart_after_s: 1.2,
        level: Level::L2,
        program: kerbside(),
        ring_bytes: 24 << 20,
        seed: 1,
    }
}

/// Says the level for the frame of this number.
type Judge = Box<dyn FnMut(u64) -> Level + Send>;

pub struct Seen {
    pub streams: Vec<StreamInfo>,
    pub frames: Vec<Frame>,
    pub states: Vec<CameraState>,
    pub why: Vec<String>,
    pub notices: Vec<Notice>,
    judge: Judge,
    level: Level,
    /// When it has seen enough.
    ends: Option<Instant>,
    /// Frames after which it is over.
    enough: u64,
    /// Dropped at the first restart, and at the end.
    stopper: Option<Sender<std::convert::Infallible>>,
}

impl FrameSink for Seen {
    fn stream(&mut self, info: &StreamInfo) {
        self.streams.push(info.clone());
    }

    fn frame(&mut self, frame: Frame) -> Level {
        self.level = (self.judge)(frame.seq);
        self.frames.push(frame);
        if self.frames.len() as u64 >= self.enough {
            self.stopper = None;
        }
        self.level
    }

    fn state(&mut self, _at: Moment, state: CameraState, why: &str) {
        self.states.push(state);
        self.why.push(why.to_string());
    }

    fn notice(&mut self, _at: Moment, notice: &Notice) {
        if matches!(notice, Notice::Restarting { .. }) {
            self.stopper = None;
        }
        self.notices.push(notice.clone());
    }

    fn tick(&mut self, _at: Moment) -> Level {
        if self.ends.is_some_and(|ends| now() >= ends) {
            self.stopper = None;
        }
        self.level
    }
}

/// Runs a source until it is done, or until its child is to be replaced for the first time.
pub fn run(setup: CaptureSettings) -> (SourceEnd, Seen, PacketRing) {
    run_judged(setup, Box::new(|_| Level::L2))
}

pub fn run_judged(setup: CaptureSettings, judge: Judge) -> (SourceEnd, Seen, PacketRing) {
    run_until(setup, judge, None, u64::MAX)
}

/// Runs a live source for so long, or until its child is to be replaced for the first time.
pub fn run_for(setup: CaptureSettings, limit: Duration, judge: Judge) -> (Seen, PacketRing) {
    let (_, seen, ring) = run_until(setup, judge, Some(limit), u64::MAX);
    (seen, ring)
}

/// Runs a live source until so many frames came, or until its child is to be replaced for the first time.
pub fn run_frames(setup: CaptureSettings, enough: u64) -> (Seen, PacketRing) {
    let (_, seen, ring) = run_until(setup, Box::new(|_| Level::L2), None, enough);
    (seen, ring)
}

/// Runs a live source until so many frames came, or until it fails for the first time.
pub fn watch(setup: CaptureSettings, enough: u64) -> Seen {
    run_until(setup, Box::new(|_| Level::L2), None, enough).1
}

fn run_until(
    setup: CaptureSettings,
    judge: Judge,
    limit: Option<Duration>,
    enough: u64,
) -> (SourceEnd, Seen, PacketRing) {
    let clock: Arc<dyn Clock> = match setup.pace {
        Pace::Lockstep => VirtualClock::new(0),
        _ => Arc::new(SystemClock::new()),
    };
    let ring = Arc::new(Mutex::new(PacketRing::new(120.0, 64 << 20)));
    let (stopper, stop): (_, StopSignal) = crossbeam_channel::bounded(0);
    let level = setup.level;
    let mut seen = Seen {
        streams: Vec::new(),
        frames: Vec::new(),
        states: Vec::new(),
        why: Vec::new(),
        notices: Vec::new(),
        judge,
        level,
        ends: limit.map(|limit| now() + limit),
        enough,
        stopper: Some(stopper),
    };
    let mut session = CaptureSession::new(setup, clock, Arc::clone(&ring));
    let done = session.run(&mut seen, &stop);
    drop(session);
    let ring = Arc::try_unwrap(ring).expect("the session is gone").into_inner();
    (done, seen, ring)
}

/// A whole file as the demuxer gives it.
pub fn packets_of(path: &Path) -> (StreamInfo, Vec<Packet>) {
    let mut setup = setup(path.to_str().unwrap(), Pace::Lockstep);
    setup.level = Level::L1;
    setup.analysis_fps = 0.1;
    let (done, _, ring) = run_judged(setup, Box::new(|_| Level::L1));
    assert_eq!(done, SourceEnd::Ended);
    let span = ring.span(Mono::ZERO, Mono::from_s(1e6)).expect("packets");
    (span.stream, span.packets)
}
