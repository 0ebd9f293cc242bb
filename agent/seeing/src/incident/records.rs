//! What the core remembers over a restart: its incidents, each as the last report about it.

use serde::{Deserialize, Serialize};

use kerbside_domain::evidence::EvidenceItem;
use kerbside_domain::frame::CameraIx;
use kerbside_domain::report::{IncidentState, Phase, Report};
use kerbside_domain::time::{Moment, Mono};
use kerbside_site::config::Camera;

use super::camera::CameraCore;
use super::case_file::CaseFile;
use super::core::Core;
use super::incidents::Incidents;
use super::lifecycle::Incident;
use super::told::{PendingEvidence, ToldEvidence};
use super::tuning::lifecycle::{DEFAULT_CLEAR_AFTER_S, DEFAULT_REPEAT_S, LATE_S};

/// One incident as it is stored: made by [`Core::record`], or folded from the journal's reports in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentRecord {
    /// The latest revision.
    pub report: Report,
    /// Whether it is open, cleared or withdrawn. Stored as `standing`.
    #[serde(rename = "standing")]
    pub state: IncidentState,
    /// The camera's id: indices change with the configuration.
    pub camera_id: Option<String>,
    /// What the centre answered.
    pub case: CaseFile,
    /// When it was cleared or withdrawn, or last looked after.
    pub closed: Option<Moment>,
    /// The evidence that it waits for. Version 0.1 had it in the report.
    #[serde(default)]
    pub pending: Option<Vec<PendingEvidence>>,
    /// The latest files that were named.
    #[serde(default)]
    pub told: Vec<EvidenceItem>,
}

impl IncidentRecord {
    /// From the first report that is left of an incident.
    pub fn new(report: Report) -> Self {
        let mut record = IncidentRecord {
            report: report.clone(),
            state: IncidentState::Open,
            camera_id: None,
            case: CaseFile::default(),
            closed: None,
            pending: None,
            told: Vec::new(),
        };
        record.fold(report);
        record
    }

    /// A later report of the same incident.
    pub fn fold(&mut self, report: Report) {
        self.state = report.state;
        if report.state == IncidentState::Open {
            self.closed = None;
        } else if matches!(report.phase, Phase::Cleared | Phase::Withdrawn | Phase::Settled) {
            self.closed = Some(report.at);
        }
        self.report = report;
    }

    /// Lays it on this run's clock and hands it to those who go on with it, unless it is too old.
    fn take_up(self, incidents: &mut Incidents, clear_after_s: f64, repeat_s: f64, now: Moment) {
        let mut report = self.report;
        report.state = self.state;
        if report.started == Moment::default() {
            report.started = report.first_seen; // Of version 0.1.
        }
        for moment in [&mut report.at, &mut report.first_seen, &mut report.started, &mut report.last_seen] {
            *moment = rebase(*moment, now);
        }
        let of_report = || report.evidence_pending.iter().map(|&role| PendingEvidence { revision: 0, role });
        let pending = self.pending.unwrap_or_else(|| of_report().collect());
        let mut incident = Incident::new(report, now.mono, clear_after_s, repeat_s);
        incident.told = ToldEvidence::new(pending, self.told);
        incident.state = self.state;
        incident.case = self.case;
        incident.observable = false;
        if self.state == IncidentState::Open && self.closed.is_none() {
            incidents.push_open(incident);
            return;
        }
        // What is left of the repeat interval, whatever the monotonic clock's age.
        let age_s = self.closed.map_or(0.0, |closed| closed_for_s(closed, now));
        incident.repeat_s = (repeat_s - age_s).max(0.0);
        incident.closed = Some(now);
        if age_s <= repeat_s.max(LATE_S) {
            incidents.push_past(incident);
        }
    }

    fn of(incident: &Incident, camera_id: Option<&str>) -> Self {
        IncidentRecord {
            report: incident.report.clone(),
            state: incident.state,
            camera_id: camera_id.map(str::to_owned),
            case: incident.case.clone(),
            closed: incident.closed,
            pending: Some(incident.told.pending().to_vec()),
            told: incident.told.items().to_vec(),
        }
    }
}

impl Core {
    /// One incident that is open or may still be asked about.
    pub fn record(&self, incident_id: &str) -> Option<IncidentRecord> {
        let of_camera = self.cameras.iter().find_map(|camera| {
            let incident = camera.incidents.get(incident_id)?;
            Some(IncidentRecord::of(incident, Some(&camera.config.id)))
        });
        let of_sensor = || self.sensors.iter().find_map(|s| s.incidents.get(incident_id));
        of_camera.or_else(|| of_sensor().map(|incident| IncidentRecord::of(incident, None)))
    }

    /// All incidents that are open or may still be asked about, by camera; the closed ones first.
    pub fn snapshot(&self) -> Vec<IncidentRecord> {
        let records = |camera: &CameraCore| -> Vec<IncidentRecord> {
            camera.incidents.all().map(|i| IncidentRecord::of(i, Some(&camera.config.id))).collect()
        };
        let of_sensors = self.sensors.iter().flat_map(|s| s.incidents.all());
        let of_sensors = of_sensors.map(|i| IncidentRecord::of(i, None));
        self.cameras.iter().flat_map(records).chain(of_sensors).collect()
    }

    /// Takes up what an earlier run left. Monotonic time began anew, so the records' wall times are laid on `now`.
    /// Open incidents stand on whatever is seen at their place again; until then nothing is said about them.
    /// Records of cameras that are no longer configured are left out; returns how many.
    pub fn restore(&mut self, records: Vec<IncidentRecord>, now: Moment) -> usize {
        self.advance(now);
        self.dating.begin(now.mono);
        let mut left_out = 0;
        for record in records {
            if let Some(witness) = &record.report.sensor {
                let sensor = self.sensors.iter().position(|s| s.is(&witness.id));
                match sensor {
                    Some(index) => self.restore_of_sensor(index, record, now),
                    None => left_out += 1,
                }
                continue;
            }
            match self.camera_of(&record) {
                Some(index) => self.restore_one(index, record, now),
                None => left_out += 1,
            }
        }
        for camera in &mut self.cameras {
            camera.incidents.retire(now);
            camera.resume_rechecks(now.mono);
        }
        for sensor in &mut self.sensors {
            sensor.incidents.retire(now);
            sensor.resume();
        }
        left_out
    }

    fn camera_of(&self, record: &IncidentRecord) -> Option<usize> {
        match &record.camera_id {
            Some(id) => self.cameras.iter().position(|c| &c.config.id == id),
            None => Some(usize::from(record.report.camera.0)).filter(|ix| *ix < self.cameras.len()),
        }
    }

    fn restore_one(&mut self, index: usize, mut record: IncidentRecord, now: Moment) {
        let report = &mut record.report;
        report.camera = CameraIx(index as u16);
        let rule = self.settings.rule(report.camera, &report.zone, &report.rule).map(|r| r.1);
        let clear_after_s = rule.map_or(DEFAULT_CLEAR_AFTER_S, |r| r.clear_after_s);
        let repeat_s = rule.map_or(DEFAULT_REPEAT_S, |r| r.repeat_s);
        let Some(camera) = self.cameras.get_mut(index) else { return };
        record.take_up(&mut camera.incidents, clear_after_s, repeat_s, now);
    }

    /// On the word of a sensor: the camera that sees it may have another place in the site now.
    fn restore_of_sensor(&mut self, index: usize, mut record: IncidentRecord, now: Moment) {
        let Some(sensor) = self.sensors.get_mut(index) else { return };
        let report = &mut record.report;
        let cameras = &self.settings.cameras;
        let of_rule = |c: &Camera| {
            c.zones.iter().any(|z| z.id == report.zone && z.rules.iter().any(|r| r.id == report.rule))
        };
        let (camera, repeat_s) = match report.rule.is_empty() {
            true => (sensor.config.view.map(|view| view.camera), sensor.config.repeat_s),
            false => (cameras.iter().find(|c| of_rule(c)).map(|c| c.ix), DEFAULT_REPEAT_S),
        };
        report.camera = camera.unwrap_or(CameraIx::NONE);
        record.take_up(&mut sensor.incidents, 0.0, repeat_s, now);
    }

    /// Evidence that was requested and never answered, by incident and revision. After a restart its ring is gone: whoever
    /// makes evidence should answer with an [`EvidenceOutcome`](kerbside_domain::evidence::EvidenceOutcome) that says so.
    pub fn evidence_pending(&self) -> Vec<(String, u32)> {
        let of_sensors = self.sensors.iter().flat_map(|s| s.incidents.all());
        let all = self.cameras.iter().flat_map(|c| c.incidents.all()).chain(of_sensors);
        all.flat_map(|i| i.pending_revisions().into_iter().map(|revision| (i.id().to_owned(), revision)))
            .collect()
    }
}

/// How long ago that was, s. Where nobody vouches for both clocks, an age of more than a day is none: it counts as just now.
fn closed_for_s(closed: Moment, now: Moment) -> f64 {
    let age_s = now.wall_ms.saturating_sub(closed.wall_ms).max(0) as f64 / 1000.0;
    let is_known = closed.is_vouched() && now.is_vouched() || age_s <= 86_400.0;
    if is_known { age_s } else { 0.0 }
}

/// The same wall time on this run's monotonic clock; what lies before its origin is at its origin.
fn rebase(moment: Moment, now: Moment) -> Moment {
    let age_s = now.wall_ms.saturating_sub(moment.wall_ms) as f64 / 1000.0;
    let mono = if age_s >= 0.0 { now.mono.minus_s(age_s) } else { Mono(now.mono.0) };
    Moment { mono, ..moment }
}
