//! The detector that tests script: boxes by the frame's number. Also makes frames to feed detectors with.

use std::collections::BTreeMap;

use bytes::Bytes;

use kerbside_domain::detection::Detection;
use kerbside_domain::frame::{CameraIx, Frame, LUMA_HEIGHT, LUMA_WIDTH, Level};
use kerbside_domain::time::Moment;

#[cfg(test)]
use {
    kerbside_domain::detection::Group,
    kerbside_domain::frame::BBox,
    kerbside_domain::time::Mono,
    kerbside_seeing::gate::{RegionKind, StaticRegion},
};

use crate::detector::Detector;
use crate::error::DetectorError;

/// Gives the scripted boxes for each frame of the script, and none for others.
#[derive(Clone, Debug, Default)]
pub struct FakeDetector {
    script: BTreeMap<(CameraIx, u64), Vec<Detection>>,
    /// Frames of these numbers fail.
    pub failing: Vec<u64>,
    /// Every frame that was given, in order.
    pub calls: Vec<(CameraIx, u64)>,
}

impl FakeDetector {
    /// Adds the boxes of one frame to the script.
    pub fn with(mut self, camera: CameraIx, seq: u64, detections: Vec<Detection>) -> Self {
        self.script.insert((camera, seq), detections);
        self
    }
}

impl Detector for FakeDetector {
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectorError> {
        self.calls.push((frame.camera, frame.seq));
        if self.failing.contains(&frame.seq) {
            return Err(DetectorError::Inference { model: "fake".to_owned(), why: "scripted".to_owned() });
        }
        Ok(self.script.get(&(frame.camera, frame.seq)).cloned().unwrap_or_default())
    }
}

/// A frame with the given colours, for tests and self-checks of a model.
pub fn frame_of(width: u32, height: u32, rgb: impl Fn(u32, u32) -> [u8; 3]) -> Frame {
    let pixels: Vec<u8> =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| rgb(x, y)).collect();
    Frame {
        camera: CameraIx(0),
        seq: 0,
        epoch: 0,
        pts: 0,
        at: Moment::default(),
        level: Level::L2,
        width,
        height,
        rgb: Bytes::from(pixels),
        luma: Bytes::from(vec![0; LUMA_WIDTH * LUMA_HEIGHT]),
    }
}

/// A static region for tests, five hundredths of the picture wide.
#[cfg(test)]
pub(crate) fn region(id: u32, x: f32) -> StaticRegion {
    let bbox = BBox { x, y: 0.5, w: 0.05, h: 0.05 };
    let at = Mono::ZERO;
    let kind = RegionKind::Appeared;
    StaticRegion {
        id,
        bbox,
        area_norm: 0.002,
        appeared: at,
        still_since: at,
        occluded: false,
        similarity: 1.0,
        kind,
    }
}

/// A box of some thing for tests.
#[cfg(test)]
pub(crate) fn boxed(group: Group, bbox: BBox) -> Detection {
    Detection { label: "thing".into(), group, confidence: 0.8, bbox }
}
