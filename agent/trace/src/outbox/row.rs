//! A message in the outbox, and how it may leave.

use kerbside_domain::time::{Moment, Mono};
use kerbside_wire::Priority;
use serde::{Deserialize, Serialize};

use crate::journal::RecordLocation;

/// What is kept of a message; its bytes are in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub seq: u64,
    /// Journal record.
    pub n: u64,
    #[serde(rename = "at")]
    pub location: RecordLocation,
    /// CloudEvents id; a receipt names it.
    pub id: String,
    #[serde(rename = "lane")]
    pub priority: Priority,
    pub qos: u8,
    #[serde(rename = "slot", default, skip_serializing_if = "Option::is_none")]
    pub conflation_key: Option<String>,
    /// Wall clock, ms; only in rows of version 0.1 whose clock was good when they were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
    /// On the clock that counts on over restarts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Mono>,
    /// The broker has it.
    #[serde(default)]
    pub puback: bool,
    /// Somebody who may not be the centre says that the centre has it: true once the broker has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub receipted: bool,
    /// How often it was handed over.
    #[serde(default)]
    pub tries: u32,
}

impl Row {
    /// A report of an incident, and not the box's state.
    pub fn is_report(&self) -> bool {
        self.priority == Priority::Incident && self.conflation_key.is_none()
    }

    /// What is left of its life, s, zero when it is over; `None`: it has no end.
    pub fn left_s(&self, now: Moment) -> Option<f64> {
        let by_wall = self.expires_ms.map(|e| e.saturating_sub(now.wall_ms) as f64 / 1000.0);
        let left = self.expires_at.map(|e| e.since_s(now.mono)).or(by_wall);
        left.map(|s| s.max(0.0))
    }
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowState {
    Queued,
    /// Handed over on this connection.
    Sent,
    /// The broker has it and the receipt is due at that moment; or it is tried again then.
    Waiting(Mono),
}

/// What one acknowledgement did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// The row is done with.
    Done(Row),
    /// The broker has it; the centre's receipt is due.
    AwaitsReceipt,
    /// No such row: acknowledged before, or given up.
    Unknown,
}

/// Why a row left before it was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemovalReason {
    /// A newer message of its conflation key came.
    #[error("superseded")]
    Superseded,
    /// Its priority holds too many bytes.
    #[error("evicted: lane over its byte budget")]
    OverBudget,
    /// Its life is over.
    #[error("expired")]
    Expired,
    /// The broker takes no packet as long.
    #[error("{bytes} bytes; the broker takes {max_packet}")]
    TooLong { bytes: usize, max_packet: usize },
    #[error("its record is no message")]
    NoMessage,
    #[error("unreadable {times} times: {error}")]
    Unreadable { times: u32, error: String },
    /// The broker will never take it; its words, or ours about it.
    #[error("{0}")]
    Rejected(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PriorityStats {
    pub queued: usize,
    pub waiting: usize,
    /// Of those: refused by the broker the last time.
    pub refused: usize,
    pub bytes: u64,
    pub over_budget: bool,
}
