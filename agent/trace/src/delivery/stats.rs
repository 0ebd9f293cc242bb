//! What a delivery says of itself.

use std::collections::{BTreeMap, BTreeSet};

use kerbside_crypto::hash::Hash;
use kerbside_domain::time::Moment;
use kerbside_wire::RefusalReason;
use serde::Serialize;

use crate::journal::Damage;
use crate::outbox::PriorityStats;

/// What opening found. Report it when `damage` is not none or `index_doubt` is some; it is journalled already.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Recovery {
    pub damage: Damage,
    /// Why the old index was moved aside.
    pub index_doubt: Option<String>,
    /// The index was made again from the journal.
    pub rebuilt: bool,
    /// Journal records applied behind the index's cursor.
    pub replayed: u64,
}

/// Figures for metrics and `device.health`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeliveryStats {
    /// By [`kerbside_wire::Priority::index`].
    pub outbox: [PriorityStats; 4],
    pub in_flight: usize,
    pub last_seq: u64,
    pub last_n: u64,
    pub last_hash: Hash,
    pub journal_bytes: u64,
    pub incidents: usize,
    pub appended: u64,
    pub append_errors: u64,
    /// Messages that ended with PUBACK (no receipt expected).
    pub done: u64,
    pub receipts: u64,
    /// Messages given up with a reason; a person should look.
    pub dead_lettered: u64,
    /// Rows beyond the budget of their priority, telemetry expired, and state replaced by newer state.
    pub evicted: u64,
    /// Messages whose record could not be read when they were due; each is tried again some times.
    pub read_errors: u64,
    /// Messages of the centre that count for nothing.
    pub refused: u64,
    /// The same, and genuine commands that were not obeyed, by reason.
    pub refusals: BTreeMap<RefusalReason, u64>,
    /// Commands and grants that were refused and got no answer: too many in a minute, or no id to answer to.
    pub unanswered: u64,
    pub commands: u64,
    pub segments_dropped: u64,
    /// How often the wall clock moved more than a day further than the box ran, since the program began.
    pub clock_jumps: u64,
    /// How far the last time, s.
    pub clock_jumped_by_s: Option<f64>,
    /// Nothing is deleted for its age, because the wall clock jumped.
    pub deletion_paused: bool,
    pub index_failed: bool,
    pub connected: bool,
}

/// What the centre is not done with, and what time it is for deletions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Incidents with a report that it has not acknowledged.
    pub unacknowledged: BTreeSet<String>,
    /// Incidents, or commands, with a file that it has granted and not got.
    pub granted: BTreeSet<String>,
    /// On the clock that counts on over restarts.
    pub now: Moment,
    /// Nothing is to be deleted for its age.
    pub deletion_paused: bool,
}
