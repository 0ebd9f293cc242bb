//! What happens to the machine, and what it wants done.

use kerbside_trace::delivery::{LinkReport, LinkRequest};
use kerbside_wire::Outgoing;

#[derive(Clone, Debug, PartialEq)]
pub enum LinkEvent {
    Connected {
        session_present: bool,
        receive_max: Option<u16>,
        max_packet: Option<u32>,
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
    /// The client was not polled for so long, for want of room in the store thread's line: its silence says nothing.
    HeldUp {
        s: f64,
    },
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
    /// Not now: not authorised, quota, unspecified. The message stays in the outbox.
    NotNow(String),
    /// Never: the topic or payload is wrong. The message is given up.
    Never(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum LinkAction {
    /// Make a new client and poll it.
    Connect {
        session: u64,
    },
    Subscribe(Vec<String>),
    Publish(Outgoing),
    Ack {
        token: u64,
    },
    Report(LinkReport),
    /// Throw the client away, without DISCONNECT: the will may speak.
    Drop,
    /// Say DISCONNECT and poll until it is written.
    Disconnect,
    Log(LinkChange),
    Finished,
}

/// Said once per change, not per attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkChange {
    Up { session: u64, session_present: bool },
    Down { why: String },
    StillDown { why: String },
}
