//! Where a delivery lies and how it works.

use std::path::PathBuf;

use kerbside_crypto::sign::CentreKey;
use kerbside_wire::MustSign;

use crate::journal::Syncs;
use crate::outbox::OutboxSettings;
use crate::tuning::{KEEP_DAYS, SEGMENT_BYTES};

/// The box's own private key, in its data folder; made at the first start.
pub const KEY_FILE: &str = "box.key";

/// The key that takes its place at the next start; the old one signs that.
pub const NEXT_KEY_FILE: &str = "box.key.next";

#[derive(Clone, Debug)]
pub struct DeliverySettings {
    /// Holds `journal/`, `index/` and `lock`.
    pub dir: PathBuf,
    pub segment_bytes: u64,
    pub syncs: Syncs,
    /// Segments younger than that stay though everything in them is done with.
    pub keep_days: u32,
    pub outbox: OutboxSettings,
    /// Whose commands count.
    pub keys: Vec<CentreKey>,
    /// What counts only with a signature.
    pub must_sign: MustSign,
}

impl DeliverySettings {
    pub fn new(dir: impl Into<PathBuf>, receipts: bool) -> Self {
        let outbox = OutboxSettings { receipts, ..Default::default() };
        DeliverySettings {
            dir: dir.into(),
            segment_bytes: SEGMENT_BYTES,
            syncs: Default::default(),
            keep_days: KEEP_DAYS,
            outbox,
            keys: Vec::new(),
            must_sign: MustSign::default(),
        }
    }
}
