//! The core's thread: inputs go in one by one, and what the core wants done is done, the durable part first.

mod items;
#[cfg(test)]
mod tests;
mod upkeep;

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvError, select};

use super::orders::{Begun, Orders};
use crate::evidence::{Order, Worker};
use crate::review;
use crate::sensor::gnss::GnssEvent;
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::case::CaseState;
use kerbside_domain::evidence::EvidenceOutcome;
use kerbside_domain::position::{Position, PositionSource};
use kerbside_domain::reading::Reading;
use kerbside_domain::time::{Clock, Mono};
use kerbside_seeing::incident::{Core, Effect, IncidentRecord, Input, ReviewAnswer};
use kerbside_seeing::pipeline::{CameraControl, Ticks};
use kerbside_site::config::Site;
use kerbside_site::place::Placer;
use kerbside_trace::delivery::{Commanded, Delivery, DownInput, Inbound, Item};
use kerbside_wire as wire;
use kerbside_wire::grant::Grant;

/// Without an input the thread wakes this often: half of what lies between two ticks of the core.
const TICK: Duration = Duration::from_millis(250);
/// Items that wait for a disk that refuses them. Beyond it looks are left out, so that nothing new comes of them; senders
/// never wait, and what is said already is kept.
const MAX_UNWRITTEN: usize = 4096;
/// Beyond that many, observations are left out: the rest is for reports.
const MAX_UNWRITTEN_OBSERVATIONS: usize = MAX_UNWRITTEN / 2;

/// What the desk listens to. All bounded; their senders wait.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) inputs: Receiver<Input>,
    pub(super) outcomes: Receiver<EvidenceOutcome>,
    pub(super) looked_back: Receiver<ReviewAnswer>,
    pub(super) inbound: Receiver<Inbound>,
    pub(super) fixes: Receiver<GnssEvent>,
}

pub(super) struct Desk {
    core: Core,
    site: Arc<Site>,
    clock: Arc<dyn Clock>,
    delivery: Delivery,
    placer: Placer,
    /// `None` once it was told to finish.
    evidence: Option<Worker>,
    /// `None`: nobody can look back on this box.
    lookback: Option<review::Stage>,
    /// What is wanted of each camera's thread.
    wishes: Vec<Arc<CameraControl>>,
    orders: Orders,
    restart: bool,
    uploads: Option<tokio::sync::mpsc::Sender<Grant>>,
    meter: super::meter::DeskMeter,
    /// Not yet durable, oldest first, with what may only happen after.
    unwritten: Vec<Item>,
    after: Vec<Order>,
    /// Questions to the past that were answered at once: nobody looks.
    answers: Vec<ReviewAnswer>,
    disk_refuses: bool,
    ticks: Ticks,
    reported_health: Mono,
    prune_at: Mono,
    saved: Mono,
    /// Something was reported since.
    reported: bool,
}

impl Desk {
    /// A desk with nothing waiting. `wishes`: one a camera.
    pub(super) fn new(
        core: Core,
        site: Arc<Site>,
        clock: Arc<dyn Clock>,
        delivery: Delivery,
        evidence: Option<Worker>,
        wishes: Vec<Arc<CameraControl>>,
        meter: super::meter::DeskMeter,
    ) -> Self {
        let ticks = Ticks::new(clock.now().mono);
        Desk {
            core,
            placer: Placer::new(&site),
            orders: Orders::new(site.clone(), Arc::default()),
            restart: false,
            uploads: None,
            site,
            clock,
            delivery,
            evidence,
            lookback: None,
            wishes,
            meter,
            unwritten: Vec::new(),
            after: Vec::new(),
            answers: Vec::new(),
            disk_refuses: false,
            ticks,
            reported_health: Mono::ZERO,
            prune_at: Mono::ZERO,
            saved: Mono::ZERO,
            reported: false,
        }
    }

    pub(super) fn with_lookback(mut self, lookback: Option<review::Stage>) -> Self {
        self.lookback = lookback;
        self
    }

    /// Who is told when the centre orders a restart.
    pub(super) fn with_restart(mut self, restart: Arc<tokio::sync::Notify>) -> Self {
        self.orders = Orders::new(self.site.clone(), restart);
        self
    }

    pub(super) fn with_uploads(self, uploads: tokio::sync::mpsc::Sender<Grant>) -> Self {
        Desk { uploads: Some(uploads), ..self }
    }

    /// Until every sender of inputs is gone; then waiting clips are cut and what they bring is said.
    pub(super) fn run(mut self, mut inbox: Inbox) {
        if let Some((lon_deg, lat_deg)) = self.site.device.point {
            let at = self.clock.now();
            let (source, suspicious) = (PositionSource::Surveyed, None);
            let surveyed =
                Position { lon_deg, lat_deg, accuracy_m: 0.0, source, frozen: true, at, suspicious };
            self.gnss(GnssEvent::Position(surveyed));
        }
        loop {
            let heard = select! {
                recv(inbox.inputs) -> input => match input {
                    Ok(input) => Some(Heard::Input(input)),
                    Err(_) => break,
                },
                recv(inbox.outcomes) -> outcome => hear_of(&mut inbox.outcomes, outcome).map(Heard::Outcome),
                recv(inbox.looked_back) -> answer => {
                    hear_of(&mut inbox.looked_back, answer).map(|a| Heard::Input(Input::Reviewed(a)))
                }
                recv(inbox.inbound) -> inbound => hear_of(&mut inbox.inbound, inbound)
                    .map(|first| Heard::Inbound(iter::once(first).chain(inbox.inbound.try_iter()).collect())),
                recv(inbox.fixes) -> fix => hear_of(&mut inbox.fixes, fix).map(Heard::Gnss),
                default(TICK) => None,
            };
            if let Some(heard) = heard {
                self.hear(heard);
            }
            self.tick(inbox.inputs.len());
        }
        self.finish(&inbox);
    }

    fn finish(&mut self, inbox: &Inbox) {
        self.step(Input::Tick(self.clock.now()));
        self.commit();
        // The worker's last outcomes fit into their channel: it holds more than can wait.
        if self.evidence.take().is_some_and(|worker| worker.finish().is_none()) {
            tracing::error!("the evidence thread ended by a panic");
        }
        while let Ok(outcome) = inbox.outcomes.try_recv() {
            self.hear(Heard::Outcome(outcome));
        }
        self.commit();
        self.meter.ended();
        if !self.unwritten.is_empty() {
            tracing::error!(records = self.unwritten.len(), "the journal refused the last records");
        }
    }

    /// What waits for the disk: records, and orders that may only go once they are durable.
    fn waits(&self) -> usize {
        self.unwritten.len().max(self.after.len())
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Input(Input::Observation(_)) if self.waits() >= MAX_UNWRITTEN => self.meter.left_out(),
            Heard::Input(Input::Reading(reading)) => self.reading(reading),
            Heard::Input(input) if !self.orders.lets_through(&input) => {}
            Heard::Input(input) => self.step(input),
            Heard::Outcome(outcome) => self.outcome(outcome),
            Heard::Gnss(event) => self.gnss(event),
            Heard::Inbound(inbound) => self.inbound(inbound),
        }
    }

    /// The core hears all of it; then one record says so.
    fn inbound(&mut self, inbound: Vec<Inbound>) {
        let Some(last) = inbound.last().map(|i| i.n) else { return };
        for Inbound { input, .. } in inbound {
            match input {
                DownInput::Receipt(receipt) => self.step(Input::Receipt(receipt)),
                DownInput::Case(case) => {
                    self.hold(&case);
                    self.step(Input::Case(case));
                }
                DownInput::Command(command) => self.obey(command),
                DownInput::Grant(grant) => self.send_file(grant),
            }
        }
        self.unwritten.extend(items::whole(&self.core.snapshot()));
        self.unwritten.push(Item::Consumed(last));
        self.write();
    }

    fn outcome(&mut self, outcome: EvidenceOutcome) {
        let now = self.clock.now();
        match self.orders.outcome(self.delivery.identity(), &outcome, now) {
            Some(items) => {
                self.unwritten.extend(items);
                self.write();
            }
            None => {
                self.unwritten.extend(items::of_outcome(&self.delivery, &outcome, now));
                self.step(Input::Evidence(outcome));
            }
        }
    }

    fn obey(&mut self, command: Commanded) {
        let Begun { inputs, make, answer, restart } =
            self.orders.begin(command, &self.core, self.clock.now());
        inputs.into_iter().for_each(|input| self.step(input));
        self.tell_pauses();
        self.after.extend(make.into_iter().map(Order::Make));
        self.unwritten.extend(answer);
        self.restart |= restart;
    }

    /// The evidence of a case lives until the centre has ended it, also while it is under appeal.
    fn hold(&self, case: &CaseState) {
        let ended = kerbside_domain::case::ends_case(&case.state);
        let dir = super::evidence_dir(&self.site);
        if let Err(error) = crate::evidence::hold(&dir, &case.incident_id, !ended) {
            tracing::error!(%error, incident = case.incident_id, "its evidence is not held");
        }
    }

    /// The delivery keeps the grant until the upload is over; the channel has room for all that it keeps.
    fn send_file(&self, grant: Grant) {
        let Some(uploads) = &self.uploads else { return };
        if let Err(error) = uploads.try_send(grant) {
            tracing::error!(%error, "an upload waits for the next start");
        }
    }

    fn tell_pauses(&self) {
        for (camera, wish) in self.site.cameras.iter().zip(&self.wishes) {
            wish.pause(self.orders.is_paused(camera.ix));
        }
    }

    fn gnss(&mut self, event: GnssEvent) {
        match event {
            GnssEvent::Position(position) => {
                self.placer.set_box_point((position.lon_deg, position.lat_deg), position.accuracy_m);
                let draft = wire::position(&position, position.at);
                self.unwritten.push(Item::Message(Box::new(draft)));
            }
            GnssEvent::Moved { away_m, limit_m, .. } => {
                tracing::warn!(away_m, limit_m, "the box left its settled place");
                let body = serde_json::json!({ "moved_m": away_m, "limit_m": limit_m });
                self.unwritten.push(Item::Note { kind: "position", body });
            }
            GnssEvent::Fix(_) => {}
        }
        self.write();
    }

    fn reading(&mut self, reading: Reading) {
        if self.unwritten.len() < MAX_UNWRITTEN_OBSERVATIONS {
            let draft = wire::observation(self.delivery.identity(), &reading);
            self.unwritten.push(Item::Message(Box::new(draft)));
        } else {
            self.meter.left_out();
        }
        self.step(Input::Reading(reading));
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.core.step(input, &mut effects);
        self.meter.input();
        for effect in effects {
            self.apply(effect);
        }
        for answer in std::mem::take(&mut self.answers) {
            self.step(Input::Reviewed(answer));
        }
        self.write();
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Report(report) => {
                items::tell(&self.site, &report);
                self.meter.report(&report);
                self.reported = true;
                self.unwritten.extend(items::of_report(&self.site, &self.placer, &self.delivery, &report));
                let record =
                    self.core.snapshot().into_iter().find(|r| r.report.incident_id == report.incident_id);
                let record = record.unwrap_or_else(|| IncidentRecord::new(*report));
                self.unwritten.extend(items::saved(&record).map(Item::Incident));
            }
            Effect::NotKnown { command_id, incident_id } => {
                let why = "no such incident is known here (any more)";
                let detail = serde_json::json!({ "incident_id": incident_id });
                let now = self.clock.now();
                let reply = wire::reply(&command_id, "recheck", "refused", Some(why), detail, now);
                self.unwritten.push(Item::Message(Box::new(reply)));
            }
            Effect::Save(request) => self.after.push(Order::Make(request)),
            Effect::Pin { incident_id, camera, from, to } => {
                self.order(Order::Keep { incident_id, camera, from: from.mono, to: to.mono });
            }
            Effect::Unpin { incident_id } => {
                let awaited = |o: &Order| matches!(o, Order::Make(r) if r.incident_id == incident_id);
                if self.after.iter().any(awaited) {
                    self.after.push(Order::Release { incident_id });
                } else {
                    self.order(Order::Release { incident_id });
                }
            }
            Effect::Review(question) => match &self.lookback {
                Some(stage) => self.answers.extend(stage.ask(question)),
                None => self.answers.push(question.unanswered("no detector".to_owned())),
            },
            Effect::Watch { camera, hold } => {
                if let Some(wish) = self.wishes.get(usize::from(camera.0)) {
                    wish.watch_closely(hold);
                }
            }
            Effect::CameraChanged { camera, state, .. } => {
                let id = self.site.camera(camera).map_or("?", |c| c.id.as_str());
                tracing::info!(camera = id, state = ?state, "camera state");
                self.meter.camera(camera, state);
                let note = serde_json::json!({ "camera_id": id, "camera": state });
                self.unwritten.push(Item::Note { kind: "camera", body: note });
                if state != CameraState::Watching {
                    self.reported_health = Mono::ZERO;
                }
            }
            Effect::Patrol(report) => {
                let last = self.delivery.stats().map(|s| s.last_seq).unwrap_or_default();
                let draft = wire::patrol(self.delivery.identity(), &report, last);
                self.unwritten.push(Item::Message(Box::new(draft)));
            }
            Effect::SensorAlarm { reading, active } => {
                tracing::warn!(sensor = %reading.sensor, value = reading.value, active, "sensor alarm");
                let draft = wire::alarm(self.delivery.identity(), &reading, active);
                self.unwritten.push(Item::Message(Box::new(draft)));
            }
        }
    }

    /// After each input. A disk that refuses is asked again at ticks only: each time costs a copy of all that waits.
    fn write(&mut self) {
        if !self.disk_refuses {
            self.commit();
        }
    }

    /// What concerns packets in memory only waits for no disk: a disk that refuses for days piles up nothing of it.
    fn order(&self, order: Order) {
        if let Some(evidence) = &self.evidence {
            evidence.order(order);
        }
    }

    /// Makes durable what waits, then lets happen what waited for that.
    fn commit(&mut self) {
        if !self.unwritten.is_empty() {
            if let Err(error) = self.delivery.commit(self.unwritten.clone()) {
                if !std::mem::replace(&mut self.disk_refuses, true) {
                    tracing::error!(%error, waiting = self.unwritten.len(), "the journal refuses records");
                }
                return;
            }
            self.unwritten.clear();
            if std::mem::take(&mut self.disk_refuses) {
                tracing::info!("the journal takes records again");
            }
        }
        std::mem::take(&mut self.after).into_iter().for_each(|order| self.order(order));
        if std::mem::take(&mut self.restart) {
            self.orders.restart_now();
        }
    }
}

/// A closed channel is always ready: one whose senders are gone (a box without GNSS) is not listened to again.
fn hear_of<T>(channel: &mut Receiver<T>, heard: Result<T, RecvError>) -> Option<T> {
    if heard.is_err() {
        *channel = crossbeam_channel::never();
    }
    heard.ok()
}

enum Heard {
    Input(Input),
    Outcome(EvidenceOutcome),
    /// All that waited, oldest first.
    Inbound(Vec<Inbound>),
    Gnss(GnssEvent),
}
