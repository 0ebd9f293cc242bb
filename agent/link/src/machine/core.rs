//! The machine itself.

use std::collections::{HashMap, VecDeque};

use kerbside_domain::time::Mono;
use kerbside_trace::delivery::{LinkReport, LinkRequest};

use super::event::{LinkAction, LinkChange, LinkEvent, Verdict};
use super::isolation::Isolation;
use super::settings::MachineSettings;
use crate::tuning::{LONG_ENOUGH_S, SILENT_KEEP_ALIVES, WINDOW};

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
    last_alive: Mono,
    /// Published, in order, not yet written.
    handed: VecDeque<u64>,
    /// Packet id to sequence number and time of writing.
    unacked: HashMap<u16, (u64, Mono)>,
    isolation: Isolation,
    last_seq: Option<u64>,
    stop_at: Option<Mono>,
    /// Why the link is down, as it was last logged.
    logged: Option<String>,
    rng: fastrand::Rng,
    actions: VecDeque<LinkAction>,
}

impl Machine {
    /// Wants to connect at once. `seed` makes the jitter of the waits.
    pub fn new(settings: MachineSettings, seed: u64, now: Mono) -> Self {
        Machine {
            settings,
            state: ConnectionState::Waiting { until: now },
            epoch: 0,
            session: 0,
            failures: 0,
            last_alive: now,
            handed: VecDeque::new(),
            unacked: HashMap::new(),
            isolation: Isolation::default(),
            last_seq: None,
            stop_at: None,
            logged: None,
            rng: fastrand::Rng::with_seed(seed),
            actions: VecDeque::new(),
        }
    }

    pub fn pull(&mut self) -> Option<LinkAction> {
        self.actions.pop_front()
    }

    /// When [`LinkEvent::Tick`] is due.
    pub fn deadline(&self) -> Option<Mono> {
        let own = match self.state {
            ConnectionState::Waiting { until }
            | ConnectionState::Connecting { until }
            | ConnectionState::Leaving { until } => until,
            ConnectionState::Up { .. } => {
                let silent = self.last_alive.plus_s(SILENT_KEEP_ALIVES * self.settings.keep_alive_s);
                let oldest = self.unacked.values().map(|(_, at)| *at).min();
                oldest.map_or(silent, |at| silent.min(at.plus_s(self.settings.ack_timeout_s)))
            }
            ConnectionState::Finished => return None,
        };
        Some(self.stop_at.map_or(own, |stop| own.min(stop)))
    }

    pub fn push(&mut self, now: Mono, event: LinkEvent) {
        match event {
            LinkEvent::Connected { session_present, receive_max, max_packet } => {
                self.connected(now, session_present, receive_max, max_packet);
            }
            LinkEvent::Request(request) => self.request(request),
            LinkEvent::Written { pkid } => self.written(now, pkid),
            LinkEvent::PubAck { pkid, verdict } => self.puback(now, pkid, verdict),
            LinkEvent::Received { token, topic, payload, retain } => {
                self.last_alive = now;
                self.report(LinkReport::Received { epoch: self.epoch, token, topic, payload, retain });
            }
            LinkEvent::Alive => self.last_alive = now,
            LinkEvent::Sent => {}
            LinkEvent::HeldUp { s } => self.held_up(now, s),
            LinkEvent::Lost { why, by_peer } => self.lost(now, why, by_peer),
            LinkEvent::Tick => self.tick(now),
            LinkEvent::Renewed => self.renewed(now),
            LinkEvent::Stop { grace_s } => self.stop(now, grace_s),
        }
    }

    /// What would have come in that time is read now: every wait is longer by it.
    fn held_up(&mut self, now: Mono, s: f64) {
        self.last_alive = self.last_alive.plus_s(s).min(now);
        for (_, written) in self.unacked.values_mut() {
            *written = written.plus_s(s).min(now);
        }
        if let ConnectionState::Connecting { until } = &mut self.state {
            *until = until.plus_s(s);
        }
    }

    fn report(&mut self, report: LinkReport) {
        self.actions.push_back(LinkAction::Report(report));
    }

    fn connect(&mut self, now: Mono) {
        self.epoch += 1;
        self.session = self.settings.session_base + self.epoch;
        self.state = ConnectionState::Connecting { until: now.plus_s(self.settings.connect_timeout_s) };
        self.actions.push_back(LinkAction::Connect { session: self.session });
    }

    fn connected(
        &mut self,
        now: Mono,
        session_present: bool,
        receive_max: Option<u16>,
        max_packet: Option<u32>,
    ) {
        self.state = ConnectionState::Up { since: now };
        self.last_alive = now;
        self.logged = None;
        self.actions.push_back(LinkAction::Subscribe(self.settings.subscriptions.clone()));
        let most = if self.isolation.is_needed() { 1 } else { WINDOW };
        let window = receive_max.map_or(WINDOW, usize::from).clamp(1, most);
        let max_packet = max_packet.map_or(self.settings.default_max_packet, |m| m as usize);
        let (epoch, session) = (self.epoch, self.session);
        self.report(LinkReport::Connected { epoch, session, session_present, window, max_packet });
        self.actions.push_back(LinkAction::Log(LinkChange::Up { session, session_present }));
        if let Some(stop) = self.stop_at {
            self.report(LinkReport::Stopping { epoch, session, drain_s: stop.since_s(now) * 0.7 });
        }
    }

    fn request(&mut self, request: LinkRequest) {
        let up = matches!(self.state, ConnectionState::Up { .. });
        match request {
            LinkRequest::Publish { epoch, outgoing, last } if up && epoch == self.epoch => {
                if last {
                    self.last_seq = Some(outgoing.seq);
                }
                self.handed.push_back(outgoing.seq);
                self.actions.push_back(LinkAction::Publish(outgoing));
            }
            LinkRequest::Acknowledge { epoch, token } if up && epoch == self.epoch => {
                self.actions.push_back(LinkAction::Ack { token });
            }
            // Meant for a connection that is gone: it is handed over again on the next.
            LinkRequest::Publish { .. } | LinkRequest::Acknowledge { .. } => {}
        }
    }

    fn written(&mut self, now: Mono, pkid: u16) {
        let Some(seq) = self.handed.pop_front() else { return };
        if pkid == 0 {
            self.done(now, seq);
        } else {
            self.unacked.insert(pkid, (seq, now));
        }
    }

    fn puback(&mut self, now: Mono, pkid: u16, verdict: Verdict) {
        self.last_alive = now;
        let Some((seq, _)) = self.unacked.remove(&pkid) else { return };
        match verdict {
            Verdict::Taken => self.done(now, seq),
            Verdict::Never(reason) => {
                self.isolation.settled(seq);
                self.report(LinkReport::Rejected { epoch: self.epoch, seq, reason });
            }
            // Sending on would only be refused again: wait as after a loss.
            Verdict::NotNow(reason) => {
                self.broken(now, format!("the broker refused a message: {reason}"), false)
            }
        }
    }

    fn done(&mut self, now: Mono, seq: u64) {
        self.isolation.settled(seq);
        self.report(LinkReport::Acknowledged { epoch: self.epoch, seq });
        if self.last_seq == Some(seq) {
            self.state = ConnectionState::Leaving { until: self.stop_at.unwrap_or(now).max(now.plus_s(1.0)) };
            self.actions.push_back(LinkAction::Disconnect);
        }
    }

    fn lost(&mut self, now: Mono, why: String, by_peer: bool) {
        match self.state {
            ConnectionState::Leaving { .. } => self.finish(),
            ConnectionState::Up { .. } | ConnectionState::Connecting { .. } => self.broken(now, why, by_peer),
            ConnectionState::Waiting { .. } | ConnectionState::Finished => {}
        }
    }

    /// The connection is no good: forget everything about it and wait.
    fn broken(&mut self, now: Mono, why: String, by_peer: bool) {
        let was_up = matches!(self.state, ConnectionState::Up { .. });
        if let ConnectionState::Up { since } = self.state {
            if now.since_s(since) >= LONG_ENOUGH_S {
                self.failures = 0;
            }
            if by_peer {
                self.suspect();
            }
            self.report(LinkReport::Disconnected { epoch: self.epoch, why: why.clone() });
        }
        self.actions.push_back(LinkAction::Drop);
        self.handed.clear();
        self.unacked.clear();
        self.last_seq = None;
        self.log_down(why, was_up);
        if self.stop_at.is_some() {
            return self.finish();
        }
        self.failures = (self.failures + 1).min(16);
        let longest = self.settings.backoff_min_s * 2f64.powi(self.failures as i32 - 1);
        let wait_s = longest.min(self.settings.backoff_max_s) * (0.5 + 0.5 * self.rng.f64());
        self.state = ConnectionState::Waiting { until: now.plus_s(wait_s) };
    }

    /// Nothing is wrong with the connection; the next one, at once, uses the new certificates.
    fn renewed(&mut self, now: Mono) {
        if !matches!(self.state, ConnectionState::Up { .. }) || self.stop_at.is_some() {
            return;
        }
        self.report(LinkReport::Disconnected {
            epoch: self.epoch,
            why: "certificates were replaced".to_owned(),
        });
        self.actions.push_back(LinkAction::Drop);
        self.handed.clear();
        self.unacked.clear();
        self.last_seq = None;
        self.state = ConnectionState::Waiting { until: now };
    }

    /// The connection broke while these messages were on the way; one that broke enough of them, alone, is given up.
    fn suspect(&mut self) {
        let in_flight = self.handed.iter().copied().chain(self.unacked.values().map(|(seq, _)| *seq));
        if let Some((seq, broken)) = self.isolation.connection_broken(&in_flight.collect::<Vec<_>>()) {
            let reason = format!("the broker closed {broken} connections on this message");
            self.report(LinkReport::Rejected { epoch: self.epoch, seq, reason });
        }
    }

    fn log_down(&mut self, why: String, was_up: bool) {
        if self.logged.as_deref() == Some(why.as_str()) {
            return;
        }
        let change = if was_up {
            LinkChange::Down { why: why.clone() }
        } else {
            LinkChange::StillDown { why: why.clone() }
        };
        self.logged = Some(why);
        self.actions.push_back(LinkAction::Log(change));
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
            ConnectionState::Up { .. } => {
                let silent = now.since_s(self.last_alive) >= SILENT_KEEP_ALIVES * self.settings.keep_alive_s;
                let why =
                    if silent { "silent for longer than the keep-alive allows" } else { "no PUBACK in time" };
                self.broken(now, why.to_owned(), false);
            }
            ConnectionState::Leaving { .. } => {
                self.actions.push_back(LinkAction::Drop);
                self.finish();
            }
            ConnectionState::Finished => {}
        }
    }

    fn stop(&mut self, now: Mono, grace_s: f64) {
        if self.stop_at.is_some() {
            return;
        }
        self.stop_at = Some(now.plus_s(grace_s));
        match self.state {
            ConnectionState::Up { .. } => {
                let (epoch, session) = (self.epoch, self.session);
                self.report(LinkReport::Stopping { epoch, session, drain_s: grace_s * 0.7 });
            }
            ConnectionState::Connecting { .. } => {}
            // Nobody to say goodbye to; the broker has published the will.
            ConnectionState::Waiting { .. } => self.finish(),
            ConnectionState::Leaving { .. } | ConnectionState::Finished => {}
        }
    }

    fn finish(&mut self) {
        self.state = ConnectionState::Finished;
        self.actions.push_back(LinkAction::Finished);
    }
}
