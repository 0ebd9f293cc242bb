//! A camera's side of the line: gate and ladder on the camera's thread, looks on to the detector or straight to the core.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam_channel::Sender;

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{CameraIx, Frame, Level, StreamInfo};
use kerbside_domain::time::{Moment, Mono};
use kerbside_infer::worker::DetectionJob;
use kerbside_media::source::{FrameSink, Notice};
use kerbside_seeing::gate::Gate;
use kerbside_seeing::incident::{Input, Observation};
use kerbside_seeing::ladder::Ladder;

/// Share of looks that the slot lost, over [`JUDGE_S`], beyond which the box is overloaded.
const OVERLOAD_SHARE: f64 = 0.5;
const JUDGE_S: f64 = 10.0;

/// What the core's thread wants of a camera's thread.
#[derive(Debug, Default)]
pub(super) struct CameraControl {
    /// Never gate it off, never below L1.
    pub(super) hold: AtomicBool,
    /// Nobody shall judge what it sees.
    pub(super) paused: AtomicBool,
}

pub(super) struct CameraWatcher {
    pub(super) camera: CameraIx,
    pub(super) id: String,
    pub(super) gate: Gate,
    pub(super) ladder: Ladder,
    pub(super) wish: Arc<CameraControl>,
    /// `None`: no detector on this box; the gate alone cannot judge.
    pub(super) slots: Option<Arc<kerbside_infer::schedule::Slots<DetectionJob>>>,
    pub(super) inputs: Sender<Input>,
    pub(super) meter: super::meter::CameraMeter,
    /// Looks in the camera's slot or in the detector.
    pub(super) with_detector: Arc<AtomicUsize>,
    /// Time between two looks, s.
    pub(super) period_s: f64,
    pub(super) load: Load,
}

impl CameraWatcher {
    /// The core has gone only when the program ends.
    fn send(&self, input: Input) {
        let _ = self.inputs.send(input);
    }

    /// A detector that loses most looks is relieved: the ladder steps down.
    fn judge_load(&mut self, now: Mono) {
        if now.since_s(self.load.since) < JUDGE_S {
            return;
        }
        let Load { offered, lost, .. } = std::mem::replace(&mut self.load, Load::from(now));
        let overloaded = offered > 0 && lost as f64 / offered as f64 > OVERLOAD_SHARE;
        if overloaded {
            tracing::warn!(camera = self.id, offered, lost, "the detector does not keep up");
        }
        self.ladder.overload(now, overloaded);
    }
}

/// Looks offered to the detector and overwritten before it took them, since a moment.
#[derive(Debug, Default)]
pub(super) struct Load {
    since: Mono,
    offered: u64,
    lost: u64,
}

impl Load {
    pub(super) fn from(since: Mono) -> Self {
        Load { since, ..Load::default() }
    }
}

impl FrameSink for CameraWatcher {
    fn stream(&mut self, info: &StreamInfo) {
        tracing::info!(
            camera = self.id,
            codec = info.codec,
            width = info.width,
            height = info.height,
            fps = info.fps,
            "stream"
        );
    }

    fn look(&mut self, look: Frame) -> Level {
        self.meter.look(look.level);
        let now = look.at.mono;
        if self.wish.paused.load(Ordering::Relaxed) {
            return self.ladder.tick(now);
        }
        let gate = self.gate.step(&look);
        self.ladder.hold(now, self.wish.hold.load(Ordering::Relaxed));
        let level = self.ladder.look(now, gate.active);
        match &self.slots {
            Some(slots) if gate.due_for_detection => {
                self.load.offered += 1;
                let job = DetectionJob { look, gate };
                let urgency = job.urgency(self.period_s);
                if slots.offer(self.camera, urgency, job).is_some() {
                    self.meter.overwritten();
                    self.load.lost += 1;
                } else {
                    self.with_detector.fetch_add(1, Ordering::AcqRel);
                }
            }
            // The detector still has an earlier look: this one must not overtake it, and says nothing that the next will not.
            _ if self.with_detector.load(Ordering::Acquire) > 0 => self.meter.overtaking(),
            _ => {
                let Frame { camera, seq, at, level, .. } = look;
                let (detections, close_up) = (None, None);
                self.send(Input::Observation(Observation {
                    camera,
                    seq,
                    at,
                    level,
                    gate,
                    detections,
                    close_up,
                }));
            }
        }
        self.judge_load(now);
        level
    }

    fn state(&mut self, at: Moment, state: CameraState, why: &str) {
        tracing::debug!(camera = self.id, ?state, why, "source");
        let state = match (state, &self.slots) {
            (CameraState::Watching, None) => {
                CameraState::Blind(kerbside_domain::camera_state::Blind::NoDetector)
            }
            _ => state,
        };
        self.send(Input::Camera { camera: self.camera, at, state });
    }

    fn notice(&mut self, at: Moment, notice: &Notice) {
        match notice {
            Notice::Stats(stats) => self.meter.capture(stats),
            Notice::SparseKeys { gap_s } => {
                tracing::info!(camera = self.id, gap_s, "key frames are sparse: every frame is decoded");
                self.ladder.sparse_keys(at.mono, true);
            }
            Notice::ResolutionChanged { from, to } => {
                tracing::warn!(camera = self.id, ?from, ?to, "the resolution changed");
            }
            Notice::StaleFrames => tracing::warn!(camera = self.id, "the backend repeats old pictures"),
            Notice::Restarting { .. } => self.meter.restarted(),
        }
    }

    fn tick(&mut self, at: Moment) -> Level {
        self.meter.alive();
        self.ladder.hold(at.mono, self.wish.hold.load(Ordering::Relaxed));
        self.ladder.tick(at.mono)
    }
}
