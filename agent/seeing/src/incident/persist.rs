//! What the core remembers over a restart: its incidents, as the last thing said about each.

use serde::{Deserialize, Serialize};

use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::{Moment, Mono};

use super::camera::{LATE_S, MAX_OPEN};
use super::life::{CaseFile, Incident, Standing, StepContext};
use super::{CaseState, Core, Effect, Phase, Receipt, Report};

/// Where a rule is no longer configured, its incidents still live by these.
const DEFAULT_CLEAR_AFTER_S: f64 = 30.0;
const DEFAULT_REPEAT_S: f64 = 1800.0;

/// One incident as it is kept: made by [`Core::snapshot`], or folded from the journal's reports in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentRecord {
    /// The latest revision.
    pub report: Report,
    pub standing: Standing,
    /// The camera's id: indices change with the configuration.
    pub camera_id: Option<String>,
    pub case: CaseFile,
    pub closed: Option<Moment>,
}

impl IncidentRecord {
    /// From the first report that is left of an incident.
    pub fn new(report: Report) -> Self {
        let mut record = IncidentRecord {
            report: report.clone(),
            standing: Standing::Open,
            camera_id: None,
            case: CaseFile::default(),
            closed: None,
        };
        record.fold(report);
        record
    }

    /// A later report of the same incident.
    pub fn fold(&mut self, report: Report) {
        match report.phase {
            Phase::Opened => self.standing = Standing::Open,
            Phase::Updated if report.cause == "reappeared" => {
                self.standing = Standing::Open;
                self.closed = None;
            }
            Phase::Updated | Phase::Recheck => {}
            Phase::Cleared => self.standing = Standing::Cleared,
            Phase::Withdrawn => self.standing = Standing::Withdrawn,
        }
        if matches!(report.phase, Phase::Cleared | Phase::Withdrawn) {
            self.closed = Some(report.at);
        }
        self.report = report;
    }
}

impl Core {
    /// All incidents that are open or may still be asked about, oldest first per camera.
    pub fn snapshot(&self) -> Vec<IncidentRecord> {
        let record = |incident: &Incident, camera_id: &str| IncidentRecord {
            report: incident.report.clone(),
            standing: incident.standing,
            camera_id: Some(camera_id.to_owned()),
            case: incident.case.clone(),
            closed: incident.closed,
        };
        let mut records = Vec::new();
        for camera in &self.cameras {
            let all = camera.past.iter().chain(&camera.open);
            records.extend(all.map(|i| record(i, &camera.config.id)));
        }
        records
    }

    /// Takes up what an earlier run left. Monotonic time began anew, so the records' wall times are laid on `now`.
    /// Open incidents attach to whatever is seen at their place again; until then nothing is said about them.
    /// Records of cameras that are no longer configured are left out; returns how many.
    pub fn restore(&mut self, records: Vec<IncidentRecord>, now: Moment) -> usize {
        self.advance(now);
        let mut left_out = 0;
        for record in records {
            let camera = match &record.camera_id {
                Some(id) => self.cameras.iter().position(|c| &c.config.id == id),
                None => Some(usize::from(record.report.camera.0)).filter(|ix| *ix < self.cameras.len()),
            };
            match camera {
                Some(index) => self.restore_one(index, record, now),
                None => left_out += 1,
            }
        }
        for camera in &mut self.cameras {
            camera.retire(now.mono);
            camera.resume_rechecks(now.mono);
        }
        left_out
    }

    fn restore_one(&mut self, index: usize, record: IncidentRecord, now: Moment) {
        let mut report = record.report;
        report.camera = CameraIx(index as u16);
        for moment in [&mut report.at, &mut report.first_seen, &mut report.last_seen] {
            *moment = rebase(*moment, now);
        }
        let rule = self.settings.rule(report.camera, &report.zone, &report.rule).map(|r| r.1);
        let clear_after_s = rule.map_or(DEFAULT_CLEAR_AFTER_S, |r| r.clear_after_s);
        let repeat_s = rule.map_or(DEFAULT_REPEAT_S, |r| r.repeat_s);
        let closed = record.closed;
        let mut incident = Incident::new(report, now.mono, clear_after_s, repeat_s);
        incident.standing = record.standing;
        incident.case = record.case;
        incident.observable = false;
        let camera = &mut self.cameras[index];
        if record.standing == Standing::Open {
            if camera.open.len() < MAX_OPEN {
                camera.open.push(incident);
            }
            return;
        }
        // What is left of the repeat interval, whatever the monotonic clock's age.
        let age_s = closed.map_or(0.0, |c| (now.wall_ms - c.wall_ms).max(0) as f64 / 1000.0);
        incident.repeat_s = (repeat_s - age_s).max(0.0);
        incident.closed = Some(now);
        if age_s <= repeat_s.max(LATE_S) {
            camera.remember(incident);
        }
    }

    /// Evidence that was asked for and never answered, by incident: after a restart its ring is gone, and whoever
    /// makes evidence should answer with an [`super::EvidenceOutcome`] that says so.
    pub fn evidence_pending(&self) -> Vec<(String, u32)> {
        let all = self.cameras.iter().flat_map(|c| c.past.iter().chain(&c.open));
        all.flat_map(|i| {
            let mut revisions: Vec<u32> = i.asked_for.iter().map(|a| a.0).collect();
            revisions.dedup();
            revisions.into_iter().map(|revision| (i.report.incident_id.clone(), revision))
        })
        .collect()
    }

    pub(super) fn receipt(&mut self, receipt: Receipt) {
        let (id, revision) = match receipt.id.rsplit_once('.') {
            Some((id, revision)) => (id, revision.parse().unwrap_or(0)),
            None => (receipt.id.as_str(), 0),
        };
        match self.cameras.iter_mut().find_map(|c| c.incident_mut(id)) {
            Some(incident) => incident.receipt(revision, receipt),
            None => self.counters.strays += 1,
        }
    }

    pub(super) fn case(&mut self, said: CaseState, effects: &mut Vec<Effect>) {
        let id = said.incident_id.clone();
        for camera in &mut self.cameras {
            let Some(incident) = camera.incident_mut(&id) else { continue };
            incident.case_state(said);
            if incident.case.recheck_due {
                let mut voice =
                    StepContext { settings: &self.settings, counters: &mut self.counters, effects };
                camera.ask_again(&id, None, self.now, &mut voice);
            }
            return;
        }
        self.counters.strays += 1;
    }
}

/// The same wall time on this run's monotonic clock; what lies before its origin is at its origin.
fn rebase(moment: Moment, now: Moment) -> Moment {
    let age_s = (now.wall_ms - moment.wall_ms) as f64 / 1000.0;
    let mono = if age_s >= 0.0 { now.mono.minus_s(age_s) } else { Mono(now.mono.0) };
    Moment { mono, ..moment }
}
