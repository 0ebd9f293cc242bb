//! A camera's thread: it runs the camera's line on what the source gives; frames go to the detector or straight to the core.
//!
//! [`CameraLine`], which a replay owns too, decides what happens to a frame. Here is what only a live box has: the slot
//! that keeps the newest frame for the detector, and the detector's load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::Sender;

use super::meters::CameraMeter;
use kerbside_domain::camera_state::{Blind, CameraState};
use kerbside_domain::frame::{CameraIx, Frame, Level, StreamInfo};
use kerbside_domain::time::{Moment, Mono};
use kerbside_infer::schedule::Urgency;
use kerbside_infer::slots::Slots;
use kerbside_media::{FrameSink, Notice};
use kerbside_seeing::incident::Input;
use kerbside_seeing::pipeline::{CameraLine, DetectionJob, DetectorLoad, Route};

/// Share of frames that the slot lost over [`JUDGE_S`] beyond which the box is overloaded.
const OVERLOAD_SHARE: f64 = 0.5;
/// Between two judgements of the load, s.
const JUDGE_S: f64 = 10.0;

pub(super) struct CameraThread {
    pub(super) camera: CameraIx,
    pub(super) id: String,
    pub(super) line: CameraLine,
    /// `None`: no detector on this box; the gate alone cannot judge.
    pub(super) slots: Option<Arc<Slots<DetectionJob>>>,
    pub(super) inputs: Sender<Input>,
    pub(super) meter: CameraMeter,
    /// Time between two frames, s.
    pub(super) period_s: f64,
    pub(super) load: Load,
}

impl CameraThread {
    /// The core has gone only when the program ends.
    fn send(&self, input: Input) {
        let _ = self.inputs.send(input);
    }

    /// Puts the frame into the camera's slot. An older frame there is lost.
    fn offer(&mut self, job: DetectionJob) {
        let Some(slots) = &self.slots else { return };
        let urgency = Urgency::of(&job, self.period_s);
        let overwritten = slots.offer(self.camera, urgency, job).is_some();
        self.load.offered(overwritten);
        if overwritten {
            self.meter.overwritten();
        }
    }
}

impl FrameSink for CameraThread {
    fn stream(&mut self, info: &StreamInfo) {
        self.line.stream(f64::from(info.fps));
        tracing::info!(
            camera = self.id,
            codec = info.codec,
            width = info.width,
            height = info.height,
            fps = info.fps,
            "stream"
        );
    }

    fn frame(&mut self, frame: Frame) -> Level {
        self.meter.frame(frame.level);
        let (route, level) = self.line.frame(frame, &mut self.load);
        match route {
            Route::Detect(job) => self.offer(job),
            Route::Observe(observation) => self.send(Input::Observation(observation)),
            Route::Overtaking => self.meter.overtaking(),
            Route::Paused => {}
        }
        level
    }

    fn state(&mut self, at: Moment, state: CameraState, why: &str) {
        tracing::debug!(camera = self.id, ?state, why, "source");
        let state = match (state, &self.slots) {
            (CameraState::Watching, None) => CameraState::Blind(Blind::NoDetector),
            _ => state,
        };
        self.send(Input::Camera { camera: self.camera, at, state });
    }

    fn notice(&mut self, at: Moment, notice: &Notice) {
        if let Some(warning) = notice.warning() {
            tracing::warn!(camera = self.id, cure = warning.cure().0, "{}", warning.what());
            self.meter.warned(warning);
        }
        match notice {
            Notice::Stats(stats) => self.meter.capture(stats),
            Notice::SparseKeys { gap_s } => {
                tracing::info!(camera = self.id, gap_s, "key frames are sparse: every frame is decoded");
                self.line.sparse_keys(at.mono);
            }
            Notice::ResolutionChanged { from, to } => {
                tracing::warn!(camera = self.id, ?from, ?to, "the resolution changed");
            }
            Notice::ClockUnreliable(_) | Notice::GroupTooLarge { .. } => {}
            Notice::StaleFrames => tracing::warn!(camera = self.id, "the backend repeats old pictures"),
            Notice::Confined(stands) => self.meter.confined(stands),
            Notice::Restarting { .. } => self.meter.restarted(),
        }
    }

    fn tick(&mut self, at: Moment) -> Level {
        self.meter.alive();
        self.line.tick(at.mono)
    }
}

/// How busy the detector is with one camera.
#[derive(Debug)]
pub(super) struct Load {
    /// The camera's id, for the log.
    id: String,
    /// Frames in the camera's slot or in the detector; the detector's thread counts down.
    with_detector: Arc<AtomicUsize>,
    since: Mono,
    offered: u64,
    lost: u64,
}

impl Load {
    pub(super) fn new(id: String, with_detector: Arc<AtomicUsize>, now: Mono) -> Self {
        Load { id, with_detector, since: now, offered: 0, lost: 0 }
    }

    /// A frame was put into the slot. `overwritten`: it replaced one that the detector had not taken.
    fn offered(&mut self, overwritten: bool) {
        self.offered += 1;
        if overwritten {
            self.lost += 1;
        } else {
            self.with_detector.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl DetectorLoad for Load {
    fn has_earlier_frame(&self) -> bool {
        self.with_detector.load(Ordering::Acquire) > 0
    }

    fn overloaded(&mut self, now: Mono) -> Option<bool> {
        if now.since_s(self.since) < JUDGE_S {
            return None;
        }
        let (offered, lost) = (std::mem::take(&mut self.offered), std::mem::take(&mut self.lost));
        self.since = now;
        let overloaded = offered > 0 && lost as f64 / offered as f64 > OVERLOAD_SHARE;
        if overloaded {
            tracing::warn!(camera = self.id, offered, lost, "the detector does not keep up");
        }
        Some(overloaded)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use crossbeam_channel::{Receiver, bounded};
    use kerbside_domain::camera_state::Off;
    use kerbside_domain::frame::{LUMA_HEIGHT, LUMA_WIDTH};
    use kerbside_domain::time::VirtualClock;
    use kerbside_media::ring::PacketRing;
    use kerbside_seeing::pipeline::CameraControl;
    use parking_lot::Mutex;

    use super::*;
    use crate::app::meters::Meters;
    use crate::app::tests::site;

    fn at(s: f64) -> Moment {
        Moment { mono: Mono::from_s(s), ..Moment::default() }
    }

    /// The thread's sink of a camera without a detector, and what it sends to the core.
    fn without_detector(control: &Arc<CameraControl>) -> (CameraThread, Receiver<Input>) {
        let dir = tempfile::tempdir().unwrap();
        let site = site(dir.path());
        let camera = site.cameras.first().unwrap();
        let (inputs, core) = bounded(16);
        let ring = Arc::new(Mutex::new(PacketRing::new(1.0, 1)));
        let thread = CameraThread {
            camera: camera.ix,
            id: camera.id.clone(),
            line: CameraLine::new(camera, control.clone(), false, Mono::ZERO),
            slots: None,
            inputs,
            meter: Meters::new(&site, VirtualClock::new(0)).camera(camera.ix, ring).unwrap(),
            period_s: 0.2,
            load: Load::new(camera.id.clone(), Arc::default(), Mono::ZERO),
        };
        (thread, core)
    }

    fn frame(s: f64) -> Frame {
        Frame {
            camera: CameraIx(0),
            seq: 0,
            epoch: 0,
            pts: 0,
            at: at(s),
            level: Level::L1,
            width: 16,
            height: 9,
            rgb: Bytes::from(vec![90; 16 * 9 * 3]),
            luma: Bytes::from(vec![90; LUMA_WIDTH * LUMA_HEIGHT]),
        }
    }

    #[test]
    fn a_camera_without_a_detector_is_blind_and_not_watching() {
        let (mut thread, core) = without_detector(&Arc::default());
        thread.state(at(1.0), CameraState::Watching, "pictures arrive");
        thread.state(at(2.0), CameraState::Off(Off::Silent), "no packet");
        let states: Vec<CameraState> = core
            .try_iter()
            .filter_map(|input| match input {
                Input::Camera { state, .. } => Some(state),
                _ => None,
            })
            .collect();
        assert_eq!(states, [CameraState::Blind(Blind::NoDetector), CameraState::Off(Off::Silent)]);
    }

    #[test]
    fn a_paused_camera_sends_no_observation() {
        let control: Arc<CameraControl> = Arc::default();
        let (mut thread, core) = without_detector(&control);
        thread.frame(frame(1.0));
        assert!(matches!(core.try_recv(), Ok(Input::Observation(_))));
        control.pause(true);
        thread.frame(frame(2.0));
        assert!(core.try_recv().is_err());
    }

    #[test]
    fn a_box_is_overloaded_when_the_slot_loses_more_than_half_of_the_frames() {
        let mut load = Load::new("cam1".into(), Arc::default(), Mono::ZERO);
        [false, true].into_iter().for_each(|overwritten| load.offered(overwritten));
        assert!(load.has_earlier_frame());
        assert_eq!(load.overloaded(Mono::from_s(JUDGE_S - 0.1)), None, "too early to judge");
        assert_eq!(load.overloaded(Mono::from_s(JUDGE_S)), Some(false), "half is not more than half");
        [false, true, true].into_iter().for_each(|overwritten| load.offered(overwritten));
        assert_eq!(load.overloaded(Mono::from_s(2.0 * JUDGE_S)), Some(true));
        assert_eq!(load.overloaded(Mono::from_s(3.0 * JUDGE_S)), Some(false), "nothing was offered since");
    }
}
