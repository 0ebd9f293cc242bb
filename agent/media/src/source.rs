//! Source: one capture child per camera, and the packet ring's feeder. The slot for the newest frame is in `detector::schedule`.
//!
//! The parent's side: start the child, put what it sends on the line's clock, feed the ring, hand frames on, tell stalls, crashes
//! and refusals apart, replace the child with backoff. It never touches a codec: that is the child's business.

mod backoff;
mod child;
pub mod cut_job;
mod cutting;
pub mod nal;
pub mod picture;
pub mod proto;
mod session;
pub mod shrink;
pub mod timeline;
#[cfg(any(feature = "camera", test))]
mod timing;

#[cfg(feature = "camera")]
pub mod annotate;
#[cfg(feature = "camera")]
pub mod capture;
#[cfg(feature = "camera")]
mod confine;
#[cfg(feature = "camera")]
pub mod cut;
#[cfg(feature = "camera")]
mod decode;
#[cfg(feature = "camera")]
pub mod device;
#[cfg(feature = "camera")]
mod draw;
#[cfg(feature = "camera")]
mod libav;
#[cfg(feature = "camera")]
mod libav_sys;
#[cfg(feature = "camera")]
mod opencv;
#[cfg(feature = "camera")]
mod scale;
#[cfg(feature = "camera")]
mod stills;

use std::convert::Infallible;

use crossbeam_channel::Receiver;

pub use child::Exe;
pub use cutting::{CutError, cut};
pub use proto::{Fault, Pace, Stats};
pub use session::{Session, Setup};

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{Frame, Level, StreamInfo};
use kerbside_domain::time::Moment;

/// What the line does with what a camera gives. Called on the camera's thread; a slow frame makes the child drop the next ones
/// (live) or wait (lockstep).
pub trait FrameSink {
    /// A stream began, or its parameters changed (new epoch).
    fn stream(&mut self, _info: &StreamInfo) {}

    /// One frame, in order. Returns the decode level wanted from here on (the decode ladder decides it).
    fn frame(&mut self, frame: Frame) -> Level;

    /// The camera's state changed. Scene states (black, covered, ...) are the gate's to tell; this is the stream's.
    fn state(&mut self, at: Moment, state: CameraState, why: &str);

    /// Worth knowing, no change of state.
    fn notice(&mut self, _at: Moment, _notice: &Notice) {}

    /// At least every half second while a live source runs, frames or not. Returns the level wanted.
    fn tick(&mut self, at: Moment) -> Level;
}

/// What a source has to say besides frames and states.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Stats(Stats),
    /// Key frames are this far apart, s; beyond [`SPARSE_KEY_S`](kerbside_domain::frame::SPARSE_KEY_S) L1 cannot watch.
    SparseKeys {
        gap_s: f64,
    },
    ResolutionChanged {
        from: (u32, u32),
        to: (u32, u32),
    },
    StaleFrames,
    /// The child is gone; the next one starts in `wait_s`.
    Restarting {
        wait_s: f64,
    },
}

/// Why a source is done for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The stop signal came (its sender was dropped).
    Stopped,
    /// A file came to its end.
    Ended,
    /// In replay there is no second try.
    Failed,
}

/// Dropping the sender stops the source.
pub type StopSignal = Receiver<Infallible>;

/// The seam: a camera through a capture child ([`Session`]), or scripted frames ([`Scripted`]).
pub trait FrameSource: Send {
    /// Runs on the calling thread until it is done.
    fn run(&mut self, sink: &mut dyn FrameSink, stop: &StopSignal) -> Done;
}

/// The fake: frames and states from a script, as fast as they are taken.
#[derive(Debug, Default)]
pub struct Scripted {
    pub steps: Vec<Step>,
}

/// One step of a script.
#[derive(Debug)]
pub enum Step {
    Stream(StreamInfo),
    Frame(Frame),
    State(Moment, CameraState, String),
    Tick(Moment),
}

impl FrameSource for Scripted {
    fn run(&mut self, sink: &mut dyn FrameSink, stop: &StopSignal) -> Done {
        for step in self.steps.drain(..) {
            if stop.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected) {
                return Done::Stopped;
            }
            match step {
                Step::Stream(info) => sink.stream(&info),
                Step::Frame(frame) => drop(sink.frame(frame)),
                Step::State(at, state, why) => sink.state(at, state, &why),
                Step::Tick(at) => drop(sink.tick(at)),
            }
        }
        Done::Ended
    }
}

/// The url reaches another machine.
pub fn is_network(url: &str) -> bool {
    ["rtsp://", "rtsps://", "http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
}

/// The camera is a device or a pipeline: for the program `kerbside-devices`.
pub fn is_device(url: &str, opencv: bool) -> bool {
    opencv || url.starts_with("v4l2:") || url.starts_with("gst:")
}

/// The source plays to an end, instead of going on for ever.
pub fn is_file(url: &str) -> bool {
    !is_network(url) && !url.starts_with("v4l2:") && !url.starts_with("gst:")
}

/// The url without user and password, for logs and reports.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_string() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}"),
        None => url.to_string(),
    }
}

/// Name and version of each native library built in, for `doctor`.
#[cfg(feature = "camera")]
pub fn versions() -> Vec<(String, String)> {
    let dotted = |v: u32| format!("{}.{}.{}", v >> 16, (v >> 8) & 255, v & 255);
    let opencv = ::opencv::core::get_version_string().unwrap_or_else(|e| e.message);
    vec![
        ("libavcodec".to_owned(), dotted(ffmpeg_next::codec::version())),
        ("libavformat".to_owned(), dotted(ffmpeg_next::format::version())),
        ("OpenCV".to_owned(), opencv),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_stay_out_of_logs() {
        let urls = ["rtsp://u:p@w@10.0.0.2:554/a@b", "rtsp://10.0.0.2/a", "clips/a.mp4"].map(redacted);
        assert_eq!(urls, ["rtsp://***@10.0.0.2:554/a@b", "rtsp://10.0.0.2/a", "clips/a.mp4"]);
    }

    #[test]
    fn sources_are_told_apart_by_their_url() {
        let kinds = ["rtsp://a/b", "https://a/b", "v4l2:/dev/video0", "gst:videotestsrc ! appsink", "a.mp4"]
            .map(|u| (is_network(u), is_file(u)));
        assert_eq!(kinds, [(true, false), (true, false), (false, false), (false, false), (false, true)]);
    }
}
