//! What a site says about the confinement of its children.

use std::path::PathBuf;
use std::sync::Arc;

use kerbside_site::config::Confine;

use super::cell;

/// What a site says about the confinement of its children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walls {
    /// Whether a child may run that cannot be confined.
    pub demand: Confine,
    /// What no child may read, wherever it lies: site file, keys, passwords, the data folder.
    pub keep_out: Arc<[PathBuf]>,
    /// The newest Landlock that counts, to see how an older kernel fares; 0: none.
    pub newest_abi: u8,
}

impl Default for Walls {
    fn default() -> Self {
        Walls { demand: Confine::BestEffort, keep_out: Arc::from([]), newest_abi: cell::NEWEST_ABI }
    }
}
