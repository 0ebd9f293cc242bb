//! One camera's session: `run` is retry around a fallible `run_once`.
//!
//! Fates: a child that fails, crashes or falls silent is replaced after a backoff; a file that ends, and any failure in replay,
//! ends the session; the stop signal ends it from outside.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, select_biased};
use parking_lot::Mutex;

use super::backoff::Backoff;
use super::child::{Exe, Running};
use super::proto::{self, Event, Fault, FromChild, Open, Pace, ProtoError, RawFrame, RawPacket, ToChild};
use super::timeline::Timeline;
use super::{Done, FrameSink, FrameSource, Notice, StopSignal, is_file};
use crate::ring::PacketRing;
use kerbside_domain::camera_state::{Blind, CameraState, Off};
use kerbside_domain::frame::{CameraIx, Frame, Level, Packet};
use kerbside_domain::time::{Clock, Mono, SystemClock};

/// How often a quiet session looks at its clocks.
const TICK: Duration = Duration::from_millis(500);
/// What a stopped child gets before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// A child that lived this long resets the backoff, s.
const WELL_S: f64 = 30.0;
/// Memory a child may take beyond its libraries, bytes: a 4K decoder with a full set of references, and a queue.
pub const CHILD_MEMORY: u64 = 768 << 20;

/// What a session needs to know of its camera.
#[derive(Clone, Debug)]
pub struct Setup {
    pub camera: CameraIx,
    pub url: String,
    pub opencv: bool,
    pub pace: Pace,
    pub analysis_fps: f64,
    pub analysis_width: u32,
    pub stall_after_s: f64,
    pub restart_after_s: f64,
    /// Level until the first frame has been judged.
    pub level: Level,
    pub exe: Exe,
    /// Jitter of the backoff.
    pub seed: u64,
}

impl Setup {
    /// A camera of the configuration, as it comes.
    pub fn of(camera: &kerbside_site::config::Camera, exe: Exe) -> Self {
        let pace = if is_file(&camera.url) { Pace::Realtime } else { Pace::Live };
        Setup {
            camera: camera.ix,
            url: camera.url.clone(),
            opencv: camera.backend == kerbside_site::config::Backend::OpenCv,
            pace,
            analysis_fps: camera.looks_per_s,
            analysis_width: camera.look_width,
            stall_after_s: camera.stall_after_s,
            restart_after_s: camera.restart_after_s,
            level: Level::L2,
            exe,
            seed: u64::from(camera.ix.0) ^ u64::from(std::process::id()) << 16,
        }
    }

    fn exe_for_source(&self) -> Exe {
        if super::is_device(&self.url, self.opencv) { self.exe.for_devices() } else { self.exe.clone() }
    }

    fn open(&self) -> Open {
        Open {
            url: self.url.clone(),
            opencv: self.opencv,
            pace: self.pace,
            level: self.level,
            analysis_fps: self.analysis_fps,
            analysis_width: self.analysis_width,
            // The child gives up a little before it would be killed, so that it can say why.
            timeout_s: (self.restart_after_s * 0.9).max(1.0),
            memory_bytes: CHILD_MEMORY,
        }
    }
}

/// The real source: a capture child, replaced when it fails.
#[derive(Debug)]
pub struct Session {
    setup: Setup,
    clock: Arc<dyn Clock>,
    /// Liveness is a matter of real time, in replay too.
    alive: SystemClock,
    ring: Arc<Mutex<PacketRing>>,
    timeline: Timeline,
    backoff: Backoff,
    state: Option<CameraState>,
    /// Epochs of earlier children; those of this child count on.
    epoch_base: u32,
    epoch: u32,
    seq: u64,
}

/// How one child ended.
enum End {
    Stopped,
    Ended,
    Failed { state: CameraState, why: String },
}

impl From<ProtoError> for End {
    fn from(error: ProtoError) -> Self {
        End::Failed { state: CameraState::Off(Off::Crashed), why: error.to_string() }
    }
}

impl FrameSource for Session {
    fn run(&mut self, sink: &mut dyn FrameSink, stop: &StopSignal) -> Done {
        self.say(sink, CameraState::Off(Off::Connecting), "opening");
        loop {
            let begun = self.alive.now().mono;
            let (state, why) = match self.run_once(sink, stop) {
                End::Stopped => return Done::Stopped,
                End::Ended if is_file(&self.setup.url) => {
                    self.say(sink, CameraState::Off(Off::Ended), "end of the file");
                    return Done::Ended;
                }
                End::Ended => (CameraState::Off(Off::Ended), "the stream ended".to_string()),
                End::Failed { state, why } => (state, why),
            };
            self.say(sink, state, &why);
            if self.setup.pace == Pace::Lockstep {
                return Done::Failed;
            }
            if self.alive.now().mono.since_s(begun) >= WELL_S {
                self.backoff.reset();
            }
            let wait_s = self.backoff.wait_s();
            tracing::warn!(
                camera = self.setup.camera.0,
                wait_s,
                why,
                "source failed, it will be opened again"
            );
            sink.notice(self.clock.now(), &Notice::Restarting { wait_s });
            if !self.wait(wait_s, sink, stop) {
                return Done::Stopped;
            }
        }
    }
}

impl Session {
    pub fn new(setup: Setup, clock: Arc<dyn Clock>, ring: Arc<Mutex<PacketRing>>) -> Self {
        let timeline = match setup.pace {
            Pace::Lockstep => Timeline::replay(clock.now()),
            Pace::Live | Pace::Realtime => Timeline::live(),
        };
        let backoff = Backoff::new(setup.seed);
        let alive = SystemClock::new();
        Session { setup, clock, alive, ring, timeline, backoff, state: None, epoch_base: 0, epoch: 0, seq: 0 }
    }

    /// One child, from its start to its end.
    fn run_once(&mut self, sink: &mut dyn FrameSink, stop: &StopSignal) -> End {
        let exe = self.setup.exe_for_source();
        let mut child = match Running::spawn(exe.command()) {
            Ok(child) => child,
            Err(e) => {
                let why = format!("cannot start {}: {e}", exe.program.display());
                return End::Failed { state: CameraState::Off(Off::Crashed), why };
            }
        };
        self.epoch_base = self.epoch;
        let mut watch = Watch::new(self.alive.now().mono, self.setup.level);
        let end = self.talk(&mut child, &mut watch, sink, stop).unwrap_or_else(|end| end);
        child.stop(STOP_LIMIT);
        end
    }

    fn talk(
        &mut self,
        child: &mut Running,
        watch: &mut Watch,
        sink: &mut dyn FrameSink,
        stop: &StopSignal,
    ) -> Result<End, End> {
        tell(child, &ToChild::Open(self.setup.open()))?;
        let messages = child.messages.clone();
        loop {
            let message = select_biased! {
                recv(stop) -> _ => return Ok(End::Stopped),
                recv(messages) -> message => Some(message),
                default(TICK) => None,
            };
            match message {
                Some(Ok(Ok(message))) => {
                    if let Some(end) = self.message(message, child, watch, sink)? {
                        return Ok(end);
                    }
                }
                Some(Ok(Err(error))) => return Err(error.into()),
                Some(Err(_)) => return Err(crashed()),
                None => {}
            }
            self.tick(child, watch, sink)?;
        }
    }

    fn message(
        &mut self,
        message: FromChild,
        child: &mut Running,
        watch: &mut Watch,
        sink: &mut dyn FrameSink,
    ) -> Result<Option<End>, End> {
        match message {
            FromChild::Hello { version: proto::VERSION } => {}
            FromChild::Hello { version } => return Err(ProtoError::Version { theirs: version }.into()),
            FromChild::Stream(mut info) => {
                info.epoch = info.epoch.saturating_add(self.epoch_base);
                self.epoch = info.epoch;
                self.timeline.begin(info.epoch, info.time_base);
                self.ring.lock().set_stream(info.clone());
                sink.stream(&info);
            }
            FromChild::Packet(packet) => {
                watch.heard(self.alive.now().mono);
                self.packet(packet);
            }
            FromChild::Frame(frame) => {
                watch.heard(self.alive.now().mono);
                let level = self.frame(frame, sink);
                watch.level = level;
                tell(child, &ToChild::Ack { level })?;
            }
            FromChild::Stats(stats) => {
                // Without packets (OpenCV) counting frames is all the life there is to see.
                if stats.packets > std::mem::replace(&mut watch.packets, stats.packets) {
                    watch.heard(self.alive.now().mono);
                }
                sink.notice(self.clock.now(), &Notice::Stats(stats));
            }
            FromChild::Event(event) => return Ok(self.event(event, sink)),
        }
        Ok(None)
    }

    fn packet(&mut self, raw: RawPacket) {
        let epoch = raw.epoch.saturating_add(self.epoch_base);
        let at = self.timeline.packet(epoch, raw.pts, self.clock.now());
        let RawPacket { pts, dts, duration, key, data, .. } = raw;
        self.ring.lock().push(Packet { epoch, pts, dts, duration, key, at, data });
    }

    fn frame(&mut self, raw: RawFrame, sink: &mut dyn FrameSink) -> Level {
        let epoch = raw.epoch.saturating_add(self.epoch_base);
        let now = self.clock.now();
        // A backend without packets has only its pictures to anchor by.
        let at = if self.setup.opencv || self.setup.url.starts_with("gst:") {
            self.timeline.packet(epoch, raw.pts, now)
        } else {
            self.timeline.picture(epoch, raw.pts, now)
        };
        self.say(sink, CameraState::Watching, "pictures arrive");
        let RawFrame { pts, level, width, height, rgb, luma, .. } = raw;
        let (camera, seq) = (self.setup.camera, self.seq);
        self.seq += 1;
        sink.frame(Frame { camera, seq, epoch, pts, at, level, width, height, rgb, luma })
    }

    fn event(&mut self, event: Event, sink: &mut dyn FrameSink) -> Option<End> {
        let now = self.clock.now();
        match event {
            Event::Failed { fault, text } => return Some(End::Failed { state: state_of(fault), why: text }),
            Event::Ended => return Some(End::Ended),
            Event::Undecodable { text } => self.say(sink, CameraState::Blind(Blind::Undecodable), &text),
            // The next frame says `Watching`.
            Event::Decodable => {}
            Event::SparseKeys { gap_s } => sink.notice(now, &Notice::SparseKeys { gap_s }),
            Event::ResolutionChanged { from, to } => {
                sink.notice(now, &Notice::ResolutionChanged { from, to });
            }
            Event::StaleFrames => sink.notice(now, &Notice::StaleFrames),
        }
        None
    }

    /// Silence, and the level wanted between frames. Replay has no silence: there the parent may think as long as it likes.
    fn tick(&mut self, child: &mut Running, watch: &mut Watch, sink: &mut dyn FrameSink) -> Result<(), End> {
        if self.setup.pace == Pace::Lockstep {
            return Ok(());
        }
        let now = self.alive.now().mono;
        let silent_s = now.since_s(watch.heard);
        if silent_s >= self.setup.restart_after_s {
            let why = format!("nothing came for {silent_s:.0} s");
            return Err(End::Failed { state: CameraState::Off(Off::Silent), why });
        }
        if watch.flows && silent_s >= self.setup.stall_after_s {
            self.say(sink, CameraState::Off(Off::Silent), &format!("no packet for {silent_s:.0} s"));
        }
        if now.since_s(watch.ticked) >= TICK.as_secs_f64() {
            watch.ticked = now;
            let level = sink.tick(self.clock.now());
            if level != watch.level {
                watch.level = level;
                tell(child, &ToChild::SetLevel(level))?;
            }
        }
        Ok(())
    }

    /// Sleeps through the backoff; false if the stop signal came.
    fn wait(&mut self, wait_s: f64, sink: &mut dyn FrameSink, stop: &StopSignal) -> bool {
        let until = self.alive.now().mono.plus_s(wait_s);
        loop {
            let left_s = until.since_s(self.alive.now().mono);
            if left_s <= 0.0 {
                return true;
            }
            match stop.recv_timeout(TICK.min(Duration::from_secs_f64(left_s))) {
                Err(RecvTimeoutError::Timeout) => drop(sink.tick(self.clock.now())),
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Tells a state once.
    fn say(&mut self, sink: &mut dyn FrameSink, state: CameraState, why: &str) {
        if self.state.replace(state) != Some(state) {
            tracing::info!(camera = self.setup.camera.0, ?state, why, "camera");
            sink.state(self.clock.now(), state, why);
        }
    }
}

/// When the child was heard last.
struct Watch {
    heard: Mono,
    ticked: Mono,
    /// Packets have come: silence is a stall, not a slow start.
    flows: bool,
    packets: u64,
    /// The level told to the child last.
    level: Level,
}

impl Watch {
    fn new(now: Mono, level: Level) -> Self {
        Watch { heard: now, ticked: now, flows: false, packets: 0, level }
    }

    fn heard(&mut self, now: Mono) {
        self.heard = now;
        self.flows = true;
    }
}

/// A child that no longer listens has said why, or its pipe is about to end: either tells more than a broken pipe.
fn tell(child: &mut Running, message: &ToChild) -> Result<(), End> {
    match child.send(message) {
        Err(ProtoError::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

fn crashed() -> End {
    End::Failed {
        state: CameraState::Off(Off::Crashed),
        why: "the capture child ended without a word".to_string(),
    }
}

fn state_of(fault: Fault) -> CameraState {
    match fault {
        Fault::Refused | Fault::Unauthorised | Fault::NotFound | Fault::Other => {
            CameraState::Off(Off::Refused)
        }
        Fault::TimedOut | Fault::Lost => CameraState::Off(Off::Silent),
        Fault::NoVideo | Fault::WrongCodec => CameraState::Off(Off::WrongCodec),
        Fault::Garbled => CameraState::Blind(Blind::Undecodable),
    }
}
