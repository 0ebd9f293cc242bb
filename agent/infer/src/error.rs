//! What can go wrong with a detector. Each text has its cause within; nothing is printed twice.

use std::path::PathBuf;

use crate::manifest::ManifestError;

/// One frame could not be judged. The detector stays usable.
#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    #[error("model {model}: inference failed: {why}")]
    Inference { model: String, why: String },
    #[error("model {model}: inference stopped after its time limit of {limit_s} s")]
    TimeLimit { model: String, limit_s: f64 },
    #[error("model {model}: output {output}: {why}")]
    Output { model: String, output: String, why: String },
    #[error("frame {seq} of camera {camera}: {width}x{height} px need {want} bytes of RGB, {got} came")]
    Frame { camera: u16, seq: u64, width: u32, height: u32, want: usize, got: usize },
    #[error("frame of {width}x{height} px: resizing failed: {why}")]
    Resize { width: u32, height: u32, why: String },
}

/// A model or the runtime cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the site names no model: [models] street is missing")]
    NotConfigured,
    #[error("{path}: the witness must be a network of the family \"words\", which names a whole picture")]
    NoWords { path: PathBuf },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("{path}: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },
    #[error(
        "{path}: SHA-256 is {got}, but {manifest} says {want}: the model is damaged or not the one described"
    )]
    ModelHash { path: PathBuf, manifest: PathBuf, want: String, got: String },
    #[error(
        "no ONNX Runtime: tried {tried}; run tools/setup, set [models] runtime in the site's configuration, or set KERBSIDE_ORT"
    )]
    NoRuntime { tried: String },
    #[error(
        "{path}: SHA-256 {got} is no ONNX Runtime this program knows; set KERBSIDE_ORT_SHA256 to it if you trust your build"
    )]
    RuntimeHash { path: PathBuf, got: String },
    #[error(
        "ONNX Runtime would report to its maker: ORT_DISABLE_TELEMETRY=1 must be set before the program starts"
    )]
    Telemetry,
    #[error("{path}: ONNX Runtime cannot be loaded: {why}")]
    Runtime { path: PathBuf, why: String },
    #[error("{path}: ONNX Runtime refuses the model: {why}")]
    Model { path: PathBuf, why: String },
    #[error("{path}: {port}: {why}")]
    Shape { path: PathBuf, port: String, why: String },
    #[error("{path}: it loads, but a first frame fails: {cause}")]
    Trial { path: PathBuf, cause: Box<DetectorError> },
    #[error(
        "{path}: it sees {label} {confidence:.2} in a plain grey picture: its output is read in another layout than it has, \
         or the network is damaged or untrained"
    )]
    SeesInGrey { path: PathBuf, label: String, confidence: f32 },
    #[error("cannot start the watchdog thread: {0}")]
    Thread(std::io::Error),
}

impl LoadError {
    /// What a technician can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            LoadError::NotConfigured => "set street in [models]",
            LoadError::NoWords { .. } => "name models/witness.toml as the witness, or leave it out",
            LoadError::Manifest(_) => "correct the manifest: models/README.md says what stands in it",
            LoadError::Read { .. } | LoadError::ModelHash { .. } => {
                "copy the model again, or write its true SHA-256 into the manifest if it is the one you mean"
            }
            LoadError::NoRuntime { .. } | LoadError::RuntimeHash { .. } | LoadError::Runtime { .. } => {
                "run tools/setup to fetch the pinned ONNX Runtime, or install the package again"
            }
            LoadError::Telemetry => "set ORT_DISABLE_TELEMETRY=1 in the service's environment",
            LoadError::Model { .. } => "copy the model again; it must be ONNX that this runtime reads",
            LoadError::Shape { .. } | LoadError::SeesInGrey { .. } => {
                "correct [input] and [output] of the manifest, or export the network as models/README.md says"
            }
            LoadError::Trial { .. } => {
                "correct [output] of the manifest, or export the network as models/README.md says"
            }
            LoadError::Thread(_) => "raise the limit of threads of the service (TasksMax)",
        }
    }
}
