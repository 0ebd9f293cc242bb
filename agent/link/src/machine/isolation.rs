//! Messages on which the broker closes connections: sent alone, then given up with a reason. If it closes on each new message of
//! a topic, the topic is set aside.

use std::collections::{BTreeMap, BTreeSet};

use super::life::Sent;
use crate::tuning::{DEAD_LETTER_AFTER, ISOLATE_AFTER, REFUSED_TOPICS};

/// How many connections broke while a message was on the way, and while one of a topic was.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    broken: BTreeMap<u64, u32>,
    topics: BTreeMap<String, u32>,
}

/// Found out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Culprit {
    Message { seq: u64, topic: String, connections: u32 },
    Topic { seq: u64, topic: String, connections: u32 },
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
        self.topics.remove(topic);
    }

    /// The peer broke a connection with these messages on the way.
    pub(super) fn connection_broken(&mut self, in_flight: &[Sent]) -> Option<Culprit> {
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
        let culprit = if by_message >= DEAD_LETTER_AFTER {
            Culprit::Message { seq: *seq, topic: topic.clone(), connections: by_message }
        } else if by_topic >= DEAD_LETTER_AFTER {
            Culprit::Topic { seq: *seq, topic: topic.clone(), connections: by_topic }
        } else {
            return None;
        };
        self.settled(*seq, topic);
        Some(culprit)
    }
}

/// The count of `key`; the oldest is forgotten when there are too many.
fn bounded<K: Ord + Clone>(counts: &mut BTreeMap<K, u32>, key: K) -> &mut u32 {
    if counts.len() >= REFUSED_TOPICS && !counts.contains_key(&key) {
        counts.pop_first();
    }
    counts.entry(key).or_default()
}
