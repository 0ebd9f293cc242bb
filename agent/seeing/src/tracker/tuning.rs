//! Every tuning constant of the tracker: its unit, why it has this value, and what it was measured on.
//!
//! The values were tuned together, not one by one: with the walks of this module's tests at five detections a second, and with
//! `kerbside score` on the clips of split `tune` of `test-videos/` (network `street`). Boxes are in shares of the picture;
//! "IoU" is intersection over union, 0..1.

/// Tracks of one camera at most. Beyond it new boxes are not followed, and counted. A crowd of more is no scene for rules.
pub(crate) const MAX_TRACKS: usize = 128;
/// A detection at least this sure may continue any track and start one quickly. ByteTrack starts tracks from sure boxes only.
pub(crate) const CONFIDENT: f32 = 0.5;
/// Detections before a track that began with a confident box is believed.
pub(crate) const HITS_CONFIDENT: u32 = 2;
/// The same for one that began with a doubtful box: a weak model would otherwise be blind.
pub(crate) const HITS_DOUBTFUL: u32 = 4;

/// A moving track that is not seen is kept for this long, s.
pub(crate) const MOVING_KEPT_S: f64 = 3.0;
/// A still track (a parked vehicle, a seated vendor behind a crowd) is kept for as long as it stood, and at most this long, s:
/// one who stopped for a moment is gone in a moment.
pub(crate) const STILL_KEPT_S: f64 = 90.0;
/// A track that is not believed yet is kept for this long, s.
pub(crate) const TENTATIVE_KEPT_S: f64 = 1.0;
/// Beyond this a still track is hidden, s: it keeps its place, and only a box right there may be it again.
pub(crate) const HIDDEN_AFTER_S: f64 = 1.0;
/// Unseen time grows by this much a frame at most, s: frames may be seconds apart when only key frames are decoded.
pub(crate) const MAX_UNSEEN_STEP_S: f64 = 1.0;

/// Motion is predicted at most this far ahead, s: a constant velocity is not true for longer.
pub(crate) const MAX_PREDICTION_S: f64 = 1.0;
/// Weights of the old and of the new velocity in their mean: boxes jitter.
pub(crate) const VELOCITY_WEIGHTS: (f32, f32) = (0.6, 0.4);
/// A box that shares less IoU than this with where it stood has moved.
pub(crate) const STILL_IOU: f32 = 0.6;
/// Standing for this long is standing still, s.
pub(crate) const STILL_AFTER_S: f64 = 2.0;
/// A place is remembered as left after standing there for this long, s.
pub(crate) const STOOD_S: f64 = 5.0;
/// Odd boxes in a row that are a move; one is the detector's jitter.
pub(crate) const MOVES_TO_BELIEVE: u32 = 2;

/// Buffer around boxes, share of their size, and least buffered IoU that makes a pair: first narrow (C-BIoU's first step).
pub(crate) const NARROW: (f32, f32) = (0.3, 0.25);
/// Then wide, for few detections a second.
pub(crate) const WIDE: (f32, f32) = (0.5, 0.15);
/// What was hidden is found again only where it stood.
pub(crate) const HIDDEN: (f32, f32) = (0.0, 0.5);

/// Distance of the samples of a trail, s.
pub(crate) const TRAIL_SAMPLE_S: f64 = 0.5;
/// Samples of a trail: half a minute, longer than the arrival of an object takes to be confirmed.
pub(crate) const TRAIL_SAMPLES: usize = 60;
/// Departed tracks remembered, and for how long, s: an object may be confirmed after its owner has left the picture.
pub(crate) const DEPARTED: usize = 64;
/// See [`DEPARTED`].
pub(crate) const DEPARTED_KEPT_S: f64 = 60.0;
/// Vacated places remembered, and for how long, s: the gate may find the uncovered ground minutes later.
pub(crate) const VACATED: usize = 64;
/// See [`VACATED`].
pub(crate) const VACATED_KEPT_S: f64 = 300.0;

/// One is with an object whose box is within this share of the person's height from the feet. A standing person is about
/// 1.7 m, so this is an arm's length, whatever the distance to the camera.
pub(crate) const REACH: f32 = 0.5;
/// Buffer around a mover's box when it is asked whether it touches a place, share of its size.
pub(crate) const TOUCH_BUFFER: f32 = 0.1;
