//! Detector: from a frame to labelled boxes. The seam, the manifest, the scheduler; ONNX Runtime stays in `detector/onnx.rs`.
//!
//! `manifest` says what a model is, `preprocess` and `decode` are what happens before and after inference, `schedule`
//! decides which camera's frame is next, `cascade` which part of it a second network is shown, `worker` is the thread that does it,
//! `keep` has a copy of what worked last.

pub mod cascade;
#[cfg(any(test, feature = "inference"))]
mod decode;
mod fake;
#[cfg(feature = "inference")]
mod heap;
pub mod keep;
pub mod manifest;
#[cfg(feature = "inference")]
mod onnx;
#[cfg(any(test, feature = "inference"))]
mod preprocess;
pub mod schedule;
#[cfg(feature = "inference")]
pub mod telemetry;
pub mod worker;

use std::path::PathBuf;
use std::time::Duration;

pub use self::cascade::Cascade;
#[cfg(any(test, feature = "inference"))]
pub use self::decode::decode_outputs;
pub use self::fake::{FakeDetector, frame_of};
pub use self::manifest::{Manifest, ManifestError};
#[cfg(feature = "inference")]
pub use self::onnx::{OrtDetector, find_runtime};
use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::Frame;
use kerbside_domain::model::ModelNames;

/// The seam: one real (ONNX Runtime), one fake (scripted boxes) implementation.
pub trait Detector: Send {
    /// Boxes after thresholds and non-maximum suppression, best first.
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectorError>;
}

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
    #[error("{path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
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
    #[error("{path}: it loads, but a first frame fails: {source}")]
    Trial { path: PathBuf, source: Box<DetectorError> },
    #[error("cannot start the watchdog thread: {0}")]
    Thread(std::io::Error),
}

/// A run that takes longer live would hold up every camera: it is stopped and costs one error.
pub const LIVE_RUN_LIMIT: Duration = Duration::from_secs(5);
/// In a replay nothing waits for it, and an emulated or starved machine is slow: only an endless run is stopped.
pub const REPLAY_RUN_LIMIT: Duration = Duration::from_secs(120);

/// What describes the networks of a [`Cascade`].
#[derive(Clone, Debug)]
pub struct Manifests {
    pub street: Manifest,
    pub close_up: Option<Manifest>,
}

impl Manifests {
    /// How reports name the networks.
    pub fn names(&self) -> ModelNames {
        ModelNames {
            street: Some(self.street.model_name()),
            close_up: self.close_up.as_ref().map(Manifest::model_name),
        }
    }
}

/// The networks of a site, ready to use, and their descriptions. `limit`: of one run.
pub fn load_cascade(
    models: &kerbside_site::config::Models,
    limit: Duration,
) -> Result<(Cascade, Manifests), LoadError> {
    let street = models.street.as_deref().ok_or(LoadError::NotConfigured)?;
    let load = |manifest| load(manifest, models.runtime.as_deref(), limit);
    let (street, manifest) = load(street)?;
    let (close_up, close_up_manifest) = models.close_up.as_deref().map(load).transpose()?.unzip();
    Ok((Cascade::new(street, close_up), Manifests { street: manifest, close_up: close_up_manifest }))
}

/// The model of a manifest, ready to use, and its description. `limit`: of one run.
#[cfg(feature = "inference")]
pub fn load(
    manifest: &std::path::Path,
    runtime: Option<&std::path::Path>,
    limit: Duration,
) -> Result<(Box<dyn Detector>, Manifest), LoadError> {
    let detector = OrtDetector::load(manifest, runtime, limit)?;
    heap::give_back();
    let manifest = detector.manifest().clone();
    Ok((Box::new(detector), manifest))
}

#[cfg(not(feature = "inference"))]
pub fn load(
    _manifest: &std::path::Path,
    _runtime: Option<&std::path::Path>,
    _limit: Duration,
) -> Result<(Box<dyn Detector>, Manifest), LoadError> {
    Err(LoadError::NoRuntime {
        tried: "nothing: this program was built without the feature `inference`".into(),
    })
}
