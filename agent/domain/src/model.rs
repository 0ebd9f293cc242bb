//! The networks that saw something, as their manifests name them.

/// The detectors that saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelNames {
    /// Sees whole looks.
    pub street: Option<ModelName>,
    /// Was shown parts of them.
    pub close_up: Option<ModelName>,
}

/// A detector, as its manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ModelName {
    pub name: String,
    pub version: String,
    /// 64 hex digits.
    pub sha256: String,
}
