//! Manifest: what a model file is, what goes in and what comes out, in TOML beside the `.onnx`.
//!
//! It knows nothing of the runtime.

mod error;
mod file;
mod types;
mod words;

pub use error::ManifestError;
pub use types::{Colour, DType, Family, Fit, Input, Label, Layout, Manifest, Output};
pub use words::{Sum, Words};

#[cfg(test)]
mod tests;
