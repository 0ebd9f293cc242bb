//! The core itself: takes one input after the other.

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::case::{CaseUpdate, Receipt};
use kerbside_domain::evidence::{EvidenceOutcome, EvidenceSubject};
use kerbside_domain::frame::CameraIx;
use kerbside_domain::reading::{Reading, SensorCondition};
use kerbside_domain::report::Report;
use kerbside_domain::time::Moment;
use kerbside_site::config::{Patrol, Site, Zone};

use super::camera::CameraCore;
use super::context::StepContext;
use super::counters::CoreCounters;
use super::dating::Dating;
use super::effect::Effect;
use super::input::{Input, Observation};
use super::lifecycle::Incident;
use super::listening::{end_unasked, listen};
use super::patrol::PatrolPeriod;
use super::sensor_monitor::SensorMonitor;
use super::settings::Settings;

/// All state behind the detector: tracks, candidates, incidents, sensor alarms, the patrol's account.
#[derive(Debug)]
pub struct Core {
    pub(super) settings: Settings,
    pub(super) cameras: Vec<CameraCore>,
    pub(super) sensors: Vec<SensorMonitor>,
    patrol: PatrolPeriod,
    pub(super) counters: CoreCounters,
    pub(super) dating: Dating,
    /// The latest moment that any input carried.
    now: Moment,
}

impl Core {
    /// A core for a site.
    pub fn new(site: &Site) -> Self {
        Core::with_settings(Settings::from(site))
    }

    /// A core for settings that did not come from a file.
    pub fn with_settings(settings: Settings) -> Self {
        Core {
            cameras: settings.cameras.iter().cloned().map(CameraCore::new).collect(),
            sensors: settings.sensors.iter().cloned().map(SensorMonitor::new).collect(),
            patrol: PatrolPeriod::default(),
            counters: CoreCounters::default(),
            dating: Dating::default(),
            now: Moment::default(),
            settings,
        }
    }

    /// Takes one input and appends what shall be done, in order: a `Report` comes before the `Save` it speaks of.
    pub fn step(&mut self, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Observation(frame) => self.observation(&frame, effects),
            Input::Camera { camera, at, state } => {
                self.advance(at);
                self.with_camera(camera, effects, |camera, context| {
                    camera.source_changed(at, state, context)
                });
            }
            Input::Reading(reading) => self.reading(reading, effects),
            Input::Press(reading) => self.press(reading, effects),
            Input::Evidence(outcome) => self.evidence(outcome, effects),
            Input::Reviewed(answer) => {
                let now = self.now;
                self.with_camera(answer.camera, effects, |camera, context| {
                    camera.reviewed(answer, now, context)
                });
            }
            Input::Warned { camera, incident_id, spoken } => {
                self.with_camera(camera, effects, |camera, context| {
                    camera.warning_answered(&incident_id, spoken, context);
                });
            }
            Input::Receipt(receipt) => self.receipt(receipt),
            Input::Case(update) => self.case(update, effects),
            Input::Recheck { incident_id, command_id } => self.recheck(incident_id, command_id, effects),
            Input::Patrol { command_id } => {
                let mut context = context(&self.settings, &mut self.counters, effects);
                self.patrol.on_command(command_id, self.now, &mut self.cameras, &self.sensors, &mut context);
            }
            Input::Tick(at) => self.tick(at, effects),
        }
        if self.now != Moment::default() {
            let mut context = context(&self.settings, &mut self.counters, effects);
            self.patrol.advance(self.now, &mut self.cameras, &self.sensors, &mut context);
        }
    }

    /// The zones and rules of a camera from now on. What its incidents stand on stays; they are judged by the new rules.
    pub fn set_zones(&mut self, camera: CameraIx, zones: Vec<Zone>) {
        let ix = usize::from(camera.0);
        if let (Some(core), Some(settings)) = (self.cameras.get_mut(ix), self.settings.cameras.get_mut(ix)) {
            core.config.zones.clone_from(&zones);
            core.sweep.set_zones(zones.iter().map(|z| &z.polygon_norm));
            settings.zones = zones;
        }
        // Sensors are asked by the new rules at the next tick.
    }

    /// The regular account from now on.
    pub fn set_patrol(&mut self, patrol: Patrol) {
        self.settings.patrol = patrol;
    }

    /// What happened until now.
    pub fn counters(&self) -> &CoreCounters {
        &self.counters
    }

    /// The camera's state as last announced.
    pub fn camera_state(&self, camera: CameraIx) -> Option<CameraState> {
        self.camera(camera).map(|c| c.visibility.state())
    }

    /// Incidents that are named while nobody vouches for the clock get ids of this run: a box that wakes up in 1970 each morning
    /// would give the same ones again.
    pub fn in_run(mut self, run: String) -> Self {
        self.settings.run = run;
        self
    }

    /// As if every zone had been swept.
    #[cfg(test)]
    pub(crate) fn consider_swept(&mut self, at: kerbside_domain::time::Mono) {
        self.cameras.iter_mut().for_each(|camera| camera.sweep.consider_swept(at));
    }

    /// How many candidates stand in a camera's zones, with those that incidents stand on.
    #[cfg(test)]
    pub(crate) fn candidates(&self, camera: CameraIx) -> usize {
        self.camera(camera).map_or(0, |c| c.candidates.len())
    }

    /// The condition that each sensor is in, by its id.
    pub fn sensor_conditions(&self) -> impl Iterator<Item = (&str, SensorCondition)> {
        self.sensors.iter().map(|s| (s.config.id.as_str(), s.condition(self.now.mono)))
    }

    /// The open incidents, each as last reported and with what was seen since.
    pub fn open_incidents(&self) -> impl Iterator<Item = &Report> {
        let of_cameras = self.cameras.iter().map(|c| &c.incidents);
        let of_sensors = self.sensors.iter().map(|s| &s.incidents);
        of_cameras.chain(of_sensors).flat_map(|incidents| incidents.open().iter().map(|i| &i.report))
    }

    /// Time goes on, never back.
    pub(super) fn advance(&mut self, at: Moment) {
        if at.mono >= self.now.mono {
            self.now = at;
        }
    }

    fn camera(&self, camera: CameraIx) -> Option<&CameraCore> {
        self.cameras.get(usize::from(camera.0))
    }

    fn with_camera(
        &mut self,
        camera: CameraIx,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&mut CameraCore, &mut StepContext<'_>),
    ) {
        let mut context = context(&self.settings, &mut self.counters, effects);
        match self.cameras.get_mut(usize::from(camera.0)) {
            Some(camera) => act(camera, &mut context),
            None => context.counters.frames_ignored += 1,
        }
    }

    fn observation(&mut self, frame: &Observation, effects: &mut Vec<Effect>) {
        self.advance(frame.at);
        self.with_camera(frame.camera, effects, |camera, context| {
            let refused = camera.tracker.refused();
            camera.frame(frame, context);
            context.counters.boxes_refused += camera.tracker.refused() - refused;
        });
    }

    fn reading(&mut self, reading: Reading, effects: &mut Vec<Effect>) {
        self.advance(reading.arrived);
        let mut context = context(&self.settings, &mut self.counters, effects);
        context.counters.readings += 1;
        match self.sensors.iter_mut().find(|s| s.is(&reading.sensor)) {
            Some(sensor) => sensor.reading(reading, &mut context),
            None => context.counters.readings_unknown += 1,
        }
        self.listen(effects);
    }

    fn press(&mut self, reading: Reading, effects: &mut Vec<Effect>) {
        self.advance(reading.arrived);
        let mut context = context(&self.settings, &mut self.counters, effects);
        context.counters.readings += 1;
        match self.sensors.iter_mut().find(|s| s.is(&reading.sensor)) {
            Some(sensor) => sensor.press(reading, &mut context),
            None => context.counters.readings_unknown += 1,
        }
    }

    /// Asks the sensors for their words in the rules of every camera.
    fn listen(&mut self, effects: &mut Vec<Effect>) {
        let mut context = context(&self.settings, &mut self.counters, effects);
        for camera in &mut self.cameras {
            listen(camera, &mut self.sensors, self.now, &mut context);
        }
        end_unasked(&self.cameras, &mut self.sensors, self.now, &mut context);
    }

    fn evidence(&mut self, outcome: EvidenceOutcome, effects: &mut Vec<Effect>) {
        let mut context = context(&self.settings, &mut self.counters, effects);
        let incident = match &outcome.subject {
            EvidenceSubject::Incident(id) => find(&mut self.cameras, &mut self.sensors, id),
            EvidenceSubject::Command { .. } => None,
        };
        match incident {
            Some(incident) => incident.evidence(self.now, outcome, &mut context),
            None => context.counters.strays += 1,
        }
    }

    /// The centre's answer to a message. That of an incident has the id `incident_id.revision`.
    fn receipt(&mut self, receipt: Receipt) {
        let (id, revision) = match receipt.id.rsplit_once('.') {
            Some((id, revision)) => (id, revision.parse().unwrap_or(0)),
            None => (receipt.id.as_str(), 0),
        };
        match find(&mut self.cameras, &mut self.sensors, id) {
            Some(incident) => incident.receipt(revision, receipt),
            None => self.counters.strays += 1,
        }
    }

    fn case(&mut self, update: CaseUpdate, effects: &mut Vec<Effect>) {
        let id = update.incident_id.clone();
        let mut context = context(&self.settings, &mut self.counters, effects);
        for camera in &mut self.cameras {
            let Some(incident) = camera.incidents.get_mut(&id) else { continue };
            incident.case_update(update);
            if incident.case.recheck_due {
                camera.begin_recheck(&id, None, self.now, &mut context);
            }
            return;
        }
        for sensor in &mut self.sensors {
            let Some(incident) = sensor.incidents.get_mut(&id) else { continue };
            incident.case_update(update);
            if incident.case.recheck_due {
                sensor.recheck(&id, Vec::new(), self.now, &mut context);
            }
            return;
        }
        context.counters.strays += 1;
    }

    /// The centre commands a recheck. An incident that is not known any more is answered at once.
    fn recheck(&mut self, incident_id: String, command_id: String, effects: &mut Vec<Effect>) {
        let mut context = context(&self.settings, &mut self.counters, effects);
        let now = self.now;
        if let Some(sensor) = self.sensors.iter_mut().find(|s| s.incidents.get(&incident_id).is_some()) {
            return sensor.recheck(&incident_id, vec![command_id], now, &mut context);
        }
        match self.cameras.iter_mut().find(|c| c.incidents.get(&incident_id).is_some()) {
            Some(camera) => camera.begin_recheck(&incident_id, Some(command_id), self.now, &mut context),
            None => context.effects.push(Effect::UnknownIncident { command_id, incident_id }),
        }
    }

    fn tick(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        self.advance(at);
        self.redate(at, effects);
        let mut context = context(&self.settings, &mut self.counters, effects);
        for camera in &mut self.cameras {
            camera.account(at.mono);
            camera.begin_due_rechecks(at, &mut context);
            camera.end_rechecks(at, &mut context);
            camera.incidents.retire(at);
        }
        for sensor in &mut self.sensors {
            sensor.advance(at, &mut context);
            sensor.answer_due(at, &mut context);
            sensor.incidents.retire(at);
        }
        self.listen(effects);
    }
}

/// An incident, whoever vouches for it.
fn find<'a>(
    cameras: &'a mut [CameraCore],
    sensors: &'a mut [SensorMonitor],
    id: &str,
) -> Option<&'a mut Incident> {
    let of_cameras = cameras.iter_mut().map(|c| &mut c.incidents);
    let of_sensors = sensors.iter_mut().map(|s| &mut s.incidents);
    of_cameras.chain(of_sensors).find_map(|incidents| incidents.get_mut(id))
}

/// Borrows what a step needs of the core beside its cameras and sensors.
pub(super) fn context<'a>(
    settings: &'a Settings,
    counters: &'a mut CoreCounters,
    effects: &'a mut Vec<Effect>,
) -> StepContext<'a> {
    StepContext { settings, counters, effects }
}
