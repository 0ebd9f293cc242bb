//! Every constant of this crate that could be another number, with its unit and its reason.
//!
//! *Measured* names what it was measured on, *bound* keeps memory or time finite whatever a model does, *chosen* is a judgement
//! that no measurement contradicted. What a model's family or a file format fixes stands where it is used.

use std::time::Duration;

/// Longest run of a network live. Bound: a run that takes longer would hold up every camera; it is stopped and costs one error.
pub const LIVE_RUN_LIMIT: Duration = Duration::from_secs(5);
/// The same in a replay, where nothing waits for it and an emulated or starved machine is slow: only an endless run is stopped.
pub const REPLAY_RUN_LIMIT: Duration = Duration::from_secs(120);

/// Between two close-ups of one region, s. Chosen: it stands still, so its next frame says little more.
pub(crate) const CLOSE_UP_REGION_EVERY_S: f64 = 2.0;
/// Between two close-ups of one camera, whatever stands there, s. Chosen: bounds the second network to two
/// runs a second for each camera.
pub(crate) const CLOSE_UP_CAMERA_EVERY_S: f64 = 0.5;
/// A part is this many times as wide as what it is about. Chosen: a thing is known by its surroundings too.
pub(crate) const CLOSE_UP_CONTEXT: f32 = 2.5;
/// And at least this share of the picture's width: enlarging further shows no more.
pub(crate) const CLOSE_UP_MIN_WIDTH: f32 = 0.25;
/// Width to height of a part in px: that of the networks' inputs (320 to 192).
pub(crate) const CLOSE_UP_ASPECT: f32 = 5.0 / 3.0;
/// A region of which people or vehicles cover this share would show them instead of itself.
pub(crate) const CLOSE_UP_COVERED: f32 = 0.5;

/// Side of the square that the witness is shown, in longer sides of what it is about. Measured with models/convert/measure_witness.py:
/// 1.0 to 1.3 tell stalls from people equally well; wider shows the street.
pub(crate) const WITNESS_CONTEXT: f32 = 1.2;
/// And at least this share of the picture's width: words need a thing and what it stands on.
pub(crate) const WITNESS_MIN_WIDTH: f32 = 0.1;
/// Regions that touch when grown by this share of their size are shown to the witness together: they will be one candidate.
pub(crate) const WITNESS_NEIGHBOUR: f32 = 0.35;
/// Answers of the witness about one region, one a close-up; beyond, it is asked now and then. Chosen: as many as are remembered.
pub(crate) const WITNESS_ANSWERS: u32 = 8;
/// That is this often, s. Bound: an incident that stands for hours costs the witness nothing to speak of.
pub(crate) const WITNESS_LATER_EVERY_S: f64 = 30.0;
/// A word that differs from a class by more letters than this was hardly meant for it.
pub(crate) const MOST_DISTANT_WORD: usize = 3;

/// What a network must reach to be asked again about a thing. Measured: bags that it names at one scale get 0.2 to 0.55 there.
#[cfg(feature = "inference")]
pub(crate) const SUSPECT_SCORE: f32 = 0.15;
/// An idle camera (gate closed, a frame for safety's sake) may wait this many periods behind active ones. Chosen; the tests of
/// `schedule` hold that nobody starves by it.
pub(crate) const IDLE_PERIODS: f64 = 4.0;

/// Largest manifest, bytes. Bound.
pub(crate) const MAX_MANIFEST_BYTES: u64 = 1 << 20;
/// Largest model, bytes. Bound.
#[cfg(feature = "inference")]
pub(crate) const MAX_MODEL_BYTES: u64 = 1 << 30;
/// Most numbers in one output. Bound: the runtime would allocate what a model declares.
#[cfg(any(test, feature = "inference"))]
pub(crate) const MAX_OUTPUT_NUMBERS: i64 = 1 << 22;
/// Boxes and scores are rounded to this before they are compared with anything, so that the last bits in which processors differ
/// decide nothing.
#[cfg(any(test, feature = "inference"))]
pub(crate) const ROUNDING: f32 = 1e-4;
