//! Whether a camera sees: what the source says and what the gate says of the scene, made into one state.
//! Only `Watching` with a clear scene lets time run for dwell and clearing (invariant 13).

use crate::gate::Scene;
use kerbside_domain::frame::Level;
use kerbside_domain::time::Mono;

use super::{Blind, CameraPatrol, CameraState, Off};

/// A scene must be bad this long before the camera is called blind: one dark or odd look is no state.
const BLIND_AFTER_S: f64 = 3.0;
/// And good this long before it is called watching again.
const SEES_AFTER_S: f64 = 1.0;
/// Without a look for this long a camera does not watch, whatever its state says (key frames may be 4 s apart).
const SILENT_AFTER_S: f64 = 10.0;
/// Looks due a second when only key frames are decoded: sources with rarer ones are watched at L2.
const KEY_LOOKS_PER_S: f64 = 0.25;

#[derive(Debug)]
pub(super) struct Sight {
    state: CameraState,
    /// What the source said last, and when.
    source: (CameraState, Mono),
    scene: Scene,
    /// No model: pictures come, and nobody can say what they show.
    no_detector: bool,
    /// A state that the scene asks for but has not asked for long enough.
    pending: Option<(CameraState, Mono)>,
    last_look: Option<Mono>,
    level: Level,
    accounted: Option<Mono>,
    tally: CameraPatrol,
    looks_due: f64,
}

impl Sight {
    pub(super) fn new() -> Self {
        Sight {
            state: CameraState::Off(Off::Connecting),
            source: (CameraState::Off(Off::Connecting), Mono::ZERO),
            scene: Scene::Learning,
            no_detector: false,
            pending: None,
            last_look: None,
            level: Level::default(),
            accounted: None,
            tally: CameraPatrol::default(),
            looks_due: 0.0,
        }
    }

    pub(super) fn state(&self) -> CameraState {
        self.state
    }

    /// Right now the picture can be judged.
    pub(super) fn seeing(&self) -> bool {
        self.state == CameraState::Watching && self.scene == Scene::Clear
    }

    /// The background is unknown or no longer true: places seen before mean nothing.
    pub(super) fn lost_its_place(&self) -> bool {
        self.scene == Scene::Learning || self.state == CameraState::Blind(Blind::Moved)
    }

    /// The source changed; returns the camera's new state if it is another one.
    pub(super) fn source(&mut self, at: Mono, state: CameraState) -> Option<CameraState> {
        self.no_detector |= state == CameraState::Blind(Blind::NoDetector);
        let by_source = self.source.0 != CameraState::Watching;
        self.source = (state, at);
        if state != CameraState::Watching {
            self.pending = None;
            self.scene = Scene::Learning;
            return self.become_state(state);
        }
        // Pictures come again, but nobody has looked at one yet.
        if by_source { self.become_state(CameraState::Blind(Blind::Learning)) } else { None }
    }

    /// A look arrived; returns the camera's new state if it is another one.
    pub(super) fn look(&mut self, at: Mono, level: Level, scene: Scene) -> Option<CameraState> {
        self.last_look = Some(at);
        self.level = level;
        self.tally.looks += 1;
        if self.source.0 != CameraState::Watching {
            // A look that is older than the bad news, or of a camera that was told to pause, is no good news.
            if at <= self.source.1 && self.source.1 > Mono::ZERO
                || self.source.0 == CameraState::Off(Off::Paused)
            {
                return None;
            }
            self.source = (CameraState::Watching, at);
            self.scene = scene;
            return self.become_state(self.asked_by(scene));
        }
        self.scene = scene;
        let asked = self.asked_by(scene);
        if asked == self.state {
            self.pending = None;
            return None;
        }
        let since = match self.pending {
            Some((state, since)) if state == asked => since,
            _ => at,
        };
        self.pending = Some((asked, since));
        (at.since_s(since) >= self.patience_s(asked)).then(|| self.become_state(asked)).flatten()
    }

    fn asked_by(&self, scene: Scene) -> CameraState {
        match state_of(scene) {
            CameraState::Watching if self.no_detector => CameraState::Blind(Blind::NoDetector),
            state => state,
        }
    }

    fn patience_s(&self, asked: CameraState) -> f64 {
        let learning = CameraState::Blind(Blind::Learning);
        let frozen = CameraState::Blind(Blind::Frozen);
        if asked == learning || self.state == learning || asked == frozen {
            0.0 // The gate itself knows when it has begun and ended learning; before `frozen` it has waited already.
        } else if asked == CameraState::Watching {
            SEES_AFTER_S
        } else {
            BLIND_AFTER_S
        }
    }

    fn become_state(&mut self, state: CameraState) -> Option<CameraState> {
        self.pending = None;
        let changed = state != self.state;
        self.state = state;
        changed.then_some(state)
    }

    /// Writes the time since the last call to the account of the state that was in force.
    pub(super) fn account(&mut self, to: Mono, looks_per_s: f64) {
        let from = self.accounted.unwrap_or(to);
        if to <= from {
            self.accounted = Some(from);
            return;
        }
        self.accounted = Some(to);
        let span_s = to.since_s(from);
        let fresh_until = self.last_look.map_or(Mono::ZERO, |l| l.plus_s(SILENT_AFTER_S));
        let alive_s = fresh_until.since_s(from).min(span_s);
        let per_s = if self.level == Level::L2 { looks_per_s } else { KEY_LOOKS_PER_S };
        self.looks_due += span_s * per_s;
        match self.state {
            CameraState::Watching => self.tally.watched_s += alive_s,
            CameraState::Blind(Blind::Moved) => self.tally.moved_s += alive_s,
            CameraState::Blind(_) => self.tally.blind_s += alive_s,
            CameraState::Off(_) => self.tally.off_s += alive_s,
        }
        self.tally.off_s += span_s - alive_s;
    }

    /// The account since the last call, for the patrol report.
    pub(super) fn take_tally(&mut self) -> CameraPatrol {
        let mut tally = std::mem::take(&mut self.tally);
        tally.looks_due = self.looks_due.round() as u64;
        self.looks_due = 0.0;
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
