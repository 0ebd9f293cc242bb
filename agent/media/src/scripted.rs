//! The fake source: frames and states from a script, as fast as they are taken.

use crossbeam_channel::TryRecvError;
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{Frame, StreamInfo};
use kerbside_domain::time::Moment;

use crate::source::{FrameSink, FrameSource, SourceEnd, StopSignal};

/// Plays its steps once.
#[derive(Debug, Default)]
pub struct Scripted {
    /// What is still to come, in order.
    pub steps: Vec<Step>,
}

/// One call of the sink.
#[derive(Debug)]
pub enum Step {
    /// [`FrameSink::stream`].
    Stream(StreamInfo),
    /// [`FrameSink::frame`].
    Frame(Frame),
    /// [`FrameSink::state`].
    State(Moment, CameraState, String),
    /// [`FrameSink::tick`].
    Tick(Moment),
}

impl FrameSource for Scripted {
    fn run(&mut self, sink: &mut dyn FrameSink, stop: &StopSignal) -> SourceEnd {
        for step in self.steps.drain(..) {
            if stop.try_recv() == Err(TryRecvError::Disconnected) {
                return SourceEnd::Stopped;
            }
            match step {
                Step::Stream(info) => sink.stream(&info),
                Step::Frame(frame) => _ = sink.frame(frame),
                Step::State(at, state, why) => sink.state(at, state, &why),
                Step::Tick(at) => _ = sink.tick(at),
            }
        }
        SourceEnd::Ended
    }
}
