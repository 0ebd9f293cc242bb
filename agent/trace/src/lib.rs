//! Trace: what is durable on the box. The journal is the truth; index and outbox follow from it.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod delivery;
pub mod journal;
pub mod outbox;
pub mod store;
