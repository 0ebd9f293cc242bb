//! The capture child as the line uses it: the real program, on a committed clip, on broken sources and on scripts that
//! stand in for a broken child.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What fails here fails the test.
#![cfg(feature = "camera")]

mod clips;
mod confinement;
mod faults;
mod lies;
mod quirks;
mod reach;
#[cfg(feature = "inference")]
mod review;
mod signed_video;
mod support;
mod trial;
