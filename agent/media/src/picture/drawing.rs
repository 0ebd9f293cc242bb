//! What is drawn into a picture. Coordinates are shares of the picture, 0..1.

use kerbside_domain::frame::BBox;
use serde::{Deserialize, Serialize};

/// One thing to draw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Drawing {
    /// A rectangle around something, with a label.
    Box { bbox: BBox, label: String, emphasis: bool },
    /// The outline of a zone.
    Zone { polygon_norm: Vec<(f32, f32)> },
    /// A line of text at the lower edge (ASCII).
    Caption(String),
}
