//! How the outbox decides.

use crate::tuning::{BUDGETS, RETRY_MAX_S, RETRY_S, WINDOW};

#[derive(Clone, Debug)]
pub struct OutboxSettings {
    /// Most messages handed over and not acknowledged.
    pub window: usize,
    /// The centre sends receipts; otherwise PUBACK ends a row.
    pub receipts: bool,
    /// Bytes by priority; that of incidents is only shown when it is passed.
    pub budgets: [u64; 4],
    /// A row with PUBACK but no receipt is sent again after that long, then after twice as long, up to `retry_max_s`.
    pub retry_s: f64,
    pub retry_max_s: f64,
}

impl Default for OutboxSettings {
    fn default() -> Self {
        OutboxSettings {
            window: WINDOW,
            receipts: true,
            budgets: BUDGETS,
            retry_s: RETRY_S,
            retry_max_s: RETRY_MAX_S,
        }
    }
}
