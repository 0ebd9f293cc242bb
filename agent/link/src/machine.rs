//! The link's state machine: events in, actions out, no I/O and no clock of its own.
//!
//! What it guards against, each seen with rumqttc 0.25: a poll that hangs for ever (watchdog), a broker that keeps a
//! PUBACK to itself (ack timeout), messages dropped on reconnect (each connection starts from nothing and the delivery
//! hands over again), PUBACKs that name only a packet id (paired in the order of writing), a message that kills every
//! connection it is sent on (sent alone, then given up with a reason).

use std::collections::{BTreeMap, HashMap, VecDeque};

use kerbside_domain::time::Mono;
use kerbside_trace::delivery::{FromLink, ToLink};
use kerbside_wire::Outgoing;

#[derive(Clone, Debug)]
pub struct Settings {
    pub subscriptions: Vec<String>,
    pub session_base: u64,
    pub keep_alive_s: f64,
    pub connect_timeout_s: f64,
    pub ack_timeout_s: f64,
    pub backoff_min_s: f64,
    pub backoff_max_s: f64,
    /// Longest packet where the broker names no limit, bytes.
    pub default_max_packet: usize,
}

/// Most messages handed over and not acknowledged.
pub const WINDOW: usize = 8;
/// Connections that one message may kill before it goes alone, and before it is given up.
const SUSPECT: u32 = 2;
const GUILTY: u32 = 5;
/// A connection on which nothing came for so many keep-alives is dead. A ping goes out after one; with the wait that follows,
/// the next connection is there within two.
const SILENT: f64 = 1.5;
/// A connection that lasted so long was a good one: the next wait is short again.
const GOOD_S: f64 = 10.0;

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Connected {
        session_present: bool,
        receive_max: Option<u16>,
        max_packet: Option<u32>,
    },
    Order(ToLink),
    /// The client wrote a publish; packet id 0 is QoS 0.
    Written {
        pkid: u16,
    },
    Acked {
        pkid: u16,
        verdict: Verdict,
    },
    Received {
        token: u64,
        topic: String,
        payload: Vec<u8>,
        retain: bool,
    },
    /// Anything else that came: it shows life.
    Alive,
    /// Anything else that the client wrote: a half-open link takes that for minutes, it shows nothing.
    Sent,
    Lost {
        why: String,
        by_peer: bool,
    },
    Tick,
    /// What vouches for the box was replaced.
    Renewed,
    Stop {
        grace_s: f64,
    },
}

/// What a PUBACK says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Taken,
    /// Not now: not authorised, quota, unspecified. The row stays.
    NotNow(String),
    /// Never: the topic or payload is wrong. The row is buried.
    Never(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make a new client and poll it.
    Connect {
        session: u64,
    },
    Subscribe(Vec<String>),
    Publish(Outgoing),
    Ack {
        token: u64,
    },
    Tell(FromLink),
    /// Throw the client away, without DISCONNECT: the will may speak.
    Drop,
    /// Say DISCONNECT and poll until it is written.
    Disconnect,
    Log(Change),
    Finished,
}

/// Said once per change, not per attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Up { session: u64, session_present: bool },
    Down { why: String },
    StillDown { why: String },
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Waiting { until: Mono },
    Connecting { until: Mono },
    Up { since: Mono },
    Leaving { until: Mono },
    Finished,
}

#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    state: State,
    epoch: u64,
    session: u64,
    failures: u32,
    last_alive: Mono,
    /// Published, in order, not yet written.
    handed: VecDeque<u64>,
    /// Packet id to sequence number and time of writing.
    unacked: HashMap<u16, (u64, Mono)>,
    /// How many connections broke with this message on the way.
    suspects: BTreeMap<u64, u32>,
    last_seq: Option<u64>,
    stop_at: Option<Mono>,
    said: Option<String>,
    rng: fastrand::Rng,
    actions: VecDeque<Action>,
}

impl Machine {
    /// Wants to connect at once. `seed` makes the jitter of the waits.
    pub fn new(settings: Settings, seed: u64, now: Mono) -> Self {
        Machine {
            settings,
            state: State::Waiting { until: now },
            epoch: 0,
            session: 0,
            failures: 0,
            last_alive: now,
            handed: VecDeque::new(),
            unacked: HashMap::new(),
            suspects: BTreeMap::new(),
            last_seq: None,
            stop_at: None,
            said: None,
            rng: fastrand::Rng::with_seed(seed),
            actions: VecDeque::new(),
        }
    }

    pub fn pull(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::Tick`] is due.
    pub fn deadline(&self) -> Option<Mono> {
        let own = match self.state {
            State::Waiting { until } | State::Connecting { until } | State::Leaving { until } => until,
            State::Up { .. } => {
                let silent = self.last_alive.plus_s(SILENT * self.settings.keep_alive_s);
                let oldest = self.unacked.values().map(|(_, at)| *at).min();
                oldest.map_or(silent, |at| silent.min(at.plus_s(self.settings.ack_timeout_s)))
            }
            State::Finished => return None,
        };
        Some(self.stop_at.map_or(own, |stop| own.min(stop)))
    }

    pub fn push(&mut self, now: Mono, event: Event) {
        match event {
            Event::Connected { session_present, receive_max, max_packet } => {
                self.connected(now, session_present, receive_max, max_packet);
            }
            Event::Order(order) => self.order(order),
            Event::Written { pkid } => self.written(now, pkid),
            Event::Acked { pkid, verdict } => self.acked(now, pkid, verdict),
            Event::Received { token, topic, payload, retain } => {
                self.last_alive = now;
                self.tell(FromLink::Incoming { epoch: self.epoch, token, topic, payload, retain });
            }
            Event::Alive => self.last_alive = now,
            Event::Sent => {}
            Event::Lost { why, by_peer } => self.lost(now, why, by_peer),
            Event::Tick => self.tick(now),
            Event::Renewed => self.renewed(now),
            Event::Stop { grace_s } => self.stop(now, grace_s),
        }
    }

    fn tell(&mut self, event: FromLink) {
        self.actions.push_back(Action::Tell(event));
    }

    fn connect(&mut self, now: Mono) {
        self.epoch += 1;
        self.session = self.settings.session_base + self.epoch;
        self.state = State::Connecting { until: now.plus_s(self.settings.connect_timeout_s) };
        self.actions.push_back(Action::Connect { session: self.session });
    }

    fn connected(
        &mut self,
        now: Mono,
        session_present: bool,
        receive_max: Option<u16>,
        max_packet: Option<u32>,
    ) {
        self.state = State::Up { since: now };
        self.last_alive = now;
        self.said = None;
        self.actions.push_back(Action::Subscribe(self.settings.subscriptions.clone()));
        let suspicious = self.suspects.values().any(|kills| *kills >= SUSPECT);
        let window = receive_max.map_or(WINDOW, usize::from).clamp(1, if suspicious { 1 } else { WINDOW });
        let max_packet = max_packet.map_or(self.settings.default_max_packet, |m| m as usize);
        let (epoch, session) = (self.epoch, self.session);
        self.tell(FromLink::Up { epoch, session, session_present, window, max_packet });
        self.actions.push_back(Action::Log(Change::Up { session, session_present }));
        if let Some(stop) = self.stop_at {
            self.tell(FromLink::Stopping { epoch, session, drain_s: stop.since_s(now) * 0.7 });
        }
    }

    fn order(&mut self, order: ToLink) {
        let up = matches!(self.state, State::Up { .. });
        match order {
            ToLink::Outgoing { epoch, parcel, last } if up && epoch == self.epoch => {
                if last {
                    self.last_seq = Some(parcel.seq);
                }
                self.handed.push_back(parcel.seq);
                self.actions.push_back(Action::Publish(parcel));
            }
            ToLink::Stored { epoch, token } if up && epoch == self.epoch => {
                self.actions.push_back(Action::Ack { token });
            }
            // Meant for a connection that is gone: it is handed over again on the next.
            ToLink::Outgoing { .. } | ToLink::Stored { .. } => {}
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

    fn acked(&mut self, now: Mono, pkid: u16, verdict: Verdict) {
        self.last_alive = now;
        let Some((seq, _)) = self.unacked.remove(&pkid) else { return };
        match verdict {
            Verdict::Taken => self.done(now, seq),
            Verdict::Never(reason) => {
                self.suspects.remove(&seq);
                self.tell(FromLink::Unwanted { epoch: self.epoch, seq, reason });
            }
            // Sending on would only be refused again: wait as after a loss.
            Verdict::NotNow(reason) => {
                self.broken(now, format!("the broker refused a message: {reason}"), false)
            }
        }
    }

    fn done(&mut self, now: Mono, seq: u64) {
        self.suspects.remove(&seq);
        self.tell(FromLink::Acked { epoch: self.epoch, seq });
        if self.last_seq == Some(seq) {
            self.state = State::Leaving { until: self.stop_at.unwrap_or(now).max(now.plus_s(1.0)) };
            self.actions.push_back(Action::Disconnect);
        }
    }

    fn lost(&mut self, now: Mono, why: String, by_peer: bool) {
        match self.state {
            State::Leaving { .. } => self.finish(),
            State::Up { .. } | State::Connecting { .. } => self.broken(now, why, by_peer),
            State::Waiting { .. } | State::Finished => {}
        }
    }

    /// The connection is no good: forget everything about it and wait.
    fn broken(&mut self, now: Mono, why: String, by_peer: bool) {
        let was_up = matches!(self.state, State::Up { .. });
        if let State::Up { since } = self.state {
            if now.since_s(since) >= GOOD_S {
                self.failures = 0;
            }
            if by_peer {
                self.suspect();
            }
            self.tell(FromLink::Lost { epoch: self.epoch, why: why.clone() });
        }
        self.actions.push_back(Action::Drop);
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
        self.state = State::Waiting { until: now.plus_s(wait_s) };
    }

    /// Nothing is wrong with the connection; the next one, at once, says who the box is now.
    fn renewed(&mut self, now: Mono) {
        if !matches!(self.state, State::Up { .. }) || self.stop_at.is_some() {
            return;
        }
        self.tell(FromLink::Lost { epoch: self.epoch, why: "certificates were replaced".to_owned() });
        self.actions.push_back(Action::Drop);
        self.handed.clear();
        self.unacked.clear();
        self.last_seq = None;
        self.state = State::Waiting { until: now };
    }

    /// Counts the connections that broke with a message on the way; one that broke enough, alone, is given up.
    fn suspect(&mut self) {
        let on_the_way: Vec<u64> =
            self.handed.iter().copied().chain(self.unacked.values().map(|(s, _)| *s)).collect();
        for seq in &on_the_way {
            let kills = self.suspects.entry(*seq).or_default();
            *kills += 1;
            if *kills >= GUILTY && on_the_way.len() == 1 {
                let (seq, kills) = (*seq, *kills);
                self.suspects.remove(&seq);
                let reason = format!("the broker closed {kills} connections on this message");
                return self.tell(FromLink::Unwanted { epoch: self.epoch, seq, reason });
            }
        }
    }

    fn log_down(&mut self, why: String, was_up: bool) {
        if self.said.as_deref() == Some(why.as_str()) {
            return;
        }
        let change =
            if was_up { Change::Down { why: why.clone() } } else { Change::StillDown { why: why.clone() } };
        self.said = Some(why);
        self.actions.push_back(Action::Log(change));
    }

    fn tick(&mut self, now: Mono) {
        if self.stop_at.is_some_and(|stop| now >= stop) {
            self.actions.push_back(Action::Drop);
            return self.finish();
        }
        if self.deadline().is_none_or(|due| now < due) {
            return;
        }
        match self.state {
            State::Waiting { .. } => self.connect(now),
            State::Connecting { .. } => self.broken(now, "no answer to CONNECT".to_owned(), false),
            State::Up { .. } => {
                let silent = now.since_s(self.last_alive) >= SILENT * self.settings.keep_alive_s;
                let why =
                    if silent { "silent for longer than the keep-alive allows" } else { "no PUBACK in time" };
                self.broken(now, why.to_owned(), false);
            }
            State::Leaving { .. } => {
                self.actions.push_back(Action::Drop);
                self.finish();
            }
            State::Finished => {}
        }
    }

    fn stop(&mut self, now: Mono, grace_s: f64) {
        if self.stop_at.is_some() {
            return;
        }
        self.stop_at = Some(now.plus_s(grace_s));
        match self.state {
            State::Up { .. } => {
                let (epoch, session) = (self.epoch, self.session);
                self.tell(FromLink::Stopping { epoch, session, drain_s: grace_s * 0.7 });
            }
            State::Connecting { .. } => {}
            // Nobody to say goodbye to; the broker has told the will.
            State::Waiting { .. } => self.finish(),
            State::Leaving { .. } | State::Finished => {}
        }
    }

    fn finish(&mut self) {
        self.state = State::Finished;
        self.actions.push_back(Action::Finished);
    }
}
