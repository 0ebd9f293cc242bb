//! The states of a connection, and what leads from one to the next.

mod endings;
mod messages;

use std::collections::{BTreeMap, VecDeque};

use kerbside_domain::time::Mono;
use kerbside_site::config::Protocol;
use kerbside_trace::delivery::LinkReport;

use super::event::{Accepted, LinkAction, LinkChange, LinkEvent};
use super::isolation::Isolation;
use super::life::{Due, Life, Sent};
use super::progress::Progress;
use super::rivals::Rivals;
use super::settings::MachineSettings;
use super::terms::Negotiation;
use super::topics::RefusedTopics;
use crate::status::{LinkHealth, LinkProblem, LinkStatus};
use crate::tuning::WINDOW_MAX;

#[derive(Clone, Debug, PartialEq)]
enum ConnectionState {
    Waiting { until: Mono },
    Connecting { until: Mono },
    Up { since: Mono },
    Leaving { until: Mono },
    Finished,
}

#[derive(Debug)]
pub struct Machine {
    settings: MachineSettings,
    state: ConnectionState,
    epoch: u64,
    session: u64,
    failures: u32,
    life: Life,
    /// Published, in order, not yet written.
    handed: VecDeque<Sent>,
    isolation: Isolation,
    negotiation: Negotiation,
    topics: RefusedTopics,
    rivals: Rivals,
    progress: Progress,
    /// Filters that the broker refused, and when they are tried again.
    unsubscribed: Option<(Vec<String>, Mono)>,
    last_seq: Option<u64>,
    stop_at: Option<Mono>,
    /// Why the link is down, as it was last logged.
    logged: Option<String>,
    why: Option<String>,
    problems: BTreeMap<LinkProblem, String>,
    connections: u64,
    refused: u64,
    rng: fastrand::Rng,
    actions: VecDeque<LinkAction>,
}

impl Machine {
    /// Wants to connect at once. `seed` makes the jitter of the waits.
    pub fn new(settings: MachineSettings, seed: u64, now: Mono) -> Self {
        Machine {
            state: ConnectionState::Waiting { until: now },
            epoch: 0,
            session: 0,
            failures: 0,
            life: Life::new(&settings, now),
            handed: VecDeque::new(),
            isolation: Isolation::default(),
            negotiation: Negotiation::new(settings.terms),
            topics: RefusedTopics::default(),
            rivals: Rivals::default(),
            progress: Progress::default(),
            unsubscribed: None,
            last_seq: None,
            stop_at: None,
            logged: None,
            why: None,
            problems: BTreeMap::new(),
            connections: 0,
            refused: 0,
            rng: fastrand::Rng::with_seed(seed),
            actions: VecDeque::new(),
            settings,
        }
    }

    pub fn pull(&mut self) -> Option<LinkAction> {
        self.actions.pop_front()
    }

    /// What the link says of itself now.
    pub fn status(&self) -> LinkStatus {
        let health = match self.state {
            _ if self.progress.is_stuck() => LinkHealth::NoProgress,
            ConnectionState::Up { .. } => LinkHealth::Up,
            _ => LinkHealth::Down,
        };
        LinkStatus {
            health,
            why: self.why.clone(),
            problems: self.problems.clone(),
            connections: self.connections,
            refused: self.refused,
            is_lost: false,
        }
    }

    /// When [`LinkEvent::Tick`] is due.
    pub fn deadline(&self) -> Option<Mono> {
        let own = match self.state {
            ConnectionState::Waiting { until } | ConnectionState::Leaving { until } => until,
            // The answer may be there and not be read.
            ConnectionState::Connecting { until } if self.life.is_paused() => until.plus_s(3600.0),
            ConnectionState::Connecting { until } => until,
            ConnectionState::Up { .. } => {
                let (due, _) = self.life.next();
                self.unsubscribed.as_ref().map_or(due, |(_, at)| due.min(*at))
            }
            ConnectionState::Finished => return None,
        };
        Some(self.stop_at.map_or(own, |stop| own.min(stop)))
    }

    pub fn push(&mut self, now: Mono, event: LinkEvent) {
        match event {
            LinkEvent::Connected(accepted) => self.connected(now, &accepted),
            LinkEvent::Dismissed { because, why } => self.dismissed(now, because, why),
            LinkEvent::Subscribed { taken, refused } => self.subscribed(now, &taken, refused),
            LinkEvent::Request(request) => self.request(now, request),
            LinkEvent::Written { pkid } => self.written(now, pkid),
            LinkEvent::PubAck { pkid, verdict } => self.puback(now, pkid, verdict),
            LinkEvent::Received { token, topic, payload, retain } => {
                self.life_sign(now);
                self.progress.work();
                self.report(LinkReport::Received { epoch: self.epoch, token, topic, payload, retain });
            }
            LinkEvent::Alive => self.life_sign(now),
            LinkEvent::Sent => self.life.written(now),
            LinkEvent::Paused(paused) => self.pause(now, paused),
            LinkEvent::Lost { why, by_peer } => self.lost(now, why, by_peer),
            LinkEvent::Tick => self.tick(now),
            LinkEvent::Renewed => self.renewed(now),
            LinkEvent::Stop { grace_s } => self.stop(now, grace_s),
        }
    }

    fn pause(&mut self, now: Mono, paused: bool) {
        let s = self.life.pause(paused, now);
        if let ConnectionState::Connecting { until } = &mut self.state {
            *until = until.plus_s(s);
        }
    }

    /// The broker said something, whatever it is.
    fn life_sign(&mut self, now: Mono) {
        for stood in self.life.heard(now) {
            self.stood(&stood);
        }
        if let ConnectionState::Up { since } = self.state
            && self.rivals.lasts(now.since_s(since))
        {
            self.solved(LinkProblem::SessionTaken);
        }
    }

    fn report(&mut self, report: LinkReport) {
        self.actions.push_back(LinkAction::Report(report));
    }

    fn problem(&mut self, problem: LinkProblem, what: Option<String>) {
        let Some(what) = what else { return self.solved(problem) };
        // The words may change with each message; what is logged is that it began.
        if self.problems.insert(problem, what.clone()).is_none() {
            self.actions.push_back(LinkAction::Log(LinkChange::Problem { problem, what }));
        }
    }

    fn solved(&mut self, problem: LinkProblem) {
        if self.problems.remove(&problem).is_some() {
            self.actions.push_back(LinkAction::Log(LinkChange::Solved(problem)));
        }
    }

    fn connect(&mut self, now: Mono) {
        self.epoch += 1;
        self.session = self.settings.session_base + self.epoch;
        self.state = ConnectionState::Connecting { until: now.plus_s(self.settings.connect_timeout_s) };
        let terms = self.negotiation.current();
        self.actions.push_back(LinkAction::Connect { session: self.session, terms });
    }

    fn connected(&mut self, now: Mono, accepted: &Accepted) {
        if !matches!(self.state, ConnectionState::Connecting { .. }) {
            return;
        }
        self.state = ConnectionState::Up { since: now };
        self.negotiation.accepted(accepted);
        self.life.connected(&self.settings, accepted.keep_alive_s, now);
        self.topics.connected(now);
        self.progress.connected();
        self.connections += 1;
        (self.logged, self.unsubscribed) = (None, None);
        if !self.progress.is_stuck() {
            self.why = None;
        }
        self.solved(LinkProblem::NotLetIn);
        self.terms_in_words();
        self.actions.push_back(LinkAction::Subscribe(self.settings.subscriptions.clone()));
        let most = if self.isolation.is_needed() { 1 } else { WINDOW_MAX };
        let window = accepted.receive_max.map_or(WINDOW_MAX, usize::from).clamp(1, most);
        let max_packet = match self.negotiation.current().protocol {
            Protocol::V5 => accepted.max_packet.map_or(self.settings.max_packet_v5, |m| m as usize),
            Protocol::V311 => self.settings.max_packet_v311,
        };
        let (epoch, session, session_present) = (self.epoch, self.session, accepted.session_present);
        self.report(LinkReport::Connected { epoch, session, session_present, window, max_packet });
        self.actions.push_back(LinkAction::Log(LinkChange::Up { session, session_present }));
        if let Some(stop) = self.stop_at {
            self.report(LinkReport::Stopping { epoch, session, drain_s: stop.since_s(now) * 0.7 });
        }
    }

    fn terms_in_words(&mut self) {
        let lacks = &self.negotiation;
        let retain = lacks.lacks_retain().then(|| "the broker takes no retained messages".to_owned());
        let qos = lacks.lacks_qos().then(|| "the broker takes nothing but QoS 0".to_owned());
        let protocol =
            lacks.lacks_protocol().then(|| "the broker speaks MQTT 3.1.1, and the site says 5".to_owned());
        self.problem(LinkProblem::NoRetain, retain);
        self.problem(LinkProblem::LowQos, qos);
        self.problem(LinkProblem::OldProtocol, protocol);
    }

    fn tick(&mut self, now: Mono) {
        if self.stop_at.is_some_and(|stop| now >= stop) {
            self.actions.push_back(LinkAction::Drop);
            return self.finish();
        }
        if self.deadline().is_none_or(|due| now < due) {
            return;
        }
        match self.state {
            ConnectionState::Waiting { .. } => self.connect(now),
            ConnectionState::Connecting { .. } => self.broken(now, "no answer to CONNECT".to_owned(), false),
            ConnectionState::Up { .. } => self.tick_up(now),
            ConnectionState::Leaving { .. } => {
                self.actions.push_back(LinkAction::Drop);
                self.finish();
            }
            ConnectionState::Finished => {}
        }
    }

    fn tick_up(&mut self, now: Mono) {
        if let Some((filters, _)) = self.unsubscribed.take_if(|(_, at)| now >= *at) {
            self.actions.push_back(LinkAction::Subscribe(filters));
        }
        let (at, due) = self.life.next();
        if now < at {
            return;
        }
        match due {
            Due::Ping => {
                self.life.pinged(now);
                self.actions.push_back(LinkAction::Ping);
            }
            Due::Silent => {
                self.broken(now, "silent for longer than the keep-alive allows".to_owned(), false);
            }
            Due::NoPubAck => self.broken(now, "no PUBACK in time".to_owned(), false),
            Due::HeldUp => {
                self.life.said_held_up(now);
                if self.progress.held_up() {
                    let why = "the journal takes nothing that comes down; see the disk".to_owned();
                    self.why = Some(why.clone());
                    self.actions.push_back(LinkAction::Log(LinkChange::NoProgress { why }));
                }
            }
        }
    }
}
