//! What each event leads to: inputs for the core, and items for the journal.

use std::sync::Arc;

use kerbside_domain::case::CaseUpdate;
use kerbside_domain::evidence::{EvidenceOutcome, EvidenceRole};
use kerbside_domain::position::Position;
use kerbside_domain::reading::Reading;
use kerbside_domain::time::{Moment, instant_ms};
use kerbside_seeing::incident::Input;
use kerbside_site::config::{Push, Site};
use kerbside_site::geo::distance_m;
use kerbside_trace::MAX_GRANTS;
use kerbside_trace::delivery::{Item, StageCommand, StageInput, StoredInput};
use kerbside_trace::journal::RecordKind;
use kerbside_wire::{self as wire, Grant};

use super::messages;
use super::state::{CoreThread, PositionDoubt};
use super::write_queue::AfterWrite;
use crate::app::commands::CommandStart;
use crate::app::paths::evidence_dir;
use crate::evidence::{self, BoxPoint, EvidenceCamera, EvidenceTask, HoldChange};
use crate::sensor::{GnssEvent, Press};

/// A moving box tells its position at least this often, s ...
const POSITION_AFTER_S: f64 = 60.0;
/// ... and at most this often, s, ...
const POSITION_EVERY_S: f64 = 10.0;
/// ... when it has gone this far, m.
const POSITION_MOVED_M: f64 = 20.0;

/// The evidence stage gets the position of the box when it has changed by this, m; less is not seen on a sheet. ...
const BOX_POINT_MOVED_M: f64 = 2.0;
/// ... or its accuracy by this share, ...
const BOX_POINT_ACCURACY: f64 = 0.25;
/// ... and that of a box that moves at least this often, s: fixes further apart than 10 s say nothing of the way between them.
const BOX_POINT_EVERY_S: f64 = 5.0;

/// Files on their way beyond which no sheet is sent without a grant: the rest of the room is for what the centre asks for.
const MAX_PUSHED: usize = MAX_GRANTS / 2;

/// One thing that happened.
#[derive(Debug)]
pub(super) enum Event {
    Input(Input),
    Evidence(EvidenceOutcome),
    /// Everything that waited, oldest first.
    Centre(Vec<StoredInput>),
    Gnss(GnssEvent),
    /// Somebody pressed a call button.
    Press(Press),
    /// The site file was read again: zones, rules, limits.
    Site(Arc<Site>),
}

impl CoreThread {
    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Input(Input::Observation(_)) if self.writes.is_full() => self.meter.left_out(),
            Event::Input(Input::Reading(reading)) => self.reading(reading),
            Event::Input(input) if !self.commands.admits(&input) => {}
            Event::Input(input) => self.step(input),
            Event::Evidence(outcome) => self.evidence_outcome(outcome),
            Event::Gnss(event) => self.gnss(event),
            Event::Press(press) => self.press(press),
            Event::Centre(inputs) => self.centre(inputs),
            Event::Site(site) => self.replace_site(site),
        }
    }

    /// All of it enters the core; then one record marks it as consumed.
    fn centre(&mut self, inputs: Vec<StoredInput>) {
        let Some(last) = inputs.last().map(|i| i.n) else { return };
        for StoredInput { input, .. } in inputs {
            match input {
                StageInput::Receipt(receipt) => {
                    if let Some(due_at) = receipt.due_at.as_ref().filter(|due| instant_ms(due).is_none()) {
                        let id = &receipt.id;
                        tracing::warn!(
                            id,
                            due_at,
                            "due_at of a receipt is no time of RFC 3339: nobody looks when it is due"
                        );
                    }
                    self.step(Input::Receipt(receipt));
                }
                StageInput::Case(case) => {
                    self.set_retention_hold(&case);
                    self.step(Input::Case(case));
                }
                StageInput::Command(command) => self.start_command(command),
                StageInput::Grant(grant) => self.start_upload(grant),
            }
        }
        self.writes.extend(messages::all_incidents(&self.core.snapshot()));
        self.writes.item(Item::Consumed(last));
        self.write();
    }

    /// What stands there is judged by the new rules from now on.
    fn replace_site(&mut self, site: Arc<Site>) {
        for (camera, control) in site.cameras.iter().zip(&self.cameras) {
            self.core.set_zones(camera.ix, camera.zones.clone());
            control.set_zones(camera.zones.iter().map(|z| z.polygon_norm.clone()).collect());
            if let Some(evidence) = &self.evidence {
                evidence.set_zones(camera.ix, EvidenceCamera::outlines(camera));
            }
        }
        self.core.set_patrol(site.patrol.clone());
        self.site = site;
    }

    fn evidence_outcome(&mut self, outcome: EvidenceOutcome) {
        let now = self.clock.now();
        match self.commands.evidence_outcome(self.delivery.identity(), &outcome, now) {
            Some(items) => {
                self.writes.extend(items);
                self.write();
            }
            None => {
                self.writes.extend(messages::of_outcome(&self.delivery, &outcome, now));
                self.push_sheet(&outcome);
                self.step(Input::Evidence(outcome));
            }
        }
    }

    /// The sheet goes without a grant where the site says so; its record keeps it over a restart, as a grant's does.
    fn push_sheet(&mut self, outcome: &EvidenceOutcome) {
        let sheet = outcome.items.iter().find(|item| item.role == EvidenceRole::Sheet);
        let Some(sheet) = sheet.filter(|_| self.site.evidence.push == Push::Sheet) else { return };
        let (set, now) = (outcome.subject.set_id(), self.clock.now());
        let grant = Grant::own(&set, sheet, now);
        if self.delivery.granted() >= MAX_PUSHED {
            let message = wire::evidence_not_sent(&grant, "too many files wait to be sent", now);
            return self.writes.message(message);
        }
        self.writes.item(Item::Inbound { input: StageInput::Grant(grant.clone()), received: None });
        self.writes.then(AfterWrite::Upload(Box::new(grant)));
    }

    fn start_command(&mut self, command: StageCommand) {
        let CommandStart { inputs, evidence, reply, restart } =
            self.commands.start(command, &self.core, self.clock.now());
        inputs.into_iter().for_each(|input| self.step(input));
        self.pass_pauses_on();
        for request in evidence {
            self.writes.then(AfterWrite::evidence(EvidenceTask::Make(Box::new(request))));
        }
        self.writes.extend(reply);
        if restart {
            self.writes.then(AfterWrite::Restart);
        }
    }

    /// The evidence of a case stays until the centre has ended it, also while the case is under appeal.
    fn set_retention_hold(&self, case: &CaseUpdate) {
        let change = match (case.state.is_end(), &case.signed_by) {
            (false, _) => HoldChange::Hold,
            (true, Some(_)) => HoldChange::Release,
            (true, None) => HoldChange::Ended,
        };
        let folder = evidence_dir(&self.site);
        if let Err(error) = evidence::set_retention_hold(&folder, &case.incident_id, change) {
            tracing::error!(%error, incident = case.incident_id, "the evidence of a case is not protected");
        }
    }

    /// The delivery keeps the grant until the upload is over; the channel has room for all grants that it keeps.
    pub(super) fn start_upload(&self, grant: Grant) {
        if let Err(error) = self.uploads.try_send(grant) {
            tracing::error!(%error, "an upload waits for the next start of the program");
        }
    }

    pub(super) fn pass_pauses_on(&self) {
        for (camera, control) in self.site.cameras.iter().zip(&self.cameras) {
            control.pause(self.commands.is_paused(camera.ix));
        }
    }

    fn gnss(&mut self, event: GnssEvent) {
        match event {
            GnssEvent::Position(position) => self.position(position),
            GnssEvent::Moved { away_m, limit_m, at } => {
                tracing::warn!(away_m, limit_m, "the box left its settled position");
                let body = serde_json::json!({ "moved_m": away_m, "limit_m": limit_m });
                self.writes.item(Item::Note { kind: RecordKind::Position, body });
                self.doubt_position(Some(PositionDoubt::Moved), at);
            }
            GnssEvent::Jumped { lon_deg, lat_deg, away_m, at } => {
                tracing::error!(away_m, "the fixes jumped: the box was moved, or the signal is forged");
                let body = serde_json::json!({ "jumped_m": away_m, "lon_deg": lon_deg, "lat_deg": lat_deg });
                self.writes.item(Item::Note { kind: RecordKind::Position, body });
                self.doubt_position(Some(PositionDoubt::Jump), at);
            }
            GnssEvent::Returned { at } => {
                tracing::info!("the fixes are where they were before");
                self.doubt_position(None, at);
            }
            GnssEvent::Fix(_) => {}
        }
        self.write();
    }

    /// Whoever brought the press is told once what it leads to is durable.
    fn press(&mut self, press: Press) {
        self.step(Input::Press(press.reading));
        self.writes.then(AfterWrite::Durable(press.durable));
        self.write();
    }

    /// Of a box that moves each fix is one: the centre is told when it has gone a while or a way.
    fn position(&mut self, position: Position) {
        let suspicious = self.position_doubt.map(|why| why.as_str().to_owned());
        let position = Position { suspicious: suspicious.or(position.suspicious), ..position };
        let point = (position.lon_deg, position.lat_deg);
        self.placer.moved(position.at.mono, point, position.accuracy_m);
        self.placer.set_box_point(point, position.accuracy_m);
        self.pass_box_point_on(&position);
        let is_due = !self.placer.is_mobile()
            || self.told_position.as_ref().is_none_or(|told| {
                let (s, m) =
                    (position.at.mono.since_s(told.at.mono), distance_m((told.lon_deg, told.lat_deg), point));
                s >= POSITION_AFTER_S || (s >= POSITION_EVERY_S && m >= POSITION_MOVED_M)
            });
        if is_due {
            self.writes.message(wire::position(&position, position.at));
            self.told_position = Some(position);
        }
    }

    /// The evidence stage gets what changes a caption: a fix a second is the same place as the one before.
    fn pass_box_point_on(&mut self, position: &Position) {
        let Some(evidence) = &self.evidence else { return };
        let Position { lon_deg, lat_deg, accuracy_m, at, .. } = *position;
        let point = (lon_deg, lat_deg);
        let is_news = self.evidence_position.as_ref().is_none_or(|last| {
            let other_accuracy = (accuracy_m / last.accuracy_m.max(0.1) - 1.0).abs() > BOX_POINT_ACCURACY;
            // While it moves, what lies between two of them is on the way from the one to the other.
            let too_old = self.placer.is_mobile() && at.mono.since_s(last.at.mono) >= BOX_POINT_EVERY_S;
            other_accuracy || too_old || distance_m((last.lon_deg, last.lat_deg), point) >= BOX_POINT_MOVED_M
        });
        if is_news {
            evidence.set_box_point(BoxPoint { at: at.mono, point, accuracy_m });
            self.evidence_position = Some(position.clone());
        }
    }

    /// The centre is told at once that the position is doubted, or is so no more. Reports stay where they were placed.
    /// The doubt stays with every later position until the fixes are back.
    fn doubt_position(&mut self, why: Option<PositionDoubt>, at: Moment) {
        self.position_doubt = why;
        let Some(told) = &mut self.told_position else { return };
        told.suspicious = why.map(|why| why.as_str().to_owned());
        told.at = at;
        let message = wire::position(told, at);
        self.writes.message(message);
    }

    fn reading(&mut self, reading: Reading) {
        if self.writes.has_room_for_observation() {
            self.writes.message(wire::observation(self.delivery.identity(), &reading));
        } else {
            self.meter.left_out();
        }
        self.step(Input::Reading(reading));
    }
}
