//! How the next connection is made, by what the broker has shown: it said what it does not take, or it closed without a word,
//! and then it is tried what it minds.

use kerbside_site::config::Protocol;

use super::event::{Accepted, Dismissal};
use super::settings::Terms;
use crate::tuning::CLOSED_BEFORE_A_GUESS;

#[derive(Debug)]
pub(super) struct Negotiation {
    configured: Terms,
    /// The best that the broker has not refused in words.
    best: Terms,
    current: Terms,
    /// Terms that worked after others were closed on without a word.
    guessed: Option<Terms>,
    /// Connections closed without a word since the last guess.
    closed: u32,
    /// Connections closed with a retained message on the way.
    closed_on_retained: u32,
}

impl Negotiation {
    pub(super) fn new(configured: Terms) -> Self {
        Negotiation {
            configured,
            best: configured,
            current: configured,
            guessed: None,
            closed: 0,
            closed_on_retained: 0,
        }
    }

    pub(super) fn current(&self) -> Terms {
        self.current
    }

    /// The site asks for more than this connection has.
    pub(super) fn lacks_retain(&self) -> bool {
        self.configured.retain && !self.current.retain
    }

    pub(super) fn lacks_protocol(&self) -> bool {
        self.configured.protocol != self.current.protocol
    }

    pub(super) fn lacks_qos(&self) -> bool {
        self.current.max_qos == 0
    }

    /// The broker said what it does not take. True: the next connection asks for less.
    pub(super) fn refused(&mut self, because: Dismissal) -> bool {
        let less = match because {
            Dismissal::Protocol => Terms { protocol: Protocol::V311, ..self.current },
            Dismissal::Retain => Terms { retain: false, ..self.current },
            Dismissal::Qos => Terms { max_qos: 0, ..self.current },
            Dismissal::SessionTaken | Dismissal::Message | Dismissal::Other => self.current,
        };
        let is_less = less != self.current;
        if is_less {
            (self.best, self.current, self.closed) = (less, less, 0);
        }
        is_less
    }

    /// CONNACK: it may name limits that hold from now on.
    pub(super) fn accepted(&mut self, accepted: &Accepted) {
        self.closed = 0;
        if self.current != self.best {
            self.guessed = Some(self.current);
        }
        if accepted.no_retain {
            (self.best.retain, self.current.retain) = (false, false);
        }
        let max_qos = accepted.max_qos.unwrap_or(self.current.max_qos).min(self.current.max_qos);
        (self.best.max_qos, self.current.max_qos) = (max_qos, max_qos);
    }

    /// Closed after CONNECT, before an answer.
    pub(super) fn closed_at_connect(&mut self) {
        self.closed += 1;
        if let Some(guessed) = self.guessed.filter(|guessed| *guessed != self.current) {
            self.current = guessed;
        } else if self.closed >= CLOSED_BEFORE_A_GUESS {
            self.closed = 0;
            self.current = self.next_guess();
        }
    }

    /// Less and less, and then all of it again: it may have been the network.
    fn next_guess(&self) -> Terms {
        let full = self.best;
        let ladder = [
            Terms { retain: false, ..full },
            Terms { protocol: Protocol::V311, ..full },
            Terms { protocol: Protocol::V311, retain: false, ..full },
        ];
        let tried = ladder.iter().position(|terms| *terms == self.current && self.current != full);
        let mut next = ladder.into_iter().skip(tried.map_or(0, |at| at + 1));
        next.find(|terms| *terms != full && *terms != self.current).unwrap_or(full)
    }

    /// The broker acknowledged a retained message.
    pub(super) fn retained_taken(&mut self) {
        self.closed_on_retained = 0;
    }

    /// A connection that was up is gone; `on_retained`: the broker closed it with a retained message on the way.
    pub(super) fn lost(&mut self, on_retained: bool) {
        let is_full = self.current == self.best;
        if on_retained && self.current.retain {
            self.closed_on_retained += 1;
            let known = self.guessed.filter(|guessed| !guessed.retain);
            if known.is_some() || self.closed_on_retained > CLOSED_BEFORE_A_GUESS {
                self.closed_on_retained = 0;
                self.current = known.unwrap_or(Terms { retain: false, ..self.current });
                return;
            }
        }
        // What was guessed may have been the network's fault: the next connection asks for all again.
        if !is_full {
            self.current = self.best;
        }
    }
}
