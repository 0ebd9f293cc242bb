//! Replay: the same line on a file, on a virtual clock, scored against a truth.

pub mod truth;
