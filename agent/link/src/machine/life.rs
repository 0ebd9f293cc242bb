//! Signs of life of a connection, and what is due when.

use std::collections::{HashMap, VecDeque};

use kerbside_domain::time::Mono;

use super::settings::MachineSettings;
use crate::tuning::{HELD_UP_S, SILENT_KEEP_ALIVES, STOOD_S, UNANSWERED_MAX};

/// A message that waits for its PUBACK.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) seq: u64,
    pub(super) topic: String,
    pub(super) retain: bool,
}

#[derive(Debug)]
pub(super) struct Life {
    keep_alive_s: f64,
    ack_timeout_s: f64,
    heard: Mono,
    written: Mono,
    pinged: Mono,
    /// Nothing is read since then.
    paused: Option<Mono>,
    /// By packet id, with the time of writing.
    pub(super) unacked: HashMap<u16, (Sent, Mono)>,
    /// Written with QoS 0, and nothing was heard since that may be an answer: the broker may be about to close on it.
    unanswered: VecDeque<(Sent, Mono)>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Ping,
    Silent,
    NoPubAck,
    HeldUp,
}

impl Life {
    pub(super) fn new(settings: &MachineSettings, now: Mono) -> Self {
        Life {
            keep_alive_s: settings.keep_alive_s,
            ack_timeout_s: settings.ack_timeout_s,
            heard: now,
            written: now,
            pinged: now,
            paused: None,
            unacked: HashMap::new(),
            unanswered: VecDeque::new(),
        }
    }

    /// A connection is there; the broker's keep-alive goes before ours if it is shorter.
    pub(super) fn connected(&mut self, settings: &MachineSettings, keep_alive_s: Option<u16>, now: Mono) {
        let paused = self.paused;
        *self = Life { paused, ..Life::new(settings, now) };
        if let Some(own_s) = keep_alive_s.filter(|s| *s > 0) {
            self.keep_alive_s = self.keep_alive_s.min(f64::from(own_s));
        }
    }

    /// Something came; the messages of QoS 0 that the broker has put up with by that.
    pub(super) fn heard(&mut self, now: Mono) -> Vec<Sent> {
        self.heard = now;
        let stood = self.unanswered.iter().take_while(|(_, at)| now.since_s(*at) >= STOOD_S).count();
        self.unanswered.drain(..stood).map(|(sent, _)| sent).collect()
    }

    pub(super) fn unanswered(&mut self, sent: Sent, now: Mono) {
        if self.unanswered.len() >= UNANSWERED_MAX {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back((sent, now));
    }

    /// What the broker may have closed on, besides what is not written.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = &Sent> {
        self.unacked.values().chain(&self.unanswered).map(|(sent, _)| sent)
    }

    pub(super) fn forget_messages(&mut self) {
        self.unacked.clear();
        self.unanswered.clear();
    }

    pub(super) fn written(&mut self, now: Mono) {
        self.written = now;
    }

    pub(super) fn pinged(&mut self, now: Mono) {
        self.pinged = now;
    }

    /// Reading stops or goes on; for how long it had stopped, s.
    pub(super) fn pause(&mut self, paused: bool, now: Mono) -> f64 {
        if paused {
            self.paused = self.paused.or(Some(now));
            return 0.0;
        }
        let Some(since) = self.paused.take() else { return 0.0 };
        // What would have come in that time is read now: every wait is longer by it.
        let s = now.since_s(since);
        self.heard = self.heard.plus_s(s).min(now);
        for (_, written) in self.unacked.values_mut() {
            *written = written.plus_s(s).min(now);
        }
        s
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// When something is due, and what.
    pub(super) fn next(&self) -> (Mono, Due) {
        let quiet = if self.heard < self.written { self.heard } else { self.written };
        let last = if quiet < self.pinged { self.pinged } else { quiet };
        let ping = (last.plus_s(self.keep_alive_s), Due::Ping);
        let mut all = vec![ping];
        match self.paused {
            Some(since) => all.push((since.plus_s(HELD_UP_S), Due::HeldUp)),
            None => {
                all.push((self.heard.plus_s(SILENT_KEEP_ALIVES * self.keep_alive_s), Due::Silent));
                let oldest = self.unacked.values().map(|(_, at)| *at).min();
                all.extend(oldest.map(|at| (at.plus_s(self.ack_timeout_s), Due::NoPubAck)));
            }
        }
        all.into_iter().min_by_key(|(at, _)| *at).unwrap_or(ping)
    }

    /// It was said that the disk holds everything up; not again before it has gone on.
    pub(super) fn said_held_up(&mut self, now: Mono) {
        self.paused = self.paused.map(|_| now);
    }
}
