//! How connections end, what their end says, and what comes after.

use kerbside_domain::time::{Mono, doubled_s};
use kerbside_trace::delivery::LinkReport;

use super::{ConnectionState, Machine};
use crate::machine::event::{Dismissal, LinkAction, LinkChange};
use crate::machine::isolation::Culprit;
use crate::machine::life::Sent;
use crate::status::LinkProblem;
use crate::tuning::LONG_ENOUGH_S;

impl Machine {
    /// The broker's last word on this connection.
    pub(super) fn dismissed(&mut self, now: Mono, because: Dismissal, why: String) {
        let is_open = matches!(self.state, ConnectionState::Connecting { .. } | ConnectionState::Up { .. });
        if is_open && self.negotiation.refused(because) {
            return self.again_at_once(now, why);
        }
        match (because, &self.state) {
            (_, ConnectionState::Connecting { .. }) => {
                self.problem(LinkProblem::NotLetIn, Some(why.clone()));
                self.broken(now, why, false);
            }
            (Dismissal::SessionTaken, _) => {
                self.rivals.told();
                self.problem(LinkProblem::SessionTaken, self.rivals.in_words());
                self.lost(now, why, false);
            }
            (because, _) => self.lost(now, why, because == Dismissal::Message),
        }
    }

    pub(super) fn lost(&mut self, now: Mono, why: String, by_peer: bool) {
        match self.state {
            ConnectionState::Leaving { .. } => self.finish(),
            ConnectionState::Up { .. } | ConnectionState::Connecting { .. } => self.broken(now, why, by_peer),
            ConnectionState::Waiting { .. } | ConnectionState::Finished => {}
        }
    }

    /// The connection is no good: forget everything about it and wait.
    pub(super) fn broken(&mut self, now: Mono, why: String, by_peer: bool) {
        let was_up = matches!(self.state, ConnectionState::Up { .. });
        match self.state {
            ConnectionState::Up { since } => self.was_up(now, now.since_s(since), &why, by_peer),
            _ if by_peer => self.negotiation.closed_at_connect(),
            _ => {}
        }
        self.drop_connection();
        self.why = Some(why.clone());
        self.log_down(why, was_up);
        if self.stop_at.is_some() {
            return self.finish();
        }
        self.failures = (self.failures + 1).min(16);
        let longest_s =
            doubled_s(self.settings.backoff_min_s, self.failures - 1, self.settings.backoff_max_s);
        let wait_s = longest_s * (0.5 + 0.5 * self.rng.f64());
        self.state = ConnectionState::Waiting { until: now.plus_s(wait_s) };
    }

    /// What the end of a connection that was up says.
    pub(super) fn was_up(&mut self, now: Mono, lasted_s: f64, why: &str, by_peer: bool) {
        // Two boxes of one name that come back at once only take turns.
        if lasted_s >= LONG_ENOUGH_S && !self.rivals.is_suspected() {
            self.failures = 0;
        }
        let in_flight: Vec<Sent> = self.handed.iter().chain(self.life.in_flight()).cloned().collect();
        self.negotiation.lost(by_peer && in_flight.iter().any(|sent| sent.retain));
        if by_peer {
            self.suspect(now, &in_flight);
            self.rivals.closed(lasted_s, in_flight.is_empty());
            if self.rivals.is_suspected() {
                self.problem(LinkProblem::SessionTaken, self.rivals.in_words());
            }
        }
        self.report(LinkReport::Disconnected { epoch: self.epoch, why: why.to_owned() });
        if self.progress.lost() {
            let why = format!("connections come up and bring nothing forward; the last: {why}");
            self.actions.push_back(LinkAction::Log(LinkChange::NoProgress { why }));
        }
    }

    pub(super) fn drop_connection(&mut self) {
        self.actions.push_back(LinkAction::Drop);
        self.handed.clear();
        self.life.forget_messages();
        (self.last_seq, self.unsubscribed) = (None, None);
    }

    /// Nothing is wrong with the network; the next connection, at once, is made in another way.
    pub(super) fn again_at_once(&mut self, now: Mono, why: String) {
        if matches!(self.state, ConnectionState::Up { .. }) {
            self.report(LinkReport::Disconnected { epoch: self.epoch, why: why.clone() });
        }
        self.drop_connection();
        self.why = Some(why);
        if self.stop_at.is_some() {
            return self.finish();
        }
        self.state = ConnectionState::Waiting { until: now };
    }

    /// The next connection uses the new certificates.
    pub(super) fn renewed(&mut self, now: Mono) {
        if !matches!(self.state, ConnectionState::Up { .. }) || self.stop_at.is_some() {
            return;
        }
        self.again_at_once(now, "certificates were replaced".to_owned());
    }

    /// The connection broke while these messages were on the way; one that broke enough of them, alone, is given up.
    pub(super) fn suspect(&mut self, now: Mono, in_flight: &[Sent]) {
        if let Some(known) = in_flight.iter().find(|sent| self.topics.is_closed_on(&sent.topic)) {
            let reason = "the broker closes the connection on it".to_owned();
            return self.closed_on(now, known.seq, &known.topic.clone(), reason);
        }
        let culprit = self.isolation.connection_broken(now, in_flight);
        match culprit {
            None => {}
            Some(Culprit::Message { seq, topic, connections }) => {
                self.refused += 1;
                let reason = format!("the broker closed {connections} connections on this message");
                // It may be the topic as well; of reports each is judged by itself.
                if !kerbside_wire::topic::is_report(&topic) {
                    self.topics.closed_on(&topic, "the broker closes the connection on it", now);
                    self.topics_in_words();
                }
                self.report(LinkReport::Rejected { epoch: self.epoch, seq, reason });
            }
            Some(Culprit::Either { seq, connections }) => {
                self.refused += 1;
                let reason = format!("the broker closed {connections} connections on this report");
                self.report(LinkReport::Refused { epoch: self.epoch, seq, reason, never: false });
            }
            Some(Culprit::Topic { seq, topic, connections }) => {
                let reason = format!("the broker closed {connections} connections on it");
                self.closed_on(now, seq, &topic, reason);
            }
        }
    }

    pub(super) fn closed_on(&mut self, now: Mono, seq: u64, topic: &str, reason: String) {
        self.refused += 1;
        self.topics.closed_on(topic, &reason, now);
        self.topics_in_words();
        self.report(LinkReport::Refused { epoch: self.epoch, seq, reason, never: false });
    }

    pub(super) fn log_down(&mut self, why: String, was_up: bool) {
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

    pub(super) fn stop(&mut self, now: Mono, grace_s: f64) {
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

    pub(super) fn finish(&mut self) {
        self.state = ConnectionState::Finished;
        self.actions.push_back(LinkAction::Finished);
    }
}
