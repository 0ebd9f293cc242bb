//! Messages and subscriptions on a connection that is up: what is handed over, written, acknowledged, refused.

use kerbside_domain::time::Mono;
use kerbside_trace::delivery::{LinkReport, LinkRequest};
use kerbside_wire::Outgoing;

use super::{ConnectionState, Machine};
use crate::machine::event::{LinkAction, LinkChange, Verdict};
use crate::machine::life::Sent;
use crate::status::LinkProblem;
use crate::tuning::RESUBSCRIBE_S;

impl Machine {
    pub(super) fn subscribed(&mut self, now: Mono, taken: &[String], refused: Vec<(String, String)>) {
        self.life_sign(now);
        let words: Vec<String> = refused.iter().map(|(filter, why)| format!("{filter} ({why})")).collect();
        let words = words.join(", ");
        let what = (!refused.is_empty()).then(|| {
            let nothing = if taken.is_empty() { "; nothing comes down" } else { "" };
            format!("the broker refuses the subscription to {words}{nothing}")
        });
        self.problem(LinkProblem::SubscriptionsRefused, what);
        let again = refused.into_iter().map(|(filter, _)| filter).collect();
        self.unsubscribed = (!words.is_empty()).then(|| (again, now.plus_s(RESUBSCRIBE_S)));
    }

    pub(super) fn request(&mut self, now: Mono, request: LinkRequest) {
        let up = matches!(self.state, ConnectionState::Up { .. });
        match request {
            LinkRequest::Publish { epoch, outgoing, last } if up && epoch == self.epoch => {
                self.publish(now, outgoing, last);
            }
            LinkRequest::Acknowledge { epoch, token } if up && epoch == self.epoch => {
                self.settled();
                self.actions.push_back(LinkAction::Ack { token });
            }
            // Meant for a connection that is gone: it is handed over again on the next.
            LinkRequest::Publish { .. } | LinkRequest::Acknowledge { .. } => {}
        }
    }

    pub(super) fn publish(&mut self, now: Mono, mut outgoing: Outgoing, last: bool) {
        let seq = outgoing.seq;
        if last {
            self.last_seq = Some(seq);
        }
        let aside = self.isolation.is_aside(seq, now).then_some("the broker closes the connection on it");
        let reason = self.topics.refuses(&outgoing.topic, now).or(aside);
        if let Some(reason) = reason.map(str::to_owned) {
            self.report(LinkReport::Refused { epoch: self.epoch, seq, reason, never: false });
            return self.leave_after(now, seq);
        }
        let terms = self.negotiation.current();
        outgoing.retain &= terms.retain;
        outgoing.qos = outgoing.qos.min(terms.max_qos);
        self.progress.work();
        self.handed.push_back(Sent { seq, topic: outgoing.topic.clone(), retain: outgoing.retain });
        self.actions.push_back(LinkAction::Publish(outgoing));
    }

    pub(super) fn written(&mut self, now: Mono, pkid: u16) {
        self.life.written(now);
        let Some(sent) = self.handed.pop_front() else { return };
        if pkid == 0 {
            self.acknowledged(now, sent.seq);
            self.life.unanswered(sent, now);
        } else {
            self.life.unacked.insert(pkid, (sent, now));
        }
    }

    pub(super) fn puback(&mut self, now: Mono, pkid: u16, verdict: Verdict) {
        self.life_sign(now);
        let Some((sent, _)) = self.life.unacked.remove(&pkid) else { return };
        self.settled();
        match verdict {
            Verdict::Taken => {
                if sent.retain {
                    self.negotiation.retained_taken();
                }
                self.taken(now, &sent);
            }
            Verdict::Refused { reason, never } => {
                self.isolation.settled(sent.seq, &sent.topic);
                self.refused(now, sent, reason, never);
            }
        }
    }

    /// The topic is set aside; the connection stays, and everything else goes on.
    pub(super) fn refused(&mut self, now: Mono, sent: Sent, reason: String, never: bool) {
        self.refused += 1;
        self.topics.refused(&sent.topic, &reason, now);
        self.topics_in_words();
        self.report(LinkReport::Refused { epoch: self.epoch, seq: sent.seq, reason, never });
        self.leave_after(now, sent.seq);
    }

    pub(super) fn topics_in_words(&mut self) {
        let (reports, others) = self.topics.in_words();
        self.problem(LinkProblem::ReportsRefused, reports);
        self.problem(LinkProblem::TopicsRefused, others);
    }

    pub(super) fn taken(&mut self, now: Mono, sent: &Sent) {
        self.stood(sent);
        self.acknowledged(now, sent.seq);
    }

    /// The broker takes messages of that topic.
    pub(super) fn stood(&mut self, sent: &Sent) {
        self.settled();
        self.isolation.taken(sent.seq, &sent.topic);
        if self.topics.taken(&sent.topic) {
            self.topics_in_words();
        }
    }

    pub(super) fn acknowledged(&mut self, now: Mono, seq: u64) {
        self.report(LinkReport::Acknowledged { epoch: self.epoch, seq });
        self.leave_after(now, seq);
    }

    pub(super) fn leave_after(&mut self, now: Mono, seq: u64) {
        if self.last_seq == Some(seq) {
            self.state = ConnectionState::Leaving { until: self.stop_at.unwrap_or(now).max(now.plus_s(1.0)) };
            self.actions.push_back(LinkAction::Disconnect);
        }
    }

    pub(super) fn settled(&mut self) {
        if self.progress.settled() {
            self.why = None;
            self.actions.push_back(LinkAction::Log(LinkChange::Progress));
        }
    }
}
