//! Labelled boxes of one frame, as a detector gives them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::frame::BBox;

/// What a label means to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    Person,
    Vehicle,
    Furniture,
    Waste,
    Goods,
    Stall,
    /// A bin with its lid shut: no waste.
    Bin,
    Other,
}

/// One box of one look. Boxes are in shares of the look's picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    pub label: Arc<str>,
    pub group: Group,
    /// 0..1.
    pub confidence: f32,
    pub bbox: BBox,
}

/// A part of a look, seen at native scale by the close-up network.
#[derive(Clone, Debug, PartialEq)]
pub struct CloseUp {
    /// The part, in shares of the look's picture.
    pub part: BBox,
    /// Boxes in shares of the whole picture.
    pub detections: Vec<Detection>,
}

/// A detected object as a report names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportObject {
    pub track: Option<u32>,
    pub label: Arc<str>,
    pub group: Group,
    pub confidence: f32,
    pub bbox: BBox,
}
