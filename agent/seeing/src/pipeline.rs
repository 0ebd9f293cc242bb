//! The one camera line: gate, decode ladder, pause, what goes to the detector and what goes straight to the core.
//!
//! The live agent and the replay own the same [`CameraLine`] and the same [`Ticks`] (invariant 14). They differ in clock,
//! source and sink. What only a live box knows, a detector that is behind, is handed in as a [`DetectorLoad`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kerbside_domain::frame::{BBox, Frame, Level};
use kerbside_domain::time::{Moment, Mono};
use kerbside_site::config::Camera;

use crate::gate::{Gate, GateConfig, GateReport, Scene};
use crate::incident::Observation;
use crate::ladder::Ladder;

/// What the core wants of a camera's line. Set by whoever applies the core's effects, read at each frame and tick.
#[derive(Debug, Default)]
pub struct CameraControl {
    /// Something is watched here: never gated off, never below key frames.
    watch_closely: AtomicBool,
    /// A sensor says that something may happen here: every frame is decoded and shown to the detector.
    watch_faster: AtomicBool,
    /// Nobody shall judge what the camera shows; its packet ring goes on.
    paused: AtomicBool,
    /// Parts of the next frame that the sweep wants to be shown.
    sweep: Mutex<Vec<BBox>>,
    /// Outlines of zones that are to be watched from the next frame on.
    zones: Mutex<Option<Vec<Outline>>>,
}

/// Corners in shares of the picture.
type Outline = Vec<(f32, f32)>;

impl CameraControl {
    /// The site file was read again.
    pub fn set_zones(&self, zones: Vec<Outline>) {
        *self.zones.lock().unwrap_or_else(PoisonError::into_inner) = Some(zones);
    }

    /// The sweep wants these parts of a frame to be looked at; they take the place of those that no frame has taken yet.
    pub fn sweep(&self, parts: Vec<BBox>) {
        *self.sweep.lock().unwrap_or_else(PoisonError::into_inner) = parts;
    }

    fn take_sweep(&self) -> Vec<BBox> {
        std::mem::take(&mut *self.sweep.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn new_zones(&self) -> Option<Vec<Outline>> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The core has (or no longer has) something to watch in this camera's picture.
    pub fn watch_closely(&self, wanted: bool) {
        self.watch_closely.store(wanted, Ordering::Relaxed);
    }

    /// A sensor says that something may happen here, or no longer.
    pub fn watch_faster(&self, wanted: bool) {
        self.watch_faster.store(wanted, Ordering::Relaxed);
    }

    /// A command paused the camera, or the pause is over.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }
}

/// A frame on its way to the detector, with what the gate said of it.
#[derive(Clone, Debug)]
pub struct DetectionJob {
    /// The frame.
    pub frame: Frame,
    /// What the gate said of it.
    pub gate: GateReport,
    /// Frames a second that are due of this camera now.
    pub due_per_s: f64,
    /// Parts that the sweep wants to be shown, if there is time.
    pub sweep: Vec<BBox>,
}

impl DetectionJob {
    /// Whether the frame itself is to be analysed, not only parts of it for the sweep.
    pub fn is_due(&self) -> bool {
        self.gate.due_for_detection || self.sweep.is_empty()
    }

    /// The observation for the core without detections: none were due, or the detector failed.
    pub fn undetected(self) -> Observation {
        let DetectionJob { frame: Frame { camera, seq, at, level, .. }, gate, due_per_s, .. } = self;
        let sweep = Vec::new();
        Observation {
            camera,
            seq,
            at,
            level,
            gate,
            detections: None,
            close_up: None,
            witness: None,
            sweep,
            due_per_s,
        }
    }
}

/// What a live box knows of its detector and a replay does not need to know.
pub trait DetectorLoad {
    /// An earlier frame of this camera waits for the detector or is in it: a later one must not overtake it.
    fn has_earlier_frame(&self) -> bool;

    /// At each judgement of the load (every few seconds): does the detector lose frames? `None`: no judgement is due.
    fn overloaded(&mut self, now: Mono) -> Option<bool>;
}

/// A detector that always has time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unloaded;

impl DetectorLoad for Unloaded {
    fn has_earlier_frame(&self) -> bool {
        false
    }

    fn overloaded(&mut self, _now: Mono) -> Option<bool> {
        None
    }
}

/// Where a frame goes after the gate.
#[derive(Debug)]
pub enum Route {
    /// The detector shall see it.
    Detect(DetectionJob),
    /// Detection is not due: the core hears of it at once.
    Observe(Observation),
    /// It would overtake an earlier frame. It is left out, and says nothing that the next will not.
    Overtaking,
    /// The camera is paused.
    Paused,
}

/// One camera's line from its frames to the detector or the core.
#[derive(Debug)]
pub struct CameraLine {
    gate: Gate,
    ladder: Ladder,
    control: Arc<CameraControl>,
    /// Whether there is a detector at all. Without one every frame goes straight to the core.
    detects: bool,
    /// Frames a second that the site asks for.
    analysis_fps: f64,
    /// Pictures a second that the stream says it has, if it does.
    stream_fps: Option<f64>,
}

/// Key frames a second that are due at least: a source with fewer is watched whole.
const KEY_FRAMES_PER_S: f64 = 1.0 / kerbside_domain::frame::SPARSE_KEY_S;

impl CameraLine {
    /// Starts at `now`, decoding every frame, with nothing known of the background.
    pub fn new(camera: &Camera, control: Arc<CameraControl>, detects: bool, now: Mono) -> Self {
        CameraLine {
            gate: Gate::new(GateConfig::of(camera)),
            ladder: Ladder::new(now),
            control,
            detects,
            analysis_fps: camera.analysis_fps,
            stream_fps: None,
        }
    }

    /// The source opened a stream of so many pictures a second; 0 or less: it does not say.
    pub fn stream(&mut self, fps: f64) {
        self.stream_fps = (fps.is_finite() && fps > 0.0).then_some(fps);
    }

    /// Frames a second that are due. An overload that makes key frames do changes nothing about what is due.
    fn due_per_s(&self) -> f64 {
        match self.ladder.needed() {
            Level::L2 => self.stream_fps.map_or(self.analysis_fps, |fps| fps.min(self.analysis_fps)),
            _ => KEY_FRAMES_PER_S,
        }
    }

    /// Takes one frame: where it goes, and how much of the stream shall be decoded from here on.
    pub fn frame(&mut self, frame: Frame, load: &mut dyn DetectorLoad) -> (Route, Level) {
        let now = frame.at.mono;
        let level = self.tick(now);
        if self.control.paused.load(Ordering::Relaxed) {
            return (Route::Paused, level);
        }
        if let Some(zones) = self.control.new_zones() {
            self.gate.set_zones(zones);
        }
        let mut gate = self.gate.step(&frame);
        let mut level = self.ladder.frame(now, gate.active);
        if let Some(overloaded) = load.overloaded(now) {
            level = self.ladder.overload(now, overloaded);
        }
        // The sweep waits until nothing else of this camera does.
        let may_sweep = self.detects && gate.scene == Scene::Clear && !load.has_earlier_frame();
        let sweep = if may_sweep { self.control.take_sweep() } else { Vec::new() };
        gate.due_for_detection |= self.control.watch_faster.load(Ordering::Relaxed);
        let due = self.detects && (gate.due_for_detection || !sweep.is_empty());
        let job = DetectionJob { frame, gate, due_per_s: self.due_per_s(), sweep };
        let route = match due {
            true => Route::Detect(job),
            false if load.has_earlier_frame() => Route::Overtaking,
            false => Route::Observe(job.undetected()),
        };
        (route, level)
    }

    /// Time passes without a frame. Returns the decode level wanted.
    pub fn tick(&mut self, now: Mono) -> Level {
        self.ladder.pause(now, self.control.paused.load(Ordering::Relaxed));
        self.ladder.hurry(now, self.control.watch_faster.load(Ordering::Relaxed));
        self.ladder.hold(now, self.control.watch_closely.load(Ordering::Relaxed))
    }

    /// The source found its key frames too far apart to watch by them alone.
    pub fn sparse_keys(&mut self, now: Mono) {
        self.ladder.sparse_keys(now, true);
    }
}

/// When the core hears a tick: every [`Ticks::EVERY_S`] of the line's clock, live and in replay.
#[derive(Debug)]
pub struct Ticks {
    last: Mono,
}

impl Ticks {
    /// Between two ticks, s: dwell, patrol and repeat intervals end within it, without a frame.
    pub const EVERY_S: f64 = 0.5;
    /// Ticks made up for at once after a standstill; time beyond is passed in one step. One minute.
    const MOST: usize = 120;

    /// The first tick comes [`Ticks::EVERY_S`] after `start`.
    pub fn new(start: Mono) -> Self {
        Ticks { last: start }
    }

    /// The ticks that are due up to `now`, oldest first.
    pub fn due(&mut self, now: Moment) -> impl Iterator<Item = Moment> + use<> {
        let last = self.last;
        let steps = (now.mono.since_s(last) / Self::EVERY_S) as usize;
        let at = move |step: usize| now.at(last.plus_s(step as f64 * Self::EVERY_S));
        self.last = at(steps).mono;
        (steps.saturating_sub(Self::MOST)..steps).map(move |step| at(step + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: f64) -> Moment {
        Moment { mono: Mono::from_s(s), ..Moment::default() }
    }

    #[test]
    fn zones_that_change_are_watched_from_the_next_frame_on() {
        use kerbside_domain::frame::{CameraIx, LUMA_HEIGHT, LUMA_WIDTH};
        let control = Arc::new(CameraControl::default());
        let gate = Gate::new(GateConfig {
            zones: vec![vec![(0.0, 0.0), (0.1, 0.0), (0.1, 0.1)]],
            ..GateConfig::default()
        });
        let mut line = CameraLine {
            gate,
            ladder: Ladder::new(Mono::ZERO),
            control: control.clone(),
            detects: true,
            analysis_fps: 5.0,
            stream_fps: None,
        };
        let frame = |seq: u64, line: &mut CameraLine| {
            let (luma, rgb) = (vec![90; LUMA_WIDTH * LUMA_HEIGHT].into(), vec![90; 3].into());
            let (camera, level, at) = (CameraIx(0), Level::L2, at(seq as f64));
            let frame = Frame { camera, seq, epoch: 1, pts: 0, at, level, width: 1, height: 1, rgb, luma };
            line.frame(frame, &mut Unloaded);
            line.gate.watched_pixels()
        };
        let few = frame(1, &mut line);
        control.set_zones(vec![vec![(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]]);
        let all = frame(2, &mut line);
        assert!(all > 10 * few, "{few} {all}");
        assert_eq!(frame(3, &mut line), all);
    }

    #[test]
    fn ticks_lie_on_one_grid_however_often_somebody_asks() {
        let mut ticks = Ticks::new(Mono::from_s(0.2));
        let due =
            [0.2, 0.4, 0.7, 0.9, 2.3].map(|s| ticks.due(at(s)).map(|t| t.mono.0 / 1000).collect::<Vec<_>>());
        assert_eq!(due, [vec![], vec![], vec![700], vec![], vec![1200, 1700, 2200]]);
    }

    #[test]
    fn a_long_standstill_is_made_up_for_within_bounds() {
        let mut ticks = Ticks::new(Mono::ZERO);
        let due: Vec<_> = ticks.due(at(3600.0)).collect();
        assert_eq!((due.len(), due.last().map(|t| t.mono)), (Ticks::MOST, Some(Mono::from_s(3600.0))));
        assert_eq!(ticks.due(at(3600.4)).count(), 0);
    }
}
