//! What a gate is told and what it counts. Knows no pictures.

use super::planes::PIXELS;
use kerbside_site::config::Camera;

/// What a gate watches and how patient it is. The defaults are the operating point that the figures are measured at.
#[derive(Clone, Debug)]
pub struct GateConfig {
    /// Polygons in shares of the picture; none: everything is watched. Motion outside costs nothing.
    pub zones: Vec<Vec<(f32, f32)>>,
    /// The background is the median of at least this many looks over at least this long.
    pub learn_looks: usize,
    pub learn_s: f64,
    /// What has not changed for so long is still.
    pub still_s: f64,
    /// Regions smaller or larger than these shares of the picture are not things.
    pub min_area_norm: f32,
    pub max_area_norm: f32,
    pub max_regions: usize,
    /// The same picture, noise and all, for so long is a frozen camera.
    pub frozen_s: f64,
    /// A region is held at most so long, then taken for background; one of kind `Removed` much shorter.
    pub absorb_after_s: f64,
    pub absorb_removed_s: f64,
    /// A camera that still looks elsewhere after so long learns its new view.
    pub relearn_moved_s: f64,
    /// A region younger than this is looked at in every look, an older one every `recheck_s`.
    pub young_s: f64,
    pub recheck_s: f64,
    /// An empty street is looked at every so often: rubbish that lay there before the gate learnt is no change.
    pub idle_look_s: f64,
    /// After motion ends, looks stay worth it for so long.
    pub linger_s: f64,
}

impl Default for GateConfig {
    fn default() -> Self {
        GateConfig {
            zones: Vec::new(),
            learn_looks: 8,
            learn_s: 3.0,
            still_s: 1.2,
            min_area_norm: 0.0006,
            max_area_norm: 0.3,
            max_regions: 32,
            // Looks come every two seconds where nothing moves: the fourth must do, so that it is said within ten.
            frozen_s: 5.9,
            absorb_after_s: 24.0 * 3600.0,
            absorb_removed_s: 30.0,
            relearn_moved_s: 1800.0,
            young_s: 10.0,
            recheck_s: 2.0,
            idle_look_s: 20.0,
            linger_s: 2.0,
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
        ((self.min_area_norm * PIXELS as f32).ceil() as usize).max(4)
    }

    pub(super) fn max_px(&self) -> usize {
        (self.max_area_norm * PIXELS as f32) as usize
    }
}

/// What happened in a gate's life, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateCounters {
    pub looks: u64,
    /// Looks whose luma had another size than the gate's; nothing was judged.
    pub malformed: u64,
    pub light_changes: u64,
    pub views_lost: u64,
    /// Small shifts of the camera that were compensated.
    pub nudges: u64,
    /// Regions not made because `max_regions` lived already.
    pub regions_refused: u64,
}
