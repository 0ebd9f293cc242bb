//! What the link and the store thread say to each other. `epoch` counts connections; what comes late from an old one counts
//! for nothing.

use kerbside_wire::Outgoing;

/// What the link reports.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkReport {
    Connected {
        epoch: u64,
        session: u64,
        session_present: bool,
        window: usize,
        max_packet: usize,
    },
    Disconnected {
        epoch: u64,
        why: String,
    },
    /// PUBACK, or written for QoS 0.
    Acknowledged {
        epoch: u64,
        seq: u64,
    },
    /// The broker will never take it: it closes every connection on it.
    Rejected {
        epoch: u64,
        seq: u64,
        reason: String,
    },
    /// The broker refused it, or refuses its topic, and the connection stays.
    Refused {
        epoch: u64,
        seq: u64,
        reason: String,
        /// It is the message that is wrong, not the moment or the permission.
        never: bool,
    },
    /// A message of the centre; the broker keeps it until `token` is acknowledged.
    Received {
        epoch: u64,
        token: u64,
        topic: String,
        payload: Vec<u8>,
        retain: bool,
    },
    /// Send what waits for at most so long, then `offline`.
    Stopping {
        epoch: u64,
        session: u64,
        drain_s: f64,
    },
}

/// What the store thread requests of the link.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkRequest {
    /// `last`: disconnect after its acknowledgement.
    Publish { epoch: u64, outgoing: Outgoing, last: bool },
    /// The message with that token is journalled: acknowledge it.
    Acknowledge { epoch: u64, token: u64 },
}
