//! Detector: from a look to labelled boxes. The seam, the manifest, the scheduler; ONNX Runtime stays in `detector/`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::frame::{BBox, Look};

/// What a label means to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    Person,
    Vehicle,
    Furniture,
    Waste,
    Goods,
    Stall,
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

/// The seam: one real (ONNX Runtime), one fake (scripted boxes) implementation.
pub trait Detector: Send {
    /// Boxes after thresholds and non-maximum suppression, best first.
    fn detect(&mut self, look: &Look) -> Result<Vec<Detection>, DetectorError>;
}

#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    #[error("model {model}: inference failed: {why}")]
    Inference { model: String, why: String },
}
