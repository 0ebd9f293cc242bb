//! Visibility: whether a camera sees. What the source says and what the gate says of the scene, made into one state.
//! Only `Watching` with a clear scene lets time run for dwell and clearing (invariant 13).

use kerbside_domain::camera_state::{Blind, CameraState, Off};
use kerbside_domain::patrol::CameraPatrol;
use kerbside_domain::time::Mono;

use super::input::Observation;
use super::tuning::visibility::{BLIND_AFTER_S, SILENT_AFTER_S, WATCHING_AFTER_S};
use crate::gate::Scene;

/// The state of one camera, and the account of its time.
#[derive(Debug)]
pub(super) struct Visibility {
    state: CameraState,
    /// What the source said last, and when.
    source: (CameraState, Mono),
    scene: Scene,
    /// No model: pictures come, and nobody can say what they show.
    no_detector: bool,
    /// A state that the scene requires, but has not required for long enough.
    pending: Option<(CameraState, Mono)>,
    last_frame: Option<Mono>,
    accounted: Option<Mono>,
    /// Of the running period.
    tally: CameraPatrol,
    hindrances: Hindrances,
    frames: FrameCount,
}

/// For how long of a period each state held that is not watching, s, in the order of their first appearance.
pub(super) type Hindrances = Vec<(CameraState, f64)>;

/// Frames of a period: those that were analysed, those that were due by the time that passed, and those that the line gave.
/// What a slow detector leaves out shows in the last count, what never left the camera's child in the one before.
#[derive(Debug, Default)]
struct FrameCount {
    analysed: u64,
    due_by_time: f64,
    given: u64,
    /// Number, time and due rate of the frame before.
    last: Option<(u64, Mono, f64)>,
}

impl FrameCount {
    fn frame(&mut self, frame: &Observation) {
        let (seq, at, per_s) = (frame.seq, frame.at.mono, frame.due_per_s);
        let (span_due, given) = match self.last {
            // On the way between the levels the next key frame is waited for.
            Some((last_seq, last, last_per_s)) => {
                let span_s = at.since_s(last).min(SILENT_AFTER_S);
                (span_s * last_per_s.min(per_s), seq.checked_sub(last_seq).unwrap_or(1))
            }
            None => (1.0, 1),
        };
        self.due_by_time += span_due;
        self.given += given;
        self.analysed += u64::from(frame.is_analysed());
        self.last = Some((seq, at, per_s));
    }

    fn due(&self) -> u64 {
        (self.due_by_time.round() as u64).max(self.given)
    }
}

impl Visibility {
    pub(super) fn new() -> Self {
        Visibility {
            state: CameraState::Off(Off::Connecting),
            source: (CameraState::Off(Off::Connecting), Mono::ZERO),
            scene: Scene::Learning,
            no_detector: false,
            pending: None,
            last_frame: None,
            accounted: None,
            tally: CameraPatrol::default(),
            hindrances: Vec::new(),
            frames: FrameCount::default(),
        }
    }

    pub(super) fn state(&self) -> CameraState {
        self.state
    }

    /// Right now the picture can be judged.
    pub(super) fn is_seeing(&self) -> bool {
        self.state == CameraState::Watching && self.scene == Scene::Clear
    }

    /// The background is unknown or no longer true: places seen before mean nothing.
    pub(super) fn has_lost_background(&self) -> bool {
        self.scene == Scene::Learning || self.state == CameraState::Blind(Blind::Moved)
    }

    /// The source changed. Returns the camera's new state if it is another one.
    pub(super) fn source_changed(&mut self, at: Mono, state: CameraState) -> Option<CameraState> {
        self.no_detector |= state == CameraState::Blind(Blind::NoDetector);
        let was_off = self.source.0 != CameraState::Watching;
        self.source = (state, at);
        if state != CameraState::Watching {
            self.frames.last = None;
            self.pending = None;
            self.scene = Scene::Learning;
            return self.change_to(state);
        }
        // Pictures come again, but none of them was judged yet.
        if was_off { self.change_to(CameraState::Blind(Blind::Learning)) } else { None }
    }

    /// A frame arrived. Returns the camera's new state if it is another one.
    pub(super) fn frame(&mut self, frame: &Observation) -> Option<CameraState> {
        let (at, scene) = (frame.at.mono, frame.gate.scene);
        self.last_frame = Some(at);
        self.frames.frame(frame);
        if self.source.0 != CameraState::Watching {
            // A frame that is older than the bad news, or of a camera that was told to pause, is no good news.
            let is_older = at <= self.source.1 && self.source.1 > Mono::ZERO;
            if is_older || self.source.0 == CameraState::Off(Off::Paused) {
                return None;
            }
            self.source = (CameraState::Watching, at);
            self.scene = scene;
            return self.change_to(self.required_by(scene));
        }
        self.scene = scene;
        let required = self.required_by(scene);
        if required == self.state {
            self.pending = None;
            return None;
        }
        let since = match self.pending {
            Some((state, since)) if state == required => since,
            _ => at,
        };
        self.pending = Some((required, since));
        (at.since_s(since) >= self.patience_s(required)).then(|| self.change_to(required)).flatten()
    }

    fn required_by(&self, scene: Scene) -> CameraState {
        match state_of(scene) {
            CameraState::Watching if self.no_detector => CameraState::Blind(Blind::NoDetector),
            state => state,
        }
    }

    fn patience_s(&self, required: CameraState) -> f64 {
        let learning = CameraState::Blind(Blind::Learning);
        let frozen = CameraState::Blind(Blind::Frozen);
        if required == learning || self.state == learning || required == frozen {
            0.0 // The gate itself knows when it begins and ends learning; before `frozen` it has waited already.
        } else if required == CameraState::Watching {
            WATCHING_AFTER_S
        } else {
            BLIND_AFTER_S
        }
    }

    fn change_to(&mut self, state: CameraState) -> Option<CameraState> {
        self.pending = None;
        let changed = state != self.state;
        self.state = state;
        changed.then_some(state)
    }

    /// Writes the time since the last call to the account of the state that was in force.
    pub(super) fn account(&mut self, to: Mono) {
        let from = self.accounted.unwrap_or(to);
        if to <= from {
            self.accounted = Some(from);
            return;
        }
        self.accounted = Some(to);
        let span_s = to.since_s(from);
        let alive_until = self.last_frame.map_or(Mono::ZERO, |last| last.plus_s(SILENT_AFTER_S));
        let alive_s = alive_until.since_s(from).min(span_s);
        match self.state {
            CameraState::Watching => self.tally.watched_s += alive_s,
            CameraState::Blind(Blind::Moved) => self.tally.moved_s += alive_s,
            CameraState::Blind(_) => self.tally.blind_s += alive_s,
            CameraState::Off(why) => {
                self.tally.off_s += alive_s;
                self.tally.off_reason = Some(why);
            }
        }
        self.tally.off_s += span_s - alive_s;
        let (seen_as, unseen_as) = match self.state {
            CameraState::Off(_) => (self.state, self.state),
            state => (state, CameraState::Off(Off::Silent)),
        };
        self.hinder(seen_as, alive_s);
        self.hinder(unseen_as, span_s - alive_s);
    }

    /// At most one entry a state, and the states are a closed set.
    fn hinder(&mut self, state: CameraState, s: f64) {
        if state == CameraState::Watching || s <= 0.0 {
            return;
        }
        match self.hindrances.iter_mut().find(|h| h.0 == state) {
            Some(hindrance) => hindrance.1 += s,
            None => self.hindrances.push((state, s)),
        }
    }

    /// The account of the running period, for the patrol report.
    pub(super) fn tally(&self) -> CameraPatrol {
        CameraPatrol { frames: self.frames.analysed, frames_due: self.frames.due(), ..self.tally.clone() }
    }

    /// What kept the camera from watching in the running period.
    pub(super) fn hindrances(&self) -> &Hindrances {
        &self.hindrances
    }

    /// A new period begins.
    pub(super) fn begin_period(&mut self) {
        self.tally = CameraPatrol::default();
        self.hindrances.clear();
        self.frames = FrameCount { last: self.frames.last, ..FrameCount::default() };
    }
}

fn state_of(scene: Scene) -> CameraState {
    CameraState::Blind(match scene {
        Scene::Clear => return CameraState::Watching,
        Scene::Learning => Blind::Learning,
        Scene::LightChanged => Blind::LightChanged,
        Scene::Black => Blind::Black,
        Scene::Covered => Blind::Covered,
        Scene::Moved => Blind::Moved,
        Scene::Frozen => Blind::Frozen,
    })
}
