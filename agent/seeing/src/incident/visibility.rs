//! Visibility: whether a camera sees. What the source says and what the gate says of the scene, made into one state.
//! Only `Watching` with a clear scene lets time run for dwell and clearing (invariant 13).

use kerbside_domain::camera_state::{Blind, CameraState, Off};
use kerbside_domain::frame::Level;
use kerbside_domain::patrol::CameraPatrol;
use kerbside_domain::time::Mono;

use super::tuning::visibility::{BLIND_AFTER_S, KEY_FRAMES_PER_S, SILENT_AFTER_S, WATCHING_AFTER_S};
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
    level: Level,
    accounted: Option<Mono>,
    tally: CameraPatrol,
    frames_due: f64,
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
            level: Level::default(),
            accounted: None,
            tally: CameraPatrol::default(),
            frames_due: 0.0,
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
            self.pending = None;
            self.scene = Scene::Learning;
            return self.change_to(state);
        }
        // Pictures come again, but none of them was judged yet.
        if was_off { self.change_to(CameraState::Blind(Blind::Learning)) } else { None }
    }

    /// A frame arrived. Returns the camera's new state if it is another one.
    pub(super) fn frame(&mut self, at: Mono, level: Level, scene: Scene) -> Option<CameraState> {
        self.last_frame = Some(at);
        self.level = level;
        self.tally.frames += 1;
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
    pub(super) fn account(&mut self, to: Mono, frames_per_s: f64) {
        let from = self.accounted.unwrap_or(to);
        if to <= from {
            self.accounted = Some(from);
            return;
        }
        self.accounted = Some(to);
        let span_s = to.since_s(from);
        let alive_until = self.last_frame.map_or(Mono::ZERO, |last| last.plus_s(SILENT_AFTER_S));
        let alive_s = alive_until.since_s(from).min(span_s);
        let per_s = if self.level == Level::L2 { frames_per_s } else { KEY_FRAMES_PER_S };
        self.frames_due += span_s * per_s;
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
    }

    /// The account since the last call, for the patrol report.
    pub(super) fn take_tally(&mut self) -> CameraPatrol {
        let mut tally = std::mem::take(&mut self.tally);
        tally.frames_due = self.frames_due.round() as u64;
        self.frames_due = 0.0;
        tally
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
