//! One camera's session: `run` is retry around a fallible `run_once`.
//!
//! Fates: a child that fails, crashes or falls silent is replaced after a backoff; a file that ends, and any failure in replay,
//! ends the session; the stop signal ends it from outside.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, select_biased};
use kerbside_domain::camera_state::{Blind, CameraState, Off};
use kerbside_domain::frame::{Frame, Level, Packet};
use kerbside_domain::time::{Clock, SystemClock};
use kerbside_site::camera_url::NetworkUrl;
use parking_lot::Mutex;

use super::backoff::Backoff;
use super::budget::TalkBudget;
use super::liveness::ChildLiveness;
use super::process::CaptureProcess;
use super::reach::{self, Way};
use super::settings::CaptureSettings;
use super::timeline::Timeline;
use crate::confinement::Confinement;
use crate::proto::{
    CaptureEvent, FromChild, OpenSource, Pace, ProtoError, RawFrame, RawPacket, SourceFault, ToChild,
};
use crate::ring::PacketRing;
use crate::source::{FrameSink, FrameSource, Notice, SourceEnd, StopSignal};
use crate::tuning::{
    HUNG_AFTER_TICKS, MAX_REDIRECT_BYTES, MAX_REDIRECTS, REACH_LIMIT_S, SAID_LINE_BYTES, SESSION_TICK,
    STABLE_AFTER_S, STOP_LIMIT, TALLEST_FRAME,
};
use crate::url;

/// The real source: a capture child, replaced when it fails.
#[derive(Debug)]
pub struct CaptureSession {
    settings: CaptureSettings,
    clock: Arc<dyn Clock>,
    /// Liveness is a matter of real time, in replay too.
    real_clock: SystemClock,
    ring: Arc<Mutex<PacketRing>>,
    timeline: Timeline,
    backoff: Backoff,
    state: Option<CameraState>,
    /// What stands around the child, as it was logged last.
    confinement: Option<Confinement>,
    /// Nobody answered at the last attempt: a connection is tried before a process is started.
    is_unreachable: bool,
    /// Where the camera sent us, on its own host, and how often in a row.
    followed: Option<NetworkUrl>,
    redirects: u32,
    /// What the child of now opens.
    way: Option<Way>,
    /// Epochs of earlier children; those of this child count on from it.
    epoch_base: u32,
    epoch: u32,
    seq: u64,
}

/// One child and what is known of its life.
struct RunningChild {
    process: CaptureProcess,
    liveness: ChildLiveness,
    talk: TalkBudget,
}

/// How one child ended.
enum ChildEnd {
    Stopped,
    Ended,
    Failed {
        state: CameraState,
        why: String,
    },
    /// The camera has the stream at another address of its host.
    Redirected(NetworkUrl),
}

impl From<ProtoError> for ChildEnd {
    fn from(error: ProtoError) -> Self {
        ChildEnd::failed(CameraState::Off(Off::Crashed), error.to_string())
    }
}

impl FrameSource for CaptureSession {
    fn run(&mut self, sink: &mut dyn FrameSink, stop: &StopSignal) -> SourceEnd {
        self.report_state(sink, CameraState::Off(Off::Connecting), "opening");
        loop {
            let started = self.real_clock.now().mono;
            let (state, why) = match self.run_once(sink, stop) {
                ChildEnd::Stopped => return SourceEnd::Stopped,
                ChildEnd::Ended if url::is_file(&self.settings.url) => {
                    self.report_state(sink, CameraState::Off(Off::Ended), "end of the file");
                    return SourceEnd::Ended;
                }
                ChildEnd::Ended => (CameraState::Off(Off::Ended), "the stream ended".to_string()),
                ChildEnd::Failed { state, why } => (state, why),
                ChildEnd::Redirected(url) => {
                    self.followed = Some(url);
                    continue;
                }
            };
            self.is_unreachable = state == CameraState::Off(Off::Unreachable);
            (self.followed, self.redirects) = (None, 0);
            self.report_state(sink, state, &why);
            if self.settings.pace == Pace::Lockstep {
                return SourceEnd::Failed;
            }
            if self.real_clock.now().mono.since_s(started) >= STABLE_AFTER_S {
                self.backoff.reset();
            }
            let wait_s = self.backoff.wait_s();
            tracing::warn!(
                camera = self.settings.camera.0,
                wait_s,
                why,
                "source failed; it will be reopened"
            );
            sink.notice(self.clock.now(), &Notice::Restarting { wait_s });
            if !self.wait(wait_s, sink, stop) {
                return SourceEnd::Stopped;
            }
        }
    }
}

impl CaptureSession {
    /// `clock` dates packets and frames; `ring` takes the packets.
    pub fn new(settings: CaptureSettings, clock: Arc<dyn Clock>, ring: Arc<Mutex<PacketRing>>) -> Self {
        let timeline = match settings.pace {
            Pace::Lockstep => Timeline::replay(clock.now()),
            Pace::Live | Pace::Realtime => Timeline::live(),
        };
        let backoff = Backoff::new(settings.seed);
        CaptureSession {
            settings,
            clock,
            real_clock: SystemClock::new(),
            ring,
            timeline,
            backoff,
            state: None,
            confinement: None,
            is_unreachable: false,
            followed: None,
            redirects: 0,
            way: None,
            epoch_base: 0,
            epoch: 0,
            seq: 0,
        }
    }

    /// One child, from its start to its end.
    fn run_once(&mut self, sink: &mut dyn FrameSink, stop: &StopSignal) -> ChildEnd {
        self.way = match self.reach(sink, stop) {
            Ok(way) => way,
            Err(end) => return end,
        };
        let program = self.settings.program_for_source();
        let cell = program.source_cell(&self.open());
        let name = format!("camera {}", self.settings.camera.0);
        let process = match CaptureProcess::start(&program, cell, name) {
            Ok(process) => process,
            Err(error) => {
                let why = format!("cannot start {}: {error}", program.path.display());
                return ChildEnd::failed(CameraState::Off(Off::Crashed), why);
            }
        };
        self.epoch_base = self.epoch;
        let now = self.real_clock.now().mono;
        let liveness = ChildLiveness::new(now, self.settings.level);
        let mut child = RunningChild { process, liveness, talk: TalkBudget::new(now) };
        let end = self.serve(&mut child, sink, stop).unwrap_or_else(|end| end);
        child.process.stop(STOP_LIMIT);
        // Its tunnel ends with it.
        self.way = None;
        end
    }

    /// The way to a network camera; `None`: there is none to find.
    fn reach(&mut self, sink: &mut dyn FrameSink, stop: &StopSignal) -> Result<Option<Way>, ChildEnd> {
        let url = self.followed.clone().or_else(|| url::network(&self.settings.url));
        let Some(url) = url else { return Ok(None) };
        if !url.scheme.is_tls() && !self.is_unreachable {
            return Ok(Some(Way { url, tunnel: None }));
        }
        let limit = Duration::from_secs_f64(self.settings.restart_after_s.min(REACH_LIMIT_S));
        let crashed = |why: String| ChildEnd::failed(CameraState::Off(Off::Crashed), why);
        let answer = reach::begin(url, self.settings.tls.clone(), limit)
            .map_err(|e| crashed(format!("no thread to reach the camera: {e}")))?;
        loop {
            select_biased! {
                recv(stop) -> _ => return Err(ChildEnd::Stopped),
                recv(answer) -> answer => return match answer {
                    Ok(Ok(way)) => Ok(Some(way)),
                    Ok(Err(fault)) => Err(ChildEnd::failed(CameraState::Off(fault.off), fault.text)),
                    Err(_) => Err(crashed("the thread that reaches the camera ended".to_owned())),
                },
                default(SESSION_TICK) => {
                    sink.tick(self.clock.now());
                }
            }
        }
    }

    /// What the child opens, by the way that was found.
    fn open(&self) -> OpenSource {
        let open = self.settings.open();
        match &self.way {
            Some(way) => OpenSource { url: way.url.with_login(), host: self.host(), ..open },
            None => open,
        }
    }

    /// The camera's own name, where the child reaches it by another.
    fn host(&self) -> Option<String> {
        let tunnelled = self.way.as_ref().is_some_and(|way| way.tunnel.is_some());
        let url = self.followed.clone().or_else(|| url::network(&self.settings.url));
        url.filter(|_| tunnelled).map(|url| url.address())
    }

    /// A child's text with the camera's name instead of the tunnel's, and without secrets.
    fn told(&self, text: &str) -> String {
        let text = match (&self.way, self.host()) {
            (Some(way), Some(host)) => text.replace(&way.url.address(), &host),
            _ => text.to_owned(),
        };
        let text = match &self.followed {
            Some(followed) => url::hide(&text, &followed.with_login()),
            None => text,
        };
        url::hide(&text, &self.settings.url)
    }

    /// A camera may move its stream on its own host; elsewhere nobody is led. `to` may hold secrets and be long: it is printed
    /// without them, and short.
    fn redirected(&mut self, to: &str) -> ChildEnd {
        let to = match (&self.way, self.host()) {
            (Some(way), Some(host)) => to.replace(&way.url.address(), &host),
            _ => to.to_owned(),
        };
        let ours = self.followed.clone().or_else(|| url::network(&self.settings.url));
        let (Some(ours), Some(theirs)) = (ours, url::network(&to)) else {
            let shown = shortened(url::redacted(&to));
            let why = format!("the camera sends its viewers to {shown}, which is no stream");
            return ChildEnd::failed(CameraState::Off(Off::Protocol), why);
        };
        self.redirects += 1;
        let is_same = to.len() <= MAX_REDIRECT_BYTES
            && theirs.host.eq_ignore_ascii_case(&ours.host)
            && theirs.scheme.is_rtsp() == ours.scheme.is_rtsp()
            && (theirs.scheme.is_tls() || !ours.scheme.is_tls());
        if is_same && self.redirects <= MAX_REDIRECTS {
            return ChildEnd::Redirected(NetworkUrl { login: theirs.login.or(ours.login), ..theirs });
        }
        let why = format!(
            "the camera sends its viewers to {}, which is not followed: write that address in url if it is right",
            shortened(theirs.redacted())
        );
        ChildEnd::failed(CameraState::Off(Off::Protocol), why)
    }

    /// Takes the child's messages until it ends.
    fn serve(
        &mut self,
        child: &mut RunningChild,
        sink: &mut dyn FrameSink,
        stop: &StopSignal,
    ) -> Result<ChildEnd, ChildEnd> {
        let messages = child.process.messages.clone();
        let mut quiet_ticks = 0;
        loop {
            let message = select_biased! {
                recv(stop) -> _ => return Ok(ChildEnd::Stopped),
                recv(messages) -> message => Some(message),
                default(SESSION_TICK) => None,
            };
            quiet_ticks = if message.is_none() { quiet_ticks + 1 } else { 0 };
            match message {
                Some(Ok(Ok(message))) => {
                    if let Some(end) = self.message(message, child, sink)? {
                        return Ok(end);
                    }
                }
                Some(Ok(Err(error))) => return Err(error.into()),
                Some(Err(_)) => return Err(ChildEnd::without_a_word()),
                // In a replay the parent may take as long as it likes; a child that says nothing to one that waits hangs.
                None if quiet_ticks >= HUNG_AFTER_TICKS => return Err(ChildEnd::hung()),
                None => {}
            }
            self.tick(child, sink)?;
        }
    }

    fn message(
        &mut self,
        message: FromChild,
        child: &mut RunningChild,
        sink: &mut dyn FrameSink,
    ) -> Result<Option<ChildEnd>, ChildEnd> {
        let real_now = self.real_clock.now().mono;
        self.check(&message, child)?;
        match message {
            FromChild::Hello(greeting) => {
                let stands = child.process.greeted(greeting, self.open())?;
                self.stands(stands, sink);
            }
            FromChild::Stream(mut info) => {
                info.epoch = info.epoch.saturating_add(self.epoch_base);
                self.epoch = info.epoch;
                self.timeline.begin(info.epoch, info.time_base);
                self.ring.lock().set_stream(info.clone());
                sink.stream(&info);
            }
            FromChild::Packet(packet) => {
                child.liveness.delivered(real_now);
                self.packet(packet);
            }
            FromChild::Spare(picture) => self.spare(picture),
            FromChild::Frame(frame) => {
                child.liveness.delivered(real_now);
                let level = self.frame(frame, sink);
                child.liveness.level = level;
                child.process.send(&ToChild::Ack { level })?;
            }
            FromChild::Stats(mut stats) => {
                child.liveness.counted(stats.packets, real_now);
                stats.rss_bytes = child.process.resident_bytes();
                sink.notice(self.clock.now(), &Notice::Stats(stats));
            }
            FromChild::Event(CaptureEvent::Sealed { open }) => {
                let stands = child.process.sealed(open)?;
                self.stands(stands, sink);
            }
            FromChild::Event(event) => return Ok(self.event(event, sink)),
        }
        Ok(None)
    }

    /// Refuses what no honest child sends. It decodes what strangers send, so it may be theirs.
    fn check(&self, message: &FromChild, child: &mut RunningChild) -> Result<(), ProtoError> {
        if !child.process.has_greeted() && !matches!(message, FromChild::Hello(_)) {
            return Err(ProtoError::OutOfTurn("a child greets first"));
        }
        match message {
            // One mark in the ring, no line of log.
            FromChild::Event(CaptureEvent::Damaged { .. }) => Ok(()),
            FromChild::Packet(_) | FromChild::Spare(_) => Ok(()),
            FromChild::Frame(frame) => self.check_size(frame),
            FromChild::Hello(_) | FromChild::Stream(_) | FromChild::Event(_) | FromChild::Stats(_) => {
                // A replay has no time of its own; it talks as fast as it is read.
                let may = self.settings.pace == Pace::Lockstep || child.talk.take(self.real_clock.now().mono);
                may.then_some(()).ok_or(ProtoError::OutOfTurn("the child announces too much"))
            }
        }
    }

    /// A frame is as wide as it was asked for, or narrower if the picture is, and no tower: what is made of it takes memory by
    /// its size.
    fn check_size(&self, frame: &RawFrame) -> Result<(), ProtoError> {
        let (width, height, asked) = (frame.width, frame.height, self.settings.analysis_width.max(2));
        if width <= asked && height <= asked.saturating_mul(TALLEST_FRAME) {
            return Ok(());
        }
        Err(ProtoError::Size { what: "frame", width, height })
    }

    /// Logs what stands around the child when it is another than before, and tells the sink.
    fn stands(&mut self, stands: Confinement, sink: &mut dyn FrameSink) {
        if self.confinement.as_ref() != Some(&stands) {
            let whole = stands.walls().iter().all(|(_, wall)| wall.is_whole());
            let (camera, confined) = (self.settings.camera.0, stands.to_string());
            if whole {
                tracing::info!(camera, confined, "the capture child is confined");
            } else {
                tracing::warn!(camera, confined, "the capture child is not confined in full");
            }
            self.confinement = Some(stands.clone());
        }
        sink.notice(self.clock.now(), &Notice::Confined(stands));
    }

    fn packet(&mut self, raw: RawPacket) {
        let epoch = raw.epoch.saturating_add(self.epoch_base);
        let at = self.timeline.packet(epoch, raw.pts, self.clock.now());
        let RawPacket { pts, dts, duration, key, refresh, damaged, data, .. } = raw;
        self.ring.lock().push(Packet { epoch, pts, dts, duration, key, refresh, damaged, at, data });
    }

    fn spare(&mut self, raw: RawPacket) {
        let epoch = raw.epoch.saturating_add(self.epoch_base);
        let at = self.timeline.picture(epoch, raw.pts, self.clock.now());
        let RawPacket { pts, dts, duration, key, refresh, damaged, data, .. } = raw;
        self.ring.lock().push_spare(Packet { epoch, pts, dts, duration, key, refresh, damaged, at, data });
    }

    fn frame(&mut self, raw: RawFrame, sink: &mut dyn FrameSink) -> Level {
        let epoch = raw.epoch.saturating_add(self.epoch_base);
        let now = self.clock.now();
        let at = if self.settings.has_no_packets() {
            self.timeline.packet(epoch, raw.pts, now)
        } else {
            self.timeline.picture(epoch, raw.pts, now)
        };
        self.report_state(sink, CameraState::Watching, "pictures arrive");
        let RawFrame { pts, level, width, height, rgb, luma, .. } = raw;
        let (camera, seq) = (self.settings.camera, self.seq);
        self.seq += 1;
        sink.frame(Frame { camera, seq, epoch, pts, at, level, width, height, rgb, luma })
    }

    fn event(&mut self, event: CaptureEvent, sink: &mut dyn FrameSink) -> Option<ChildEnd> {
        let now = self.clock.now();
        match event {
            CaptureEvent::Failed { fault: SourceFault::Redirected, text } => {
                return Some(self.redirected(&text));
            }
            CaptureEvent::Failed { fault, text } => {
                return Some(ChildEnd::failed(state_of(fault), self.told(&shortened(text))));
            }
            CaptureEvent::Ended => return Some(ChildEnd::Ended),
            CaptureEvent::Undecodable { text } => {
                let text = self.told(&shortened(text));
                self.report_state(sink, CameraState::Blind(Blind::Undecodable), &text);
            }
            // The next frame reports `Watching`.
            CaptureEvent::Decodable => {}
            CaptureEvent::SparseKeys { gap_s } => sink.notice(now, &Notice::SparseKeys { gap_s }),
            CaptureEvent::ResolutionChanged { from, to } => {
                sink.notice(now, &Notice::ResolutionChanged { from, to });
            }
            CaptureEvent::ClockUnreliable(fault) => sink.notice(now, &Notice::ClockUnreliable(fault)),
            CaptureEvent::Damaged { epoch, pts } => {
                self.ring.lock().damaged(epoch.saturating_add(self.epoch_base), pts);
            }
            CaptureEvent::GroupTooLarge { bytes, seconds } => {
                sink.notice(now, &Notice::GroupTooLarge { bytes, seconds });
            }
            CaptureEvent::StaleFrames => sink.notice(now, &Notice::StaleFrames),
            // Taken before, with the child at hand.
            CaptureEvent::Sealed { .. } => {}
        }
        None
    }

    /// Checks for silence, and passes on the level wanted between frames. A replay has no silence: there the parent may take as
    /// long as it likes.
    fn tick(&mut self, child: &mut RunningChild, sink: &mut dyn FrameSink) -> Result<(), ChildEnd> {
        if self.settings.pace == Pace::Lockstep {
            return Ok(());
        }
        let now = self.real_clock.now().mono;
        let silent_s = child.liveness.silent_s(now);
        if silent_s >= self.settings.restart_after_s {
            let why = format!("nothing came for {silent_s:.0} s");
            return Err(ChildEnd::failed(CameraState::Off(Off::Silent), why));
        }
        if child.liveness.has_delivered && silent_s >= self.settings.stall_after_s {
            let why = format!("no packet for {silent_s:.0} s");
            self.report_state(sink, CameraState::Off(Off::Silent), &why);
        }
        if child.liveness.tick_due(now, SESSION_TICK.as_secs_f64()) {
            let level = sink.tick(self.clock.now());
            // A child that has not greeted takes no order before the one to open its source.
            if level != child.liveness.level && child.process.has_greeted() {
                child.liveness.level = level;
                child.process.send(&ToChild::SetLevel(level))?;
            }
        }
        Ok(())
    }

    /// Sleeps through the backoff; false if the stop signal came.
    fn wait(&mut self, wait_s: f64, sink: &mut dyn FrameSink, stop: &StopSignal) -> bool {
        let until = self.real_clock.now().mono.plus_s(wait_s);
        loop {
            let left_s = until.since_s(self.real_clock.now().mono);
            if left_s <= 0.0 {
                return true;
            }
            match stop.recv_timeout(SESSION_TICK.min(Duration::from_secs_f64(left_s))) {
                Err(RecvTimeoutError::Timeout) => _ = sink.tick(self.clock.now()),
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Reports a state once.
    fn report_state(&mut self, sink: &mut dyn FrameSink, state: CameraState, why: &str) {
        if self.state.replace(state) != Some(state) {
            tracing::info!(camera = self.settings.camera.0, ?state, why, "source state");
            sink.state(self.clock.now(), state, why);
        }
    }
}

impl ChildEnd {
    fn failed(state: CameraState, why: String) -> Self {
        ChildEnd::Failed { state, why }
    }

    fn hung() -> Self {
        ChildEnd::failed(CameraState::Off(Off::Silent), "the capture child hangs".to_string())
    }

    fn without_a_word() -> Self {
        ChildEnd::failed(CameraState::Off(Off::Crashed), "the capture child ended without a word".to_string())
    }
}

/// A child's sentence, no longer than one.
fn shortened(text: String) -> String {
    match text.char_indices().nth(SAID_LINE_BYTES) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn state_of(fault: SourceFault) -> CameraState {
    match fault {
        SourceFault::Refused | SourceFault::Other => CameraState::Off(Off::Refused),
        SourceFault::Unreachable => CameraState::Off(Off::Unreachable),
        SourceFault::Unauthorised => CameraState::Off(Off::Unauthorised),
        SourceFault::NotFound => CameraState::Off(Off::NotFound),
        SourceFault::Protocol | SourceFault::Redirected => CameraState::Off(Off::Protocol),
        SourceFault::TimedOut | SourceFault::Lost => CameraState::Off(Off::Silent),
        SourceFault::NoVideo | SourceFault::WrongCodec => CameraState::Off(Off::WrongCodec),
        SourceFault::Garbled => CameraState::Blind(Blind::Undecodable),
    }
}
