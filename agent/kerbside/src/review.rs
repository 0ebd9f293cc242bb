//! Looking back: when something stands there and nobody was seen to bring it, the packets from before it appeared are
//! decoded in full (L3) and looked at, for who did. An idle camera is watched by its key frames, some seconds apart; a bag
//! falls in one.
//!
//! A capture child decodes a clip cut from the ring, the street network looks, a tracker of its own follows. It must not
//! know rules: it says which track touched the place, and nothing of what that means.

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{Frame, Level};
use kerbside_domain::time::{Moment, Mono, VirtualClock};
use kerbside_infer::Detector;
use kerbside_media::clip::ClipJob;
use kerbside_media::clip::ClipMaker;
use kerbside_media::ring::PacketRing;
use kerbside_media::{
    CaptureProgram, CaptureSession, CaptureSettings, FrameSink, FrameSource as _, Pace, RingSpan, SourceEnd,
};
use kerbside_seeing::incident::{ReviewAnswer, ReviewRequest};
use kerbside_seeing::tracker::{Tracker, Witness};

/// Questions that wait; a further one is answered at once: nobody looked.
const WAITING: usize = 4;
/// Looks a second: what moves is followed a little better than at a live camera's pace.
const ANALYSIS_FPS: f64 = 6.0;
/// Bytes of the ring that the capture child's packets go to: nobody reads it.
const NO_RING_BYTES: usize = 1 << 20;

/// What is needed of a camera to look back.
#[derive(Clone, Debug)]
pub struct Past {
    setup: CaptureSettings,
    ring: Arc<Mutex<PacketRing>>,
}

impl Past {
    pub fn of(
        camera: &kerbside_site::config::Camera,
        exe: CaptureProgram,
        ring: Arc<Mutex<PacketRing>>,
    ) -> Self {
        Past::new(CaptureSettings::of(camera, exe), ring)
    }

    /// A camera that did not come from a file.
    pub fn new(setup: CaptureSettings, ring: Arc<Mutex<PacketRing>>) -> Self {
        let (pace, analysis_fps, level) = (Pace::Lockstep, ANALYSIS_FPS, Level::L2);
        Past { setup: CaptureSettings { pace, analysis_fps, level, opencv: false, ..setup }, ring }
    }
}

/// Answers one question. Never fails: what hinders is the answer's `why`.
pub fn look_back(
    past: &Past,
    detector: &mut dyn Detector,
    make_clip: &mut ClipMaker,
    asked: &ReviewRequest,
) -> ReviewAnswer {
    match follow(past, detector, make_clip, asked) {
        Ok((frames, witness)) => {
            let (camera, candidate) = (asked.camera, asked.candidate);
            ReviewAnswer { camera, candidate, witness, frames, failure: None }
        }
        Err(why) => asked.failed(why),
    }
}

fn follow(
    past: &Past,
    detector: &mut dyn Detector,
    make_clip: &mut ClipMaker,
    asked: &ReviewRequest,
) -> Result<(u32, Option<Witness>), String> {
    let found = past.ring.lock().span(asked.from.mono, asked.to.mono);
    let RingSpan { stream, packets } = found.ok_or("the ring holds nothing of it")?;
    let begin = packets.first().map(|p| p.at).unwrap_or_default();
    let covers = |at: Mono| begin.mono <= at && packets.last().is_some_and(|p| p.at.mono >= at);
    if !covers(asked.appeared.mono) {
        return Err("the ring does not hold the moment when it appeared".to_owned());
    }
    let dir = tempfile::tempdir().map_err(|e| format!("a folder for the clip: {e}"))?;
    let clip = dir.path().join("back.mp4");
    let done = make_clip(&ClipJob { stream, packets, clip: Some(clip.clone()), stills: Vec::new() })?;
    if !done.clip_written {
        return Err("the span could not be cut".to_owned());
    }
    watch(past, detector, asked, &clip, begin)
}

fn watch(
    past: &Past,
    detector: &mut dyn Detector,
    asked: &ReviewRequest,
    clip: &Path,
    begin: Moment,
) -> Result<(u32, Option<Witness>), String> {
    let clock = VirtualClock::new(begin.wall_ms);
    clock.advance_to(begin.mono);
    let setup = CaptureSettings { url: clip.display().to_string(), ..past.setup.clone() };
    let ring = Arc::new(Mutex::new(PacketRing::new(1.0, NO_RING_BYTES)));
    let from = asked.from.mono;
    let mut follower = Follower { detector, tracker: Tracker::new(), from, looks: 0, trouble: None };
    let (_running, stop) = bounded(0);
    let done = CaptureSession::new(setup, clock, ring).run(&mut follower, &stop);
    if let Some(why) = follower.trouble.filter(|_| done != SourceEnd::Ended || follower.looks == 0) {
        return Err(why);
    }
    let (from, to) = asked.arrival_span();
    Ok((follower.looks, follower.tracker.witness(&asked.bbox, from, to)))
}

/// Tracks who is in the clip.
struct Follower<'a> {
    detector: &'a mut dyn Detector,
    tracker: Tracker,
    /// What the clip shows before this is there because a clip begins with a key frame.
    from: Mono,
    looks: u32,
    trouble: Option<String>,
}

impl FrameSink for Follower<'_> {
    fn frame(&mut self, frame: Frame) -> Level {
        if frame.at.mono < self.from {
            return Level::L2;
        }
        self.looks += 1;
        match self.detector.detect(&frame) {
            Ok(seen) => self.tracker.step(frame.at.mono, &seen),
            Err(error) => self.trouble = Some(error.to_string()),
        }
        Level::L2
    }

    fn state(&mut self, _at: Moment, state: CameraState, why: &str) {
        if state != CameraState::Watching {
            self.trouble = Some(why.to_owned());
        }
    }

    fn tick(&mut self, _at: Moment) -> Level {
        Level::L2
    }
}

/// The stage as its askers see it.
#[derive(Debug)]
pub struct Stage {
    asked: Sender<ReviewRequest>,
}

impl Stage {
    /// Asks; the answer comes by the channel. Back comes the answer of a stage that is too busy.
    pub fn ask(&self, question: ReviewRequest) -> Option<ReviewAnswer> {
        let refused = self.asked.try_send(question).err()?;
        Some(refused.into_inner().failed("too many questions at once".to_owned()))
    }
}

/// Starts the stage's thread; it ends when the [`Stage`] is dropped. `load` makes the street network: it is held while
/// questions wait, not longer, since most boxes have none for hours.
pub fn spawn(
    pasts: Vec<Past>,
    mut make_clip: ClipMaker,
    load: impl Fn() -> Result<Box<dyn Detector>, String> + Send + 'static,
    answers: Sender<ReviewAnswer>,
) -> std::io::Result<Stage> {
    let (asked, questions) = bounded(WAITING);
    let body = move || answer_all(&pasts, &mut make_clip, &load, &questions, &answers);
    std::thread::Builder::new().name("lookback".to_owned()).spawn(body)?;
    Ok(Stage { asked })
}

fn answer_all(
    pasts: &[Past],
    make_clip: &mut ClipMaker,
    load: &dyn Fn() -> Result<Box<dyn Detector>, String>,
    questions: &Receiver<ReviewRequest>,
    answers: &Sender<ReviewAnswer>,
) {
    while let Ok(first) = questions.recv() {
        let mut detector = load();
        for question in std::iter::once(first).chain(questions.try_iter()) {
            let answer = match (&mut detector, pasts.get(usize::from(question.camera.0))) {
                (Ok(detector), Some(past)) => look_back(past, &mut **detector, make_clip, &question),
                (Err(why), _) => question.failed(why.clone()),
                (_, None) => question.failed("no such camera".to_owned()),
            };
            if answers.send(answer).is_err() {
                return;
            }
        }
    }
}
