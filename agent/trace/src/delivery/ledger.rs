//! Ledger: journal, index and outbox in one hand. Synchronous, owned by one thread, knows nothing of sockets.
//!
//! Order of every step: journal record durable, then state, then whoever waits gets the answer. The index follows lazily;
//! after a crash the records behind its cursor are applied again.
//!
//! | file | owns |
//! |---|---|
//! | `base` | what a ledger is made of |
//! | `clock` | what the wall clock did, journalled and said |
//! | `opening` | journal and index made to agree at start |
//! | `commit` | items into records; messages given up |
//! | `sending` | the next message for the link, and what its acknowledgement does |
//! | `inbound` | what comes down: journalled, judged, refused |
//! | `commands` | commands judged once and answered once; those that the ledger carries out itself |
//! | `checkpoints`, `checkpoint_times` | when the journal is signed, and what each checkpoint says; a change of the key |
//! | `statistics`, `accounts` | what was reported and what became of it, by rule and hour: when it is told; how it is counted |
//! | `upkeep` | expiry, the index, old segments |

mod accounts;
mod base;
mod checkpoint_times;
mod checkpoints;
mod clock;
mod commands;
mod commit;
mod inbound;
mod opening;
mod sending;
mod statistics;
mod upkeep;

pub(super) use accounts::Order;
pub use base::Ledger;
pub(super) use inbound::{Judged, stored};
