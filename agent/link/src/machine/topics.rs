//! Topics that the broker refuses: nothing is sent there for a while, and everything else goes on.

use std::collections::BTreeMap;

use kerbside_domain::time::{Mono, doubled_s};

use crate::tuning::{REFUSED_TOPICS, TOPIC_RETRY_MAX_S, TOPIC_RETRY_S};

#[derive(Clone, Debug)]
struct Aside {
    until: Mono,
    reason: String,
    times: u32,
    /// It closes the connection on it.
    closes: bool,
}

#[derive(Debug, Default)]
pub(super) struct RefusedTopics {
    aside: BTreeMap<String, Aside>,
}

impl RefusedTopics {
    /// Why nothing is sent there now. `None`: it may be tried.
    pub(super) fn refuses(&self, topic: &str, now: Mono) -> Option<&str> {
        self.aside.get(topic).filter(|aside| now < aside.until).map(|aside| aside.reason.as_str())
    }

    pub(super) fn refused(&mut self, topic: &str, reason: &str, now: Mono) {
        if !self.aside.contains_key(topic) && self.aside.len() >= REFUSED_TOPICS {
            // What is forgotten is tried again, and refused again.
            self.aside.pop_first();
        }
        let aside = self.aside.entry(topic.to_owned()).or_insert_with(|| Aside {
            until: now,
            reason: String::new(),
            times: 0,
            closes: false,
        });
        aside.until = now.plus_s(doubled_s(TOPIC_RETRY_S, aside.times, TOPIC_RETRY_MAX_S));
        aside.times = aside.times.saturating_add(1);
        reason.clone_into(&mut aside.reason);
    }

    /// The broker closes connections on it: that is tried rarely, and on no new connection for its own sake.
    pub(super) fn closed_on(&mut self, topic: &str, reason: &str, now: Mono) {
        self.refused(topic, reason, now);
        if let Some(aside) = self.aside.get_mut(topic) {
            aside.closes = true;
        }
    }

    pub(super) fn is_closed_on(&self, topic: &str) -> bool {
        self.aside.get(topic).is_some_and(|aside| aside.closes)
    }

    /// True: it was refused before.
    pub(super) fn taken(&mut self, topic: &str) -> bool {
        self.aside.remove(topic).is_some()
    }

    /// A new connection may be another broker, or have other rights: everything is tried once.
    pub(super) fn connected(&mut self, now: Mono) {
        let refused = self.aside.values_mut().filter(|aside| !aside.closes);
        refused.for_each(|aside| aside.until = now);
    }

    /// Reports and other topics in words, if there are any.
    pub(super) fn in_words(&self) -> (Option<String>, Option<String>) {
        let (reports, others): (Vec<_>, Vec<_>) =
            self.aside.iter().partition(|(topic, _)| kerbside_wire::topic::is_report(topic));
        (words(&reports), words(&others))
    }
}

fn words(topics: &[(&String, &Aside)]) -> Option<String> {
    let (first, aside) = topics.first()?;
    let more = match topics.len() - 1 {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(format!("the broker refuses {first}{more}: {}", aside.reason))
}
