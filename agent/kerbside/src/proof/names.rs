//! The names of the files of a bundle, and the list of what is in it.

use serde::{Deserialize, Serialize};

use crate::evidence::Seal;

/// Files of a bundle that are no evidence: read by people and by other people's tools.
pub(super) const PUBLIC_KEY: &str = "box.pem";
pub(super) const README: &str = "README.txt";

pub(super) const MANIFEST_SUFFIX: &str = "manifest.json";
/// The list of a bundle, at its root.
pub(super) const BUNDLE_LIST: &str = "bundle.json";

/// The list of a bundle: what was handed out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct BundleList {
    pub(super) version: u32,
    pub(super) incident_id: String,
    pub(super) seal: Option<Seal>,
    pub(super) files: Vec<BundleFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BundleFile {
    /// Below the bundle's root.
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}
