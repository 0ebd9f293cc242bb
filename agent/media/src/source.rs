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
