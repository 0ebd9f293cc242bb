//! What happens to the machine, and what it wants done.

use kerbside_trace::delivery::{LinkReport, LinkRequest};
use kerbside_wire::Outgoing;

use super::settings::Terms;
use crate::status::LinkProblem;

#[derive(Clone, Debug, PartialEq)]
pub enum LinkEvent {
    /// CONNACK says yes.
    Connected(Accepted),
    /// CONNACK says no, or the broker says DISCONNECT: the connection is over.
    Dismissed {
        because: Dismissal,
        why: String,
    },
    /// SUBACK; the refused filters with the broker's words.
    Subscribed {
        taken: Vec<String>,
        refused: Vec<(String, String)>,
    },
    /// The store thread requests something.
    Request(LinkRequest),
    /// The client wrote a publish; packet id 0 is QoS 0.
    Written {
        pkid: u16,
    },
    PubAck {
        pkid: u16,
        verdict: Verdict,
    },
    Received {
        token: u64,
        topic: String,
        payload: Vec<u8>,
        retain: bool,
    },
    /// Anything else that came: the connection lives.
    Alive,
    /// Anything else that the client wrote: a half-open link takes that for minutes, so it proves nothing.
    Sent,
    /// Reading stops, for want of room in the store thread's line, or goes on. Silence says nothing meanwhile.
    Paused(bool),
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

/// What a CONNACK says. 3.1.1 says only the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    pub session_present: bool,
    /// Most publishes without PUBACK.
    pub receive_max: Option<u16>,
    /// Longest packet, bytes.
    pub max_packet: Option<u32>,
    /// Retained messages are refused.
    pub no_retain: bool,
    /// Highest quality of service; `None`: any.
    pub max_qos: Option<u8>,
    /// The broker's own keep-alive, which goes before ours, s.
    pub keep_alive_s: Option<u16>,
}

/// What the broker's last word is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dismissal {
    /// It does not speak this version.
    Protocol,
    /// It takes no retained messages.
    Retain,
    /// It does not take this quality of service.
    Qos,
    /// Another client came with our name.
    SessionTaken,
    /// A packet of ours.
    Message,
    Other,
}

/// What a PUBACK says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Taken,
    /// `never`: the topic or payload is wrong. Otherwise the permission or the moment: the message stays in the outbox.
    Refused {
        reason: String,
        never: bool,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum LinkAction {
    /// Make a new connection.
    Connect {
        session: u64,
        terms: Terms,
    },
    Subscribe(Vec<String>),
    Publish(Outgoing),
    Ack {
        token: u64,
    },
    /// Send a PINGREQ.
    Ping,
    Report(LinkReport),
    /// Throw the connection away, without DISCONNECT: the will may speak.
    Drop,
    /// Say DISCONNECT and go on until it is written.
    Disconnect,
    Log(LinkChange),
    Finished,
}

/// Said once per change, not per attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkChange {
    Up {
        session: u64,
        session_present: bool,
    },
    Down {
        why: String,
    },
    StillDown {
        why: String,
    },
    /// Connections come up and bring nothing forward.
    NoProgress {
        why: String,
    },
    Progress,
    Problem {
        problem: LinkProblem,
        what: String,
    },
    Solved(LinkProblem),
}
