//! What waits to become durable, and who waits for it.

use crossbeam_channel::Sender;

use crate::delivery::error::Result;
use crate::delivery::item::{Committed, Item};
use crate::delivery::ledger::Order;
use crate::delivery::records::StageInput;
use crate::delivery::room::Room;

/// A message of the centre that is not journalled yet.
#[derive(Debug)]
pub(super) struct ReceivedMessage {
    pub(super) epoch: u64,
    pub(super) token: u64,
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
    /// Held until it is journalled.
    #[allow(dead_code)]
    pub(super) room: Room,
}

/// What becomes durable together, and who waits for it.
#[derive(Debug)]
pub(super) struct PendingCommit {
    pub(super) items: Vec<Item>,
    pub(super) waiter: Waiter,
}

// Nearly all are the broker's, and there is at most one turn of them.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub(super) enum Waiter {
    Caller(Sender<Result<Vec<Committed>>>),
    /// The message is acknowledged, and the stages get it.
    Broker {
        message: ReceivedMessage,
        input: Option<StageInput>,
        /// An account that it wants, if it is a command.
        order: Option<Order>,
        /// Id of the command that it is, genuine or not.
        command: Option<String>,
    },
}

impl PendingCommit {
    pub(super) fn is_command(&self, id: &str) -> bool {
        matches!(&self.waiter, Waiter::Broker { command: Some(own), .. } if own == id)
    }

    /// An upload that will wait when this is durable.
    pub(super) fn grant(&self) -> Option<&str> {
        match &self.waiter {
            Waiter::Broker { input: Some(StageInput::Grant(grant)), .. } => Some(&grant.id),
            _ => None,
        }
    }
}
