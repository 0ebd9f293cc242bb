//! One try at a camera, as the agent itself would watch it: for `doctor`.

use std::sync::Arc;

use crossbeam_channel::Sender;
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{Frame, Level, StreamInfo};
use kerbside_domain::time::{Moment, Mono, SystemClock};
use kerbside_site::config::Camera;
use parking_lot::Mutex;

use super::program::CaptureProgram;
use super::session::CaptureSession;
use super::settings::CaptureSettings;
use crate::ring::PacketRing;
use crate::source::{CameraWarning, FrameSink, FrameSource, Notice};
use crate::tuning::{TRIAL_LIMIT_S, TRIAL_LISTENS_S};

/// Why no picture came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraTrouble {
    pub state: CameraState,
    pub why: String,
}

/// What a camera showed.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSeen {
    /// In words.
    pub what: String,
    /// What a person should put right all the same.
    pub warnings: Vec<CameraWarning>,
}

/// Opens the camera, waits for its first picture and listens some seconds more: what it shows, or why it does not.
pub fn try_camera(camera: &Camera, program: CaptureProgram) -> Result<CameraSeen, CameraTrouble> {
    let settings = CaptureSettings {
        stall_after_s: TRIAL_LIMIT_S,
        restart_after_s: TRIAL_LIMIT_S,
        ..CaptureSettings::of(camera, program)
    };
    let (stopper, stop) = crossbeam_channel::bounded(0);
    let ring = Arc::new(Mutex::new(PacketRing::new(1.0, 1 << 20)));
    let mut trial =
        Trial { stopper: Some(stopper), stream: None, last: None, seen: None, warnings: Vec::new() };
    CaptureSession::new(settings, Arc::new(SystemClock::new()), ring).run(&mut trial, &stop);
    let what = || {
        trial.stream.as_ref().map_or_else(
            || "pictures come".to_owned(),
            |s| format!("pictures come: {} {}x{}", s.codec, s.width, s.height),
        )
    };
    match (trial.seen, trial.last) {
        (None, Some(trouble)) => Err(trouble),
        _ => Ok(CameraSeen { what: what(), warnings: trial.warnings }),
    }
}

struct Trial {
    /// Dropped when the try is over.
    stopper: Option<Sender<std::convert::Infallible>>,
    stream: Option<StreamInfo>,
    last: Option<CameraTrouble>,
    /// When the first picture came.
    seen: Option<Mono>,
    warnings: Vec<CameraWarning>,
}

impl FrameSink for Trial {
    fn stream(&mut self, info: &StreamInfo) {
        self.stream = Some(info.clone());
    }

    fn frame(&mut self, frame: Frame) -> Level {
        self.seen.get_or_insert(frame.at.mono);
        Level::L0
    }

    fn state(&mut self, _at: Moment, state: CameraState, why: &str) {
        self.last = Some(CameraTrouble { state, why: why.to_owned() });
    }

    fn notice(&mut self, _at: Moment, notice: &Notice) {
        self.warnings.extend(notice.warning());
        if matches!(notice, Notice::Restarting { .. }) {
            self.stopper = None;
        }
    }

    fn tick(&mut self, at: Moment) -> Level {
        match self.seen {
            Some(seen) if at.mono.since_s(seen) < TRIAL_LISTENS_S => Level::L0,
            Some(_) => {
                self.stopper = None;
                Level::L0
            }
            None => Level::L2,
        }
    }
}
