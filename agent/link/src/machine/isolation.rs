//! Messages on which the broker closes connections: sent alone, then given up with a reason. If it closes on each new message of
//! a topic, the topic is set aside.
//!
//! A report is given up only where the broker has taken another of its topic: it may be the topic that it minds, and then all
//! reports would be given up, one after the other. Until that shows the report waits, and the others have their turn.

use std::collections::{BTreeMap, BTreeSet};

use kerbside_domain::time::Mono;

use super::life::Sent;
use crate::tuning::{DEAD_LETTER_AFTER, ISOLATE_AFTER, REFUSED_TOPICS, TOPIC_RETRY_S};

/// How many connections broke while a message was on the way, and while one of a topic was.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    broken: BTreeMap<u64, u32>,
    topics: BTreeMap<String, u32>,
    /// Topics of reports of which it has taken one.
    taken: BTreeMap<String, ()>,
    /// Reports that wait, or have waited, until then.
    aside: BTreeMap<u64, Mono>,
}

/// Found out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Culprit {
    Message {
        seq: u64,
        topic: String,
        connections: u32,
    },
    Topic {
        seq: u64,
        topic: String,
        connections: u32,
    },
    /// The report, or the topic: the next report of the topic will show it.
    Either {
        seq: u64,
        connections: u32,
    },
}

impl Isolation {
    /// Messages go one by one, so that it shows which it is.
    pub(super) fn is_needed(&self) -> bool {
        let mut all = self.broken.values().chain(self.topics.values());
        all.any(|connections| *connections >= ISOLATE_AFTER)
    }

    /// The message got its answer.
    pub(super) fn settled(&mut self, seq: u64, topic: &str) {
        self.broken.remove(&seq);
        self.aside.remove(&seq);
        self.topics.remove(topic);
    }

    /// The broker took it.
    pub(super) fn taken(&mut self, seq: u64, topic: &str) {
        self.settled(seq, topic);
        if kerbside_wire::topic::is_report(topic) {
            bounded(&mut self.taken, topic.to_owned());
        }
    }

    /// Not now: the broker closed on it, and others have their turn.
    pub(super) fn is_aside(&self, seq: u64, now: Mono) -> bool {
        self.aside.get(&seq).is_some_and(|until| now < *until)
    }

    /// The peer broke a connection with these messages on the way.
    pub(super) fn connection_broken(&mut self, now: Mono, in_flight: &[Sent]) -> Option<Culprit> {
        for Sent { seq, .. } in in_flight {
            *bounded(&mut self.broken, *seq) += 1;
        }
        let topics: BTreeSet<&String> = in_flight.iter().map(|sent| &sent.topic).collect();
        for topic in topics {
            *bounded(&mut self.topics, topic.clone()) += 1;
        }
        let [Sent { seq, topic, .. }] = in_flight else { return None };
        let by_message = self.broken.get(seq).copied().unwrap_or(0);
        let by_topic = self.topics.get(topic).copied().unwrap_or(0);
        let is_clear = !kerbside_wire::topic::is_report(topic) || self.taken.contains_key(topic);
        let (seq, topic) = (*seq, topic.clone());
        let culprit = if by_message >= DEAD_LETTER_AFTER && is_clear {
            Culprit::Message { seq, topic: topic.clone(), connections: by_message }
        } else if by_message >= DEAD_LETTER_AFTER && !self.aside.contains_key(&seq) {
            *bounded(&mut self.aside, seq) = now.plus_s(TOPIC_RETRY_S);
            return Some(Culprit::Either { seq, connections: by_message });
        } else if by_topic >= DEAD_LETTER_AFTER {
            Culprit::Topic { seq, topic: topic.clone(), connections: by_topic }
        } else {
            return None;
        };
        self.settled(seq, &topic);
        Some(culprit)
    }
}

/// What is kept of `key`; the oldest is forgotten when there are too many.
fn bounded<K: Ord + Clone, V: Default>(kept: &mut BTreeMap<K, V>, key: K) -> &mut V {
    if kept.len() >= REFUSED_TOPICS && !kept.contains_key(&key) {
        kept.pop_first();
    }
    kept.entry(key).or_default()
}
