//! Labelled boxes of one frame, as a detector gives them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::frame::BBox;

/// What a label means to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// A human being.
    Person,
    /// Anything that drives, with or without a motor.
    Vehicle,
    /// Tables, chairs, umbrellas.
    Furniture,
    /// Rubbish, also a bin that overflows.
    Waste,
    /// Things to sell or to carry.
    Goods,
    /// A stall as a whole.
    Stall,
    /// A bin with its lid shut: no waste.
    Bin,
    /// Nothing that a rule asks about.
    Other,
}

/// One box of one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// What the network calls it.
    pub label: Arc<str>,
    /// What that means to the rules.
    pub group: Group,
    /// 0..1.
    pub confidence: f32,
    /// In shares of the frame's picture.
    pub bbox: BBox,
}

/// What the close-up network saw in a part of a frame, at the frame's own scale.
#[derive(Clone, Debug, PartialEq)]
pub struct CloseUp {
    /// The part, in shares of the frame's picture.
    pub part: BBox,
    /// Boxes in shares of the whole picture.
    pub detections: Vec<Detection>,
}

/// A detected object as a report names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportObject {
    /// Its track, if it was followed.
    pub track: Option<u32>,
    /// What the network calls it.
    pub label: Arc<str>,
    /// What that means to the rules.
    pub group: Group,
    /// 0..1.
    pub confidence: f32,
    /// In shares of the picture.
    pub bbox: BBox,
}
