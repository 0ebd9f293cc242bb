//! Clips and stills: what a job is, and how the parent has a child do it.
//!
//! The child is [`crate::child::clip`]. Nothing is decoded here.

mod maker;

pub use crate::clip_job::{ClipForm, ClipJob, ClipOutput, Crop, StillJob};
pub use maker::{ClipError, ClipMaker, in_child, make};
