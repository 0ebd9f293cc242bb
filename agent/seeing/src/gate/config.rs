//! What a gate is given and what it counts. Knows no pictures.

use kerbside_site::config::Camera;

use super::background::PIXELS;
use super::tuning::{blobs::MIN_PIXELS, defaults};

/// What a gate watches and how patient it is. The defaults are the operating point that the figures are measured at.
#[derive(Clone, Debug)]
pub struct GateConfig {
    /// Polygons in shares of the picture; none: everything is watched. Motion outside costs nothing.
    pub zones: Vec<Vec<(f32, f32)>>,
    /// The background is the median of at least this many frames ...
    pub learn_frames: usize,
    /// ... over at least this long, s.
    pub learn_s: f64,
    /// What has not changed for this long is still, s.
    pub still_s: f64,
    /// Smaller regions are no objects, share of the picture.
    pub min_area_norm: f32,
    /// Larger ones neither, share of the picture.
    pub max_area_norm: f32,
    /// Regions at once; further ones are counted and not followed.
    pub max_regions: usize,
    /// The same picture, noise and all, for this long is a frozen camera, s.
    pub frozen_s: f64,
    /// A region is followed for this long, then taken for background, s.
    pub absorb_after_s: f64,
    /// The same for one of kind `Removed`, s.
    pub absorb_removed_s: f64,
    /// A camera that still looks elsewhere after this long learns its new view, s.
    pub relearn_moved_s: f64,
    /// A region younger than this makes every frame active, s.
    pub young_s: f64,
    /// Where older regions are, a frame is due for detection at this interval, s.
    pub region_detection_s: f64,
    /// On an empty street a frame is due at this interval, s.
    pub idle_detection_s: f64,
    /// After motion ends, frames stay active for this long, s.
    pub linger_s: f64,
}

impl Default for GateConfig {
    fn default() -> Self {
        GateConfig {
            zones: Vec::new(),
            learn_frames: defaults::LEARN_FRAMES,
            learn_s: defaults::LEARN_S,
            still_s: defaults::STILL_S,
            min_area_norm: defaults::MIN_AREA,
            max_area_norm: defaults::MAX_AREA,
            max_regions: defaults::MAX_REGIONS,
            frozen_s: defaults::FROZEN_S,
            absorb_after_s: defaults::ABSORB_S,
            absorb_removed_s: defaults::ABSORB_REMOVED_S,
            relearn_moved_s: defaults::RELEARN_MOVED_S,
            young_s: defaults::YOUNG_S,
            region_detection_s: defaults::REGION_DETECTION_S,
            idle_detection_s: defaults::IDLE_DETECTION_S,
            linger_s: defaults::LINGER_S,
        }
    }
}

impl GateConfig {
    /// The defaults, watching a camera's zones.
    pub fn of(camera: &Camera) -> Self {
        let zones = camera.zones.iter().map(|z| z.polygon_norm.clone()).collect();
        GateConfig { zones, ..GateConfig::default() }
    }

    pub(super) fn min_px(&self) -> usize {
        ((self.min_area_norm * PIXELS as f32).ceil() as usize).max(MIN_PIXELS)
    }

    pub(super) fn max_px(&self) -> usize {
        (self.max_area_norm * PIXELS as f32) as usize
    }
}

/// What happened in a gate's life, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateCounters {
    /// Frames that came.
    pub frames: u64,
    /// Frames whose luma had another size than the gate's; nothing was judged.
    pub malformed: u64,
    /// Jumps of the light over the whole picture.
    pub light_changes: u64,
    /// Times that the picture no longer fitted its background: covered or moved.
    pub views_lost: u64,
    /// Small shifts of the camera that were compensated.
    pub nudges: u64,
    /// Regions not made because `max_regions` lived already.
    pub regions_refused: u64,
}
