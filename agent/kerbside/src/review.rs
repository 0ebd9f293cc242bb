//! Review: when something stands there and nobody was seen to bring it, the packets from before it appeared are decoded in full
//! (L3) and searched for who did. An idle camera is watched by its key frames, some seconds apart; a bag falls between two.
//!
//! A capture child decodes a clip of the ring's packets, the street network detects in its frames, and a tracker of its own
//! follows. The stage knows no rules: it says which track touched the place, and nothing of what that means.

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{Frame, Level};
use kerbside_domain::time::{Moment, Mono, VirtualClock};
use kerbside_infer::Detector;
use kerbside_media::clip::{ClipJob, ClipMaker};
use kerbside_media::ring::{PacketRing, RingSpan};
use kerbside_media::{
    CaptureProgram, CaptureSession, CaptureSettings, FrameSink, FrameSource as _, Pace, SourceEnd,
};
use kerbside_seeing::incident::{ReviewAnswer, ReviewRequest};
use kerbside_seeing::tracker::{Tracker, Witness};
use kerbside_site::config::Camera;
use parking_lot::Mutex;

/// Requests that wait. Bound: a further one is answered at once, as failed.
const MAX_WAITING: usize = 4;
/// Frames a second. Chosen: what moves is followed a little better than at a live camera's rate of five.
const ANALYSIS_FPS: f64 = 6.0;
/// Size of the ring that takes the packets of the capture child, bytes. Nobody reads it.
const UNREAD_RING_BYTES: usize = 1 << 20;

/// What a review needs of a camera.
#[derive(Clone, Debug)]
pub struct ReviewCamera {
    settings: CaptureSettings,
    ring: Arc<Mutex<PacketRing>>,
}

impl ReviewCamera {
    pub fn of(camera: &Camera, program: CaptureProgram, ring: Arc<Mutex<PacketRing>>) -> Self {
        ReviewCamera::new(CaptureSettings::of(camera, program), ring)
    }

    /// A camera that did not come from a file.
    pub fn new(settings: CaptureSettings, ring: Arc<Mutex<PacketRing>>) -> Self {
        let (pace, analysis_fps, level) = (Pace::Lockstep, ANALYSIS_FPS, Level::L2);
        ReviewCamera {
            settings: CaptureSettings { pace, analysis_fps, level, opencv: false, ..settings },
            ring,
        }
    }
}

/// Answers one request. It never fails: what hindered it is the answer's `failure`.
pub fn review(
    camera: &ReviewCamera,
    detector: &mut dyn Detector,
    make_clip: &mut ClipMaker,
    request: &ReviewRequest,
) -> ReviewAnswer {
    match search(camera, detector, make_clip, request) {
        Ok((frames, witness)) => {
            let (camera, candidate) = (request.camera, request.candidate);
            ReviewAnswer { camera, candidate, witness, frames, failure: None }
        }
        Err(why) => request.failed(why),
    }
}

fn search(
    camera: &ReviewCamera,
    detector: &mut dyn Detector,
    make_clip: &mut ClipMaker,
    request: &ReviewRequest,
) -> Result<(u32, Option<Witness>), String> {
    let span = camera.ring.lock().span(request.from.mono, request.to.mono);
    let span = span.ok_or("the ring holds nothing of it")?;
    if !span.covers(request.appeared.mono) {
        return Err("the ring does not hold the moment when it appeared".to_owned());
    }
    let begin = span.begin().unwrap_or_default();
    let RingSpan { stream, packets } = span.in_real_time().without_damage().0;
    let dir = tempfile::tempdir().map_err(|e| format!("a folder for the clip: {e}"))?;
    let clip = dir.path().join("review.mp4");
    let output = make_clip(&ClipJob { stream, packets, clip: Some(clip.clone()), stills: Vec::new() })?;
    if output.clip.is_none() {
        return Err("the span could not be cut".to_owned());
    }
    search_clip(camera, detector, request, &clip, begin)
}

fn search_clip(
    camera: &ReviewCamera,
    detector: &mut dyn Detector,
    request: &ReviewRequest,
    clip: &Path,
    begin: Moment,
) -> Result<(u32, Option<Witness>), String> {
    let clock = VirtualClock::new(begin.wall_ms);
    clock.advance_to(begin.mono);
    let settings = CaptureSettings { url: kerbside_media::url::of_file(clip), ..camera.settings.clone() };
    let ring = Arc::new(Mutex::new(PacketRing::new(1.0, UNREAD_RING_BYTES)));
    let from = request.from.mono;
    let mut sink = ClipTracker { detector, tracker: Tracker::new(), from, frames: 0, failure: None };
    let (_running, stop) = bounded(0);
    let end = CaptureSession::new(settings, clock, ring).run(&mut sink, &stop);
    if let Some(why) = sink.failure.filter(|_| end != SourceEnd::Ended || sink.frames == 0) {
        return Err(why);
    }
    let (from, to) = request.arrival_span();
    Ok((sink.frames, sink.tracker.witness(&request.bbox, from, to)))
}

/// Tracks the people and vehicles of the clip.
struct ClipTracker<'a> {
    detector: &'a mut dyn Detector,
    tracker: Tracker,
    /// What the clip shows before this is there because a clip begins with a key frame.
    from: Mono,
    frames: u32,
    failure: Option<String>,
}

impl FrameSink for ClipTracker<'_> {
    fn frame(&mut self, frame: Frame) -> Level {
        if frame.at.mono < self.from {
            return Level::L2;
        }
        self.frames += 1;
        match self.detector.detect(&frame) {
            Ok(seen) => self.tracker.step(frame.at.mono, &seen),
            Err(error) => self.failure = Some(error.to_string()),
        }
        Level::L2
    }

    fn state(&mut self, _at: Moment, state: CameraState, why: &str) {
        if state != CameraState::Watching {
            self.failure = Some(why.to_owned());
        }
    }

    fn tick(&mut self, _at: Moment) -> Level {
        Level::L2
    }
}

/// The handle of the stage. Dropping it ends the stage.
#[derive(Debug)]
pub struct ReviewStage {
    requests: Sender<ReviewRequest>,
}

impl ReviewStage {
    /// Sends a request; its answer comes by the channel. A stage that is too busy answers at once.
    pub fn request(&self, request: ReviewRequest) -> Option<ReviewAnswer> {
        let refused = self.requests.try_send(request).err()?;
        Some(refused.into_inner().failed("too many requests at once".to_owned()))
    }
}

/// Starts the stage's thread; it ends when the [`ReviewStage`] is dropped. `load` makes the street network: it is loaded while
/// requests wait and no longer, since most boxes have none for hours.
pub fn spawn(
    cameras: Vec<ReviewCamera>,
    mut make_clip: ClipMaker,
    load: impl Fn() -> Result<Box<dyn Detector>, String> + Send + 'static,
    answers: Sender<ReviewAnswer>,
) -> std::io::Result<ReviewStage> {
    let (sender, requests) = bounded(MAX_WAITING);
    let body = move || answer_all(&cameras, &mut make_clip, &load, &requests, &answers);
    std::thread::Builder::new().name("review".to_owned()).spawn(body)?;
    Ok(ReviewStage { requests: sender })
}

fn answer_all(
    cameras: &[ReviewCamera],
    make_clip: &mut ClipMaker,
    load: &dyn Fn() -> Result<Box<dyn Detector>, String>,
    requests: &Receiver<ReviewRequest>,
    answers: &Sender<ReviewAnswer>,
) {
    while let Ok(first) = requests.recv() {
        let mut detector = load();
        for request in std::iter::once(first).chain(requests.try_iter()) {
            let answer = match (&mut detector, cameras.get(usize::from(request.camera.0))) {
                (Ok(detector), Some(camera)) => review(camera, &mut **detector, make_clip, &request),
                (Err(why), _) => request.failed(why.clone()),
                (_, None) => request.failed("no such camera".to_owned()),
            };
            if answers.send(answer).is_err() {
                return;
            }
        }
    }
}
