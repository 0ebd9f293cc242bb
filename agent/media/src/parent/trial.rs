//! One try at a camera, as the agent itself would watch it: for `doctor`.

use std::sync::Arc;

use crossbeam_channel::Sender;
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{Frame, Level, StreamInfo};
use kerbside_domain::time::{Moment, SystemClock};
use kerbside_site::config::Camera;
use parking_lot::Mutex;

use super::program::CaptureProgram;
use super::session::CaptureSession;
use super::settings::CaptureSettings;
use crate::ring::PacketRing;
use crate::source::{FrameSink, FrameSource, Notice};
use crate::tuning::TRIAL_LIMIT_S;

/// Why no picture came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraTrouble {
    pub state: CameraState,
    pub why: String,
}

/// Opens the camera and waits for its first picture: what it shows, or why it does not.
pub fn try_camera(camera: &Camera, program: CaptureProgram) -> Result<String, CameraTrouble> {
    let settings = CaptureSettings {
        stall_after_s: TRIAL_LIMIT_S,
        restart_after_s: TRIAL_LIMIT_S,
        ..CaptureSettings::of(camera, program)
    };
    let (stopper, stop) = crossbeam_channel::bounded(0);
    let ring = Arc::new(Mutex::new(PacketRing::new(1.0, 1 << 20)));
    let mut trial = Trial { stopper: Some(stopper), stream: None, last: None, saw: false };
    CaptureSession::new(settings, Arc::new(SystemClock::new()), ring).run(&mut trial, &stop);
    match (trial.saw, trial.last) {
        (false, Some(trouble)) => Err(trouble),
        _ => Ok(trial.stream.map_or_else(
            || "pictures come".to_owned(),
            |s| format!("pictures come: {} {}x{}", s.codec, s.width, s.height),
        )),
    }
}

struct Trial {
    /// Dropped when the try is over.
    stopper: Option<Sender<std::convert::Infallible>>,
    stream: Option<StreamInfo>,
    last: Option<CameraTrouble>,
    saw: bool,
}

impl FrameSink for Trial {
    fn stream(&mut self, info: &StreamInfo) {
        self.stream = Some(info.clone());
    }

    fn frame(&mut self, _frame: Frame) -> Level {
        self.saw = true;
        self.stopper = None;
        Level::L0
    }

    fn state(&mut self, _at: Moment, state: CameraState, why: &str) {
        self.last = Some(CameraTrouble { state, why: why.to_owned() });
    }

    fn notice(&mut self, _at: Moment, notice: &Notice) {
        if matches!(notice, Notice::Restarting { .. }) {
            self.stopper = None;
        }
    }

    fn tick(&mut self, _at: Moment) -> Level {
        Level::L2
    }
}
