//! Trace: what is durable on the box. The journal is the truth; outbox and index follow from it.
//!
//! # A tour
//!
//! Whoever has something to make durable hands [`delivery::Item`]s to [`delivery::Delivery::commit`] and waits: the call
//! returns when the disk has them. One thread, the *store thread*, owns all of it and serves everybody.
//!
//! ```text
//! stages --Item--> [store thread: Ledger] --one fdatasync--> journal (segment files)
//!                        |  every record is folded into the state: outbox, incidents, inbound, commands
//!                        |  the index (sled) follows lazily and is made again from the journal on any doubt
//!                        v
//!                    LinkPort <--LinkRequest-- / --LinkReport--> the link (MQTT), which this crate does not know
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`journal`] | append-only segments of self-checking, hash-chained JSON lines; knows no bodies |
//! | [`outbox`] | which message goes next, and what is done with. Pure; the only queue of messages |
//! | [`index`] | the lookup store: sled on the box, maps in tests |
//! | [`evidence_file`] | files of the evidence folder, opened without following anything |
//! | [`delivery`] | the three in one hand: the handle, the store thread, the ledger and what journal records mean |
//! | `tuning` | every constant, with its unit and its reason |
//!
//! Order of every step: the journal record is durable, then the state changes, then whoever waits gets the answer. A crash
//! in between costs nothing: the records behind the index's cursor are folded again.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod delivery;
pub mod evidence_file;
pub mod index;
pub mod journal;
pub mod outbox;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tuning;

pub use tuning::{CHECKPOINT_EVERY_RECORDS, CHECKPOINT_EVERY_S, LINK_ROOM, MAX_GRANTS};
