//! What others make durable.

use kerbside_crypto::hash::Hash;
use kerbside_wire::{Message, Priority};
use serde_json::Value;

use super::records::{SavedIncident, StageInput};
use crate::journal::RecordKind;

/// One thing to make durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Goes out.
    Message(Box<Message>),
    /// The core's record of an incident.
    Incident(SavedIncident),
    /// All of the core's records: what changed is written, who is missing is forgotten.
    AllIncidents(Vec<SavedIncident>),
    /// The core has taken in everything that came down up to this journal number.
    Consumed(u64),
    /// Came down, and a stage must act on it. Not for commands, which are journalled with their signed text.
    Inbound {
        input: StageInput,
        /// By which the message is known when it comes again: SHA-256 of topic and payload.
        received: Option<Hash>,
    },
    /// Only for the trace.
    Note { kind: RecordKind, body: Value },
}

impl Item {
    pub(super) fn is_receipt(&self) -> bool {
        matches!(self, Item::Inbound { input: StageInput::Receipt(_), .. })
    }

    /// It may be lost with the power of the last seconds.
    pub(super) fn is_telemetry(&self) -> bool {
        matches!(self, Item::Message(message) if message.priority == Priority::Telemetry)
    }
}

/// What an item became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Journal number.
    pub n: u64,
    /// Sequence number of a message.
    pub seq: Option<u64>,
}
