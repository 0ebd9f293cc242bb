//! What the store thread knows of the link.

use kerbside_domain::time::Mono;

/// The connection as the store thread knows it.
#[derive(Debug)]
pub(in crate::delivery) struct Connection {
    pub(in crate::delivery) epoch: u64,
    pub(in crate::delivery) window: usize,
    pub(in crate::delivery) max_packet: usize,
    /// The broker has acknowledged something on it.
    pub(in crate::delivery) is_answered: bool,
}

#[derive(Debug)]
pub(in crate::delivery) struct Stopping {
    pub(in crate::delivery) session: u64,
    pub(in crate::delivery) until: Mono,
    pub(in crate::delivery) said_offline: bool,
}
