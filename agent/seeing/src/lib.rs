//! Seeing: from frames and detections to incidents. Pure: no I/O, no clock, no error.
//!
//! A tour, in the order of a frame:
//!
//! 1. [`pipeline`] is the one camera line. It shows each frame to the gate, steps the decode ladder and says whether the frame
//!    goes to the detector or straight to the core. The live agent and the replay own the same line (invariant 14).
//! 2. [`gate`] sees small luma pictures: is the frame active, is it due for the detector, what has changed and then stayed?
//! 3. [`ladder`] decides how much of the stream is worth decoding.
//! 4. [`tracker`] follows the detector's boxes from frame to frame.
//! 5. `rules` judges places, times and shares: zones, schedules, permits, sensitivity.
//! 6. [`incident`] is the core: one [`Core::step`](incident::Core::step) takes an input and appends effects. It keeps
//!    candidates and incidents of every camera, and decides what is reported.
//!
//! The constants that decide stand in one `tuning` file a stage, each with its unit, its reason and what it was measured on.

#![cfg_attr(not(test), deny(clippy::print_stdout))]
#![warn(missing_docs)]

pub mod gate;
pub mod incident;
pub mod ladder;
pub mod pipeline;
pub(crate) mod rules;
pub mod tracker;
