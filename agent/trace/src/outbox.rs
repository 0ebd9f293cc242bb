//! Outbox: the only queue of messages (invariant 6). Pure: it decides what goes next and what is done with.
//!
//! A row lives `queued -> sent -> puback -> receipted`; where the centre sends no receipts, PUBACK ends it. `sent` does
//! not outlive a connection: whatever has no PUBACK is queued again. Rows leave by acknowledgement, with a reason for the
//! dead letters, or by expiry (invariant 7); each leaving is counted.
//!
//! **Order.** Lower priorities yield: a row waits while one of a higher priority is queued. Birth and offline go before
//! all. Incidents go oldest first while few wait; beyond twice the window they take turns, newest then oldest, so that a
//! live report overtakes a backlog of days and the backlog still moves. Where PUBACKs may be long in coming, part of the window
//! is kept for reports that are live.
//!
//! **Budgets.** Each priority may hold so many bytes of journal. Over it, its oldest rows are evicted; incidents never
//! are: the overrun is shown and the disk's own limits answer for it.

mod queue;
mod row;
mod sending;
mod settings;
#[cfg(test)]
mod tests;

pub use queue::Outbox;
pub use row::{Acknowledged, PriorityStats, RemovalReason, Row};
pub use settings::OutboxSettings;
