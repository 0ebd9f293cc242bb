//! Incident: the pure core of the line. [`Core::step`] turns inputs into effects and keeps the life of every incident.
//!
//! It reads no clock, does no I/O and returns no error (invariant 2). The same inputs give the same effects, byte for byte.
//! An incident lives `candidate -> open -> cleared | withdrawn`, keyed by place, with revisions.
//!
//! | file | owns |
//! |---|---|
//! | `words` | inputs, effects and what they carry |
//! | `camera` | the order of one look; open and past incidents of a camera |
//! | `sight` | whether a camera sees, and the account of it |
//! | `observe` | which region is which from look to look |
//! | `spot`, `company`, `labels` | what is known of a thing that stands, of who is with it, of what detectors call it |
//! | `judge` | whether it is an incident, of what kind, and why not |
//! | `opening`, `life` | first and later revisions |
//! | `lookback` | asking the past who brought it |
//! | `keeping` | ids of candidates, packets kept for them |
//! | `recheck` | looking again, for the centre |
//! | `patrol`, `alarm` | the patrol report; sensor alarms |
//! | `persist` | snapshot and restore |
//! | `id` | incident ids that a replay makes again |
//! | `settings`, `counters` | what it needs of the configuration; what it counts |

mod alarm;
mod camera;
mod company;
mod counters;
mod id;
mod judge;
mod keeping;
mod labels;
mod life;
mod lookback;
mod observe;
mod opening;
mod patrol;
mod persist;
mod recheck;
mod settings;
mod sight;
mod spot;
mod words;

#[cfg(test)]
mod tests;

pub use camera::MAX_OPEN;
pub use counters::Counters;
pub use life::{CaseFile, Standing};
pub use observe::MAX_SPOTS;
pub use persist::IncidentRecord;
pub use settings::Settings;
pub use words::*;

use kerbside_domain::camera_state::{Blind, CameraState, Off};
use kerbside_domain::case::{CaseState, Receipt, ReceiptResult, ends_case};
use kerbside_domain::detection::CloseUp;
use kerbside_domain::detection::ReportObject;
use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole};
use kerbside_domain::kind::{Act, Kind};
use kerbside_domain::patrol::{CameraPatrol, PatrolReport};
use kerbside_domain::reading::Reading;
use kerbside_domain::report::{Phase, Recheck, RecheckResult, Report};

use alarm::SensorWatch;
use camera::CameraCore;
use life::StepContext;
use patrol::PatrolClock;

use crate::tracker::Track;
use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::Moment;
use kerbside_site::config::Site;

/// All state behind the detector: tracks, candidates, incidents, alarms, the patrol's account.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    cameras: Vec<CameraCore>,
    sensors: Vec<SensorWatch>,
    patrol: PatrolClock,
    counters: Counters,
    /// The latest moment any input carried.
    now: Moment,
}

impl Core {
    pub fn new(site: &Site) -> Self {
        Core::with_settings(Settings::from(site))
    }

    /// A core for settings that did not come from a file.
    pub fn with_settings(settings: Settings) -> Self {
        Core {
            cameras: settings.cameras.iter().cloned().map(CameraCore::new).collect(),
            sensors: settings.sensors.iter().cloned().map(SensorWatch::new).collect(),
            patrol: PatrolClock::default(),
            counters: Counters::default(),
            now: Moment::default(),
            settings,
        }
    }

    /// Takes one input and appends what shall be done, in order: a `Report` comes before the `Save` it speaks of.
    pub fn step(&mut self, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Observation(look) => self.look(&look, effects),
            Input::Camera { camera, at, state } => {
                self.advance(at);
                self.with_camera(camera, effects, |camera, voice| camera.source(at, state, voice));
            }
            Input::Reading(reading) => self.reading(reading, effects),
            Input::Evidence(outcome) => self.evidence(outcome, effects),
            Input::Reviewed(answer) => {
                let now = self.now;
                self.with_camera(answer.camera, effects, |camera, voice| {
                    camera.looked_back(answer, now, voice)
                });
            }
            Input::Receipt(receipt) => self.receipt(receipt),
            Input::Case(said) => self.case(said, effects),
            Input::Recheck { incident_id, command_id } => self.recheck(&incident_id, command_id, effects),
            Input::Tick(at) => self.tick(at, effects),
        }
        let mut voice = StepContext { settings: &self.settings, counters: &mut self.counters, effects };
        if self.now != Moment::default() {
            self.patrol.advance(self.now, &mut self.cameras, &mut voice);
        }
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The camera's state as last announced.
    pub fn camera_state(&self, camera: CameraIx) -> Option<CameraState> {
        self.cameras.get(usize::from(camera.0)).map(|c| c.sight.state())
    }

    /// Believed tracks of a camera, for whoever draws them.
    pub fn tracks(&self, camera: CameraIx) -> impl Iterator<Item = &Track> {
        self.cameras.get(usize::from(camera.0)).into_iter().flat_map(|c| c.tracker.tracks())
    }

    /// Things that stand in a camera's zones and are no incident (yet).
    pub fn candidates(&self, camera: CameraIx) -> usize {
        self.cameras.get(usize::from(camera.0)).map_or(0, |c| c.spots.len())
    }

    /// Ids of the open incidents.
    pub fn open_incidents(&self) -> impl Iterator<Item = &Report> {
        self.cameras.iter().flat_map(|c| c.open.iter().map(|i| &i.report))
    }

    fn look(&mut self, look: &Observation, effects: &mut Vec<Effect>) {
        self.advance(look.at);
        self.with_camera(look.camera, effects, |camera, voice| {
            let refused = camera.tracker.refused();
            camera.look(look, voice);
            voice.counters.boxes_refused += camera.tracker.refused() - refused;
        });
    }

    fn with_camera(
        &mut self,
        camera: CameraIx,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&mut CameraCore, &mut StepContext<'_>),
    ) {
        let mut voice = StepContext { settings: &self.settings, counters: &mut self.counters, effects };
        match self.cameras.get_mut(usize::from(camera.0)) {
            Some(camera) => act(camera, &mut voice),
            None => voice.counters.looks_ignored += 1,
        }
    }

    fn reading(&mut self, reading: Reading, effects: &mut Vec<Effect>) {
        self.advance(reading.arrived);
        let mut voice = StepContext { settings: &self.settings, counters: &mut self.counters, effects };
        voice.counters.readings += 1;
        match self.sensors.iter_mut().find(|s| s.is(&reading.sensor)) {
            Some(sensor) => sensor.reading(reading, &mut voice),
            None => voice.counters.readings_unknown += 1,
        }
    }

    fn evidence(&mut self, outcome: EvidenceOutcome, effects: &mut Vec<Effect>) {
        let mut voice = StepContext { settings: &self.settings, counters: &mut self.counters, effects };
        let mut left = Some(outcome);
        for camera in &mut self.cameras {
            left = left.and_then(|outcome| camera.evidence(self.now, outcome, &mut voice));
        }
        voice.counters.strays += u64::from(left.is_some());
    }

    fn tick(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        self.advance(at);
        let mut voice = StepContext { settings: &self.settings, counters: &mut self.counters, effects };
        for camera in &mut self.cameras {
            camera.account(at.mono);
            camera.end_rechecks(at, &mut voice);
            camera.retire(at.mono);
        }
        for sensor in &mut self.sensors {
            sensor.advance(at.mono, &mut voice);
        }
    }

    fn advance(&mut self, at: Moment) {
        if at.mono >= self.now.mono {
            self.now = at;
        }
    }
}
