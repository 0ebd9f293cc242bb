//! Incidents on the word of a sensor: its alarm, a call, or a rule that reports what a sensor says without the picture.
//!
//! A sensor has one incident for its alarm or call, and one for each rule that takes its word: never many of the same. They have the
//! same revisions, evidence, receipts and cases as what cameras see.

use kerbside_domain::evidence::EvidenceRole;
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::kind::Kind;
use kerbside_domain::reading::{Reading, SensorCondition};
use kerbside_domain::report::{Cause, IncidentState, Phase, Recheck, RecheckResult, Report, SensorWitness};
use kerbside_domain::time::{Moment, Mono};
use kerbside_site::config::{Sensor, SensorKind};
use serde_json::json;

use super::context::StepContext;
use super::id::Birth;
use super::incidents::Incidents;
use super::lifecycle::Incident;
use super::reasons::tenths;
use super::sensor_monitor::SensorMonitor;

/// How sure an incident is that only a sensor vouches for. Nobody has measured how often sensors err; it is no certainty.
const CONFIDENCE: f32 = 0.9;
/// Of a sensor that no camera sees, or that may be anywhere in the picture.
const WHOLE_PICTURE: BBox = BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };

/// What an incident on a sensor's word is about, and how long it lives.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) camera: CameraIx,
    /// Where in the picture; `None`: somewhere, or no camera sees it.
    pub(super) bbox: Option<BBox>,
    /// Of the rule that takes the sensor's word; empty: it is the sensor's own alarm.
    pub(super) zone: String,
    pub(super) rule: String,
    pub(super) repeat_s: f64,
}

impl Subject {
    /// The sensor's own alarm, or a call.
    fn own(sensor: &Sensor) -> Self {
        Subject {
            kind: sensor.matter,
            camera: sensor.view.map_or(CameraIx::NONE, |v| v.camera),
            bbox: sensor.view.and_then(|v| v.bbox),
            zone: String::new(),
            rule: String::new(),
            repeat_s: sensor.repeat_s,
        }
    }

    fn is_of(&self, incident: &Incident) -> bool {
        incident.report.zone == self.zone && incident.report.rule == self.rule
    }

    fn bbox(&self) -> BBox {
        self.bbox.unwrap_or(WHOLE_PICTURE)
    }
}

impl SensorMonitor {
    /// Its own alarm began or ended at a moment; `since`: when the readings first said so.
    pub(super) fn own_alarm(
        &mut self,
        active: bool,
        since: Mono,
        at: Moment,
        reading: &Reading,
        context: &mut StepContext<'_>,
    ) {
        let subject = Subject::own(&self.config);
        if active {
            self.begin(&subject, since, reading, at, context);
        } else {
            self.end(&subject, Some(reading), at, context);
        }
    }

    /// A press: the first opens the call, each further one raises its count.
    pub(super) fn call(&mut self, reading: &Reading, context: &mut StepContext<'_>) {
        let subject = Subject::own(&self.config);
        let at = reading.arrived;
        if self.incidents.open().iter().any(|i| subject.is_of(i) && i.is_case_ended()) {
            // The centre has ended that call: this is another one.
            self.end(&subject, None, at, context);
        }
        let Some(call) = self.incidents.open_mut().iter_mut().find(|i| subject.is_of(i)) else {
            return self.begin(&subject, at.mono, reading, at, context);
        };
        call.report.count += 1;
        call.report.last_seen = at;
        call.report.dwell_s = tenths(at.mono.since_s(call.report.started.mono));
        call.report_revision(at, Phase::Updated, Cause::Pressed, context);
    }

    /// A call to which nobody has added for its repeat interval is over; what comes then is another one.
    pub(super) fn end_call(&mut self, now: Moment, context: &mut StepContext<'_>) {
        let repeat_s = self.config.repeat_s;
        let is_over =
            |i: &Incident| i.report.rule.is_empty() && now.mono.since_s(i.report.last_seen.mono) >= repeat_s;
        if self.config.kind == SensorKind::CallButton && self.incidents.open().iter().any(is_over) {
            self.end(&Subject::own(&self.config), None, now, context);
        }
    }

    /// Opens the incident, or goes on with the one that ended within its repeat interval.
    pub(super) fn begin(
        &mut self,
        subject: &Subject,
        since: Mono,
        reading: &Reading,
        at: Moment,
        context: &mut StepContext<'_>,
    ) {
        if self.incidents.open().iter().any(|i| subject.is_of(i)) || !self.incidents.has_room() {
            return;
        }
        let began = at.at(since);
        let may_repeat = self.config.kind != SensorKind::CallButton;
        // An earlier call stays where its receipt and its evidence find it.
        let is_same = |i: &Incident| {
            // Another rule of the zone may report the same kind of the same place.
            subject.is_of(i) && i.is_repeated(subject.kind, &subject.zone, &subject.bbox(), at.mono)
        };
        let repeated = may_repeat.then(|| self.incidents.take_cleared(is_same)).flatten();
        let has_returned = repeated.is_some();
        let mut incident = repeated.unwrap_or_else(|| self.first(subject, began, reading, at, context));
        incident.state = IncidentState::Open;
        incident.closed = None;
        // No picture decides whether it is gone.
        incident.observable = false;
        incident.report.started = at.dating(began);
        self.refresh(&mut incident, reading, at);
        let (phase, cause) = match has_returned {
            true => (Phase::Updated, Cause::Reappeared),
            false if self.config.kind == SensorKind::CallButton => (Phase::Opened, Cause::Pressed),
            false => (Phase::Opened, Cause::Sensor),
        };
        context.counters.reappeared += u64::from(has_returned);
        let roles = roles(subject, context.settings.clip);
        if roles.is_empty() {
            incident.report_revision(at, phase, cause, context);
        } else {
            incident.report_with_evidence(at, phase, cause, &roles, context);
        }
        self.incidents.push_open(incident);
    }

    /// The incident is over.
    pub(super) fn end(
        &mut self,
        subject: &Subject,
        reading: Option<&Reading>,
        at: Moment,
        context: &mut StepContext<'_>,
    ) {
        let Some(index) = self.incidents.open().iter().position(|i| subject.is_of(i)) else { return };
        let mut incident = self.incidents.take_open(index);
        if let Some(reading) = reading {
            self.refresh(&mut incident, reading, at);
        }
        incident.end(IncidentState::Cleared, at);
        if incident.report.camera == CameraIx::NONE {
            incident.report_revision(at, Phase::Cleared, Cause::SensorQuiet, context);
        } else {
            let roles = [EvidenceRole::After];
            incident.report_with_evidence(at, Phase::Cleared, Cause::SensorQuiet, &roles, context);
        }
        self.incidents.push_past(incident);
    }

    /// The centre asks whether it still is so: the sensor knows at once, or nobody does.
    pub(super) fn recheck(
        &mut self,
        id: &str,
        commands: Vec<String>,
        at: Moment,
        context: &mut StepContext<'_>,
    ) {
        let condition = self.condition(at.mono);
        let is_call = self.config.kind == SensorKind::CallButton;
        let Some(incident) = self.incidents.get_mut(id) else { return };
        let (result, why) = match (condition, incident.state) {
            _ if is_call => (RecheckResult::Unobservable, "a_call_is_answered_by_people".to_owned()),
            (SensorCondition::Silent | SensorCondition::Implausible | SensorCondition::Stuck, _) => {
                (RecheckResult::Unobservable, format!("sensor_{}", condition.as_str()))
            }
            (_, IncidentState::Open) => (RecheckResult::Persisting, "sensor_says_so".to_owned()),
            (_, _) => (RecheckResult::Cleared, "sensor_says_so".to_owned()),
        };
        context.counters.rechecks += 1;
        incident.case.recheck_due = false;
        incident.report.recheck = Some(Recheck { result, why, frames: 0, commands });
        incident.report_revision(at, Phase::Recheck, Cause::Recheck, context);
        incident.report.recheck = None;
    }

    /// Asks it about the cases that are due by a clock that somebody vouches for, never before.
    pub(super) fn answer_due(&mut self, now: Moment, context: &mut StepContext<'_>) {
        for id in self.incidents.due(now) {
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.case.look_begins();
            }
            self.recheck(&id, Vec::new(), now, context);
        }
    }

    /// Nobody asks it any more: what it says there is nobody's word, and whether it is over is not known.
    pub(super) fn withdraw(&mut self, index: usize, at: Moment, context: &mut StepContext<'_>) {
        let mut incident = self.incidents.take_open(index);
        incident.end(IncidentState::Withdrawn, at);
        incident.report_revision(at, Phase::Withdrawn, Cause::SensorQuiet, context);
        self.incidents.push_past(incident);
    }

    /// An incident that has not been reported yet.
    fn first(
        &self,
        subject: &Subject,
        began: Moment,
        reading: &Reading,
        at: Moment,
        context: &StepContext<'_>,
    ) -> Incident {
        let name = format!("{}/{}/{}", self.config.id, subject.zone, subject.rule);
        let birth = Birth {
            edge_id: &context.settings.edge_id,
            camera_id: &name,
            run: if began.is_vouched() { "" } else { &context.settings.run },
            first_seen_ms: began.wall_ms,
            noticed_ms: at.wall_ms,
            nth: 0,
            bbox: subject.bbox(),
        };
        let ended = self.incidents.ended_before(subject.kind, &subject.zone, &subject.bbox(), at.mono);
        let report = Report {
            incident_id: birth.ulid(),
            revision: 0, // The first report makes it 1.
            phase: Phase::Opened,
            cause: Cause::Sensor,
            state: IncidentState::Open,
            kind: subject.kind,
            act: None,
            confidence: CONFIDENCE,
            at,
            first_seen: at.dating(began),
            started: at.dating(began),
            last_seen: at,
            dwell_s: 0.0,
            count: 1,
            camera: subject.camera,
            zone: subject.zone.clone(),
            rule: subject.rule.clone(),
            bbox: subject.bbox(),
            objects: Vec::new(),
            reasons: Vec::new(),
            evidence: Vec::new(),
            evidence_pending: Vec::new(),
            sensor: Some(witness(reading)),
            previous: ended.map(|ended| ended.id().to_owned()),
            recheck: None,
        };
        Incident::new(report, at.mono, 0.0, subject.repeat_s)
    }

    fn refresh(&self, incident: &mut Incident, reading: &Reading, at: Moment) {
        let report = &mut incident.report;
        report.last_seen = at;
        report.dwell_s = tenths(at.mono.since_s(report.started.mono));
        report.sensor = Some(witness(reading));
        let mut reasons = vec![("sensor_value".to_owned(), json!(reading.value))];
        reasons.extend(self.config.alarm_above.map(|limit| ("alarm_above".to_owned(), json!(limit))));
        report.reasons = reasons;
    }
}

fn witness(reading: &Reading) -> SensorWitness {
    SensorWitness { id: reading.sensor.to_string(), value: reading.value, unit: reading.unit.to_string() }
}

/// What the camera that sees the sensor can show: nothing stood there before that a picture could miss.
fn roles(subject: &Subject, clip: bool) -> Vec<EvidenceRole> {
    if subject.camera == CameraIx::NONE {
        return Vec::new();
    }
    let annotated = subject.bbox.map(|_| EvidenceRole::Annotated);
    let clip = clip.then_some(EvidenceRole::Clip);
    [Some(EvidenceRole::Trigger), annotated, clip].into_iter().flatten().collect()
}

impl Incidents {
    /// Whether a sensor's own alarm or call is open.
    pub(super) fn has_own_alarm(&self) -> bool {
        self.open().iter().any(|i| i.report.rule.is_empty())
    }
}
