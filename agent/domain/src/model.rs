//! The networks that saw something, as their manifests name them.

/// The detectors that saw what a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelNames {
    /// Sees whole frames.
    pub street: Option<ModelName>,
    /// Was shown parts of them.
    pub close_up: Option<ModelName>,
    /// Was asked what a part of them shows as a whole.
    pub witness: Option<ModelName>,
}

/// A detector, as its manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ModelName {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// 64 hex digits.
    pub sha256: String,
}
