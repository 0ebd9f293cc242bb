//! The seam between cameras and the rest of the agent: where frames come from, and who takes them.
//!
//! The real source is [`CaptureSession`](crate::CaptureSession), the fake is [`Scripted`](crate::scripted::Scripted).

use std::convert::Infallible;

use crossbeam_channel::Receiver;
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{Frame, Level, StreamInfo};
use kerbside_domain::time::Moment;

use crate::confinement::Confinement;
use crate::proto::{CaptureStats, ClockFault};

/// Receives what a camera's source delivers. Called on the camera's thread. While it is busy with a frame, a live child drops
/// the next ones and a child in lockstep waits.
pub trait FrameSink {
    /// A stream began, or its parameters changed (new epoch).
    fn stream(&mut self, _info: &StreamInfo) {}

    /// One frame, in order. Returns the decode level wanted from here on (the decode ladder decides it).
    fn frame(&mut self, frame: Frame) -> Level;

    /// The state of the stream changed. The gate reports states of the scene (black, covered, ...).
    fn state(&mut self, at: Moment, state: CameraState, why: &str);

    /// Something worth knowing that changes no state.
    fn notice(&mut self, _at: Moment, _notice: &Notice) {}

    /// Called at least every half second while a live source runs, with or without frames. Returns the level wanted.
    fn tick(&mut self, at: Moment) -> Level;
}

/// What a source reports besides frames and states.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Counters of the child, about once a second.
    Stats(CaptureStats),
    /// Key frames are further apart than [`SPARSE_KEY_S`](kerbside_domain::frame::SPARSE_KEY_S): L1 would be blind between them.
    SparseKeys {
        /// Distance of two key frames, s.
        gap_s: f64,
    },
    /// The picture has another size from here on.
    ResolutionChanged {
        /// Width and height before, px.
        from: (u32, u32),
        /// Width and height now, px.
        to: (u32, u32),
    },
    /// The stream's own timestamps contradict the arrival of its packets, which dates them from here on.
    ClockUnreliable(ClockFault),
    /// The packet ring cannot hold a group of pictures of this stream: evidence is made of single pictures until it can.
    GroupTooLarge {
        /// Size of the group so far.
        bytes: u64,
        /// Its length so far, s.
        seconds: f64,
    },
    /// The backend repeats an old picture and calls it new.
    StaleFrames,
    /// What stands around the child: at its start, and again when its source is open.
    Confined(Confinement),
    /// The child is gone; the next one starts after a pause.
    Restarting {
        /// Length of the pause, s.
        wait_s: f64,
    },
}

impl Notice {
    /// What a person should put right about the camera, though it is watched.
    pub fn warning(&self) -> Option<CameraWarning> {
        match self {
            Notice::ClockUnreliable(fault) => Some(CameraWarning::Clock(*fault)),
            Notice::GroupTooLarge { bytes, seconds } => {
                Some(CameraWarning::Ring { mb: bytes / (1 << 20), seconds: *seconds })
            }
            _ => None,
        }
    }
}

/// What a person should put right about a camera that is watched all the same. It holds until the capture child is replaced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CameraWarning {
    /// See [`Notice::ClockUnreliable`].
    Clock(ClockFault),
    /// See [`Notice::GroupTooLarge`].
    Ring {
        /// Size of the group, MiB.
        mb: u64,
        /// Its length, s.
        seconds: f64,
    },
}

impl CameraWarning {
    /// As it is written in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            CameraWarning::Clock(_) => "clock",
            CameraWarning::Ring { .. } => "ring",
        }
    }

    /// What is wrong.
    pub fn what(self) -> String {
        match self {
            CameraWarning::Clock(fault) => format!(
                "the camera's timestamps contradict the arrival of its packets ({fault}); arrival dates its pictures"
            ),
            CameraWarning::Ring { mb, seconds } => format!(
                "ring_mb is smaller than one group of pictures ({mb} MiB, {seconds:.0} s); evidence is made of one picture a second"
            ),
        }
    }

    /// What a technician does about it, in English and Chinese.
    pub fn cure(self) -> (&'static str, &'static str) {
        match self {
            CameraWarning::Clock(_) => (
                "turn NTP on in the camera, update its firmware, or try its other stream",
                "在摄像机上启用 NTP、升级固件，或改用另一路码流",
            ),
            CameraWarning::Ring { .. } => (
                "raise ring_mb, or lower the distance of key frames in the camera",
                "增大 ring_mb，或在摄像机上缩短关键帧间隔",
            ),
        }
    }
}

/// Why a source ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceEnd {
    /// The stop signal came (its sender was dropped).
    Stopped,
    /// A file came to its end.
    Ended,
    /// It failed. Only in replay, where there is no second attempt.
    Failed,
}

/// Dropping the sender stops the source.
pub type StopSignal = Receiver<Infallible>;

/// Delivers frames: a camera through a capture child, or a script.
pub trait FrameSource: Send {
    /// Runs on the calling thread until the source ends.
    fn run(&mut self, sink: &mut dyn FrameSink, stop: &StopSignal) -> SourceEnd;
}
