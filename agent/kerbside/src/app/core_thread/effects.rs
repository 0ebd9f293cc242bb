//! The one place where effects of the core are applied.

use std::collections::VecDeque;

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::CameraIx;
use kerbside_domain::reading::{Reading, SensorCondition};
use kerbside_domain::report::Report;
use kerbside_domain::time::Moment;
use kerbside_seeing::incident::{Effect, IncidentRecord, Input, ReviewRequest, Warning};
use kerbside_trace::delivery::Item;
use kerbside_trace::journal::RecordKind;
use kerbside_wire::{self as wire, ReplyResult};

use super::messages;
use super::state::CoreThread;
use super::write_queue::AfterWrite;
use crate::evidence::EvidenceTask;

impl CoreThread {
    /// Feeds one input into the core and applies what follows from it.
    pub(super) fn step(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        let mut effects = Vec::new();
        while let Some(input) = inputs.pop_front() {
            #[cfg(test)]
            self.stepped.push(input.clone());
            self.core.step(input, &mut effects);
            self.meter.input();
            for effect in effects.drain(..) {
                inputs.extend(self.apply(effect));
            }
        }
        self.write();
    }

    /// Returns the input with which the effect is answered at once, if it is.
    fn apply(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Report(report) => self.report(*report),
            Effect::UnknownIncident { command_id, incident_id } => {
                self.unknown_incident(&command_id, &incident_id)
            }
            Effect::Save(request) => {
                self.writes.then(AfterWrite::evidence(EvidenceTask::Make(Box::new(request))))
            }
            Effect::Pin { incident_id, camera, from, to } => {
                self.submit_evidence(EvidenceTask::Pin { incident_id, camera, from: from.mono, to: to.mono });
            }
            Effect::Unpin { incident_id } => self.unpin(incident_id),
            Effect::Refused(refusal) => {
                if let Some(evidence) = &self.evidence {
                    evidence.refused(refusal);
                }
            }
            Effect::Review(request) => return self.review(request),
            Effect::WatchRequired { camera, required } => {
                if let Some(control) = self.cameras.get(usize::from(camera.0)) {
                    control.watch_closely(required);
                }
            }
            Effect::Sweep { camera, parts } => {
                if let Some(control) = self.cameras.get(usize::from(camera.0)) {
                    control.sweep(parts);
                }
            }
            Effect::CameraChanged { camera, at, state } => self.camera_changed(camera, at, state),
            Effect::Patrol(report) => {
                self.writes.extend(messages::of_patrol(&self.placer, &self.delivery, &report));
            }
            Effect::SensorAlarm { reading, active } => self.sensor_alarm(&reading, active),
            Effect::Warn(warning) => return self.warn(warning),
            Effect::WarningAnswered { incident_id, spoken } => {
                let note = serde_json::json!({"warning_spoken": spoken, "incident_id": incident_id});
                self.writes.item(Item::Note { kind: RecordKind::Note, body: note });
            }
            Effect::WatchFaster { camera, required } => {
                if let Some(control) = self.cameras.get(usize::from(camera.0)) {
                    control.watch_faster(required);
                }
            }
            Effect::SensorCondition { sensor, at, condition, last } => {
                self.sensor_condition(&sensor, condition, last.as_ref(), at);
            }
        }
        None
    }

    fn report(&mut self, report: Report) {
        messages::log_report(&self.site, &report);
        self.meter.report(&report);
        self.unsaved_report = true;
        self.writes.extend(messages::of_report(&self.site, &self.placer, &self.delivery, &report));
        let record = self.core.record(&report.incident_id).unwrap_or_else(|| IncidentRecord::new(report));
        self.writes.extend(messages::saved(&record).map(Item::Incident));
    }

    fn unknown_incident(&mut self, command_id: &str, incident_id: &str) {
        let why = "no such incident is known here (any more)";
        let detail = serde_json::json!({ "incident_id": incident_id });
        let reply =
            wire::reply(command_id, "recheck", ReplyResult::Refused, Some(why), detail, self.clock.now());
        self.writes.message(reply);
    }

    /// A request for evidence that waits for the disk needs the pinned packets first.
    fn unpin(&mut self, incident_id: String) {
        let awaited = self.writes.awaits_evidence(&incident_id);
        let task = EvidenceTask::Unpin { incident_id };
        if awaited { self.writes.then(AfterWrite::evidence(task)) } else { self.submit_evidence(task) }
    }

    /// Returns the answer if nobody can review the past, or too many requests wait.
    fn review(&mut self, request: ReviewRequest) -> Option<Input> {
        let answer = match &self.review {
            Some(stage) => stage.request(request),
            None => Some(request.failed("no detector".to_owned())),
        };
        answer.map(Input::Reviewed)
    }

    /// Returns the answer if nobody can speak, or too many warnings wait.
    fn warn(&mut self, warning: Warning) -> Option<Input> {
        let Warning { incident_id, camera, by, .. } = &warning;
        tracing::info!(incident = incident_id, ?by, "warning at the place");
        let note = serde_json::json!({"warned": {"incident_id": incident_id, "by": by}});
        self.writes.item(Item::Note { kind: RecordKind::Note, body: note });
        let unspoken = Input::Warned { camera: *camera, incident_id: incident_id.clone(), spoken: false };
        self.warnings.try_send(warning).is_err().then(|| {
            tracing::warn!("the warning is not spoken: too many wait, or the outputs have ended");
            unspoken
        })
    }

    fn camera_changed(&mut self, camera: CameraIx, at: Moment, state: CameraState) {
        let id = self.site.camera(camera).map_or("?", |c| c.id.as_str());
        let cure = match state {
            CameraState::Off(reason) => reason.cure(),
            _ => None,
        };
        match cure {
            Some((cure, zh)) => tracing::warn!(camera = id, state = ?state, cure, zh, "camera state"),
            None => tracing::info!(camera = id, state = ?state, "camera state"),
        }
        self.meter.camera(camera, state);
        let note = serde_json::json!({ "camera_id": id, "camera": state });
        self.writes.item(Item::Note { kind: RecordKind::Camera, body: note });
        self.writes.message(wire::camera(self.delivery.identity(), camera, state, at));
        if state != CameraState::Watching {
            self.due.health_now();
        }
    }

    /// What a sensor reads proves nothing any more, or it does again.
    fn sensor_condition(
        &mut self,
        sensor: &str,
        condition: SensorCondition,
        last: Option<&Reading>,
        at: Moment,
    ) {
        tracing::warn!(sensor, condition = condition.as_str(), "sensor condition");
        self.writes.message(wire::sensor_condition(self.delivery.identity(), sensor, condition, last, at));
    }

    fn sensor_alarm(&mut self, reading: &Reading, active: bool) {
        tracing::warn!(sensor = %reading.sensor, value = reading.value, active, "sensor alarm");
        self.writes.message(wire::alarm(self.delivery.identity(), reading, active));
    }

    /// After each input. While the disk refuses, only ticks try again.
    pub(super) fn write(&mut self) {
        if !self.writes.is_refused() {
            self.commit();
        }
    }

    /// Makes the queued items durable, then performs the actions that waited for that.
    pub(super) fn commit(&mut self) {
        for action in self.writes.commit(&self.delivery) {
            match action {
                AfterWrite::Evidence(task) => self.submit_evidence(*task),
                AfterWrite::Upload(grant) => self.start_upload(*grant),
                AfterWrite::Restart => self.restart.notify_one(),
                // Who brought it may have gone meanwhile.
                AfterWrite::Durable(told) => drop(told.send(())),
            }
        }
    }

    /// Orders about packets in memory wait for no disk: a disk that refuses for days piles up none of them.
    fn submit_evidence(&self, task: EvidenceTask) {
        if let Some(evidence) = &self.evidence {
            evidence.submit(task);
        }
    }
}
