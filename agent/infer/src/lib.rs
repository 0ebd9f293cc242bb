//! Detection: from a frame to labelled boxes. ONNX Runtime is used only here, in `onnx`.
//!
//! * [`detector`]: the seam. [`OrtDetector`] is the real one, [`FakeDetector`] the scripted one.
//! * [`manifest`]: what a model is; `preprocess` and `decode` are what happens before and after inference.
//! * [`schedule`] decides which camera's frame is next; [`slots`] is the same for threads that wait.
//! * [`cascade`]: the networks of one worker; `close_up` decides which part of a frame the second one is shown.
//! * [`worker`]: the thread that takes frames from the slots and hands observations on.
//! * [`networks`] loads what a site names, [`last_good`] falls back on a copy of what worked last.
//! * `tuning`: every constant with its unit and reason.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod cascade;
mod close_up;
#[cfg(any(test, feature = "inference"))]
mod decode;
pub mod detector;
mod error;
mod fake;
#[cfg(feature = "inference")]
mod heap;
pub mod last_good;
pub mod manifest;
pub mod networks;
#[cfg(feature = "inference")]
mod onnx;
#[cfg(any(test, feature = "inference"))]
mod preprocess;
pub mod schedule;
pub mod slots;
#[cfg(feature = "inference")]
pub mod telemetry;
mod tuning;
pub mod worker;

pub use cascade::Cascade;
#[cfg(any(test, feature = "inference"))]
pub use decode::decode_outputs;
pub use detector::Detector;
pub use error::{DetectorError, LoadError};
pub use fake::{FakeDetector, frame_of};
pub use manifest::{Manifest, ManifestError};
pub use networks::{Manifests, load, load_cascade};
#[cfg(feature = "inference")]
pub use onnx::{OrtDetector, find_runtime};
pub use tuning::{LIVE_RUN_LIMIT, REPLAY_RUN_LIMIT};
