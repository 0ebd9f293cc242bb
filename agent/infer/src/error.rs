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
    #[error("cannot start the watchdog thread: {0}")]
    Thread(std::io::Error),
}
