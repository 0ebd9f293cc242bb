//! The seam of detection.

use kerbside_domain::detection::Detection;
use kerbside_domain::frame::Frame;

use crate::error::DetectorError;

/// The seam: one real (ONNX Runtime), one fake (scripted boxes) implementation.
pub trait Detector: Send {
    /// Boxes after thresholds and non-maximum suppression, best first.
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectorError>;

    /// The same with what the network is much less sure of: what stands there can be looked at again and again.
    fn suspect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectorError> {
        self.detect(frame)
    }
}
