//! Which luma pixels are watched: zone polygons drawn onto the gate's grid. Knows nothing of backgrounds or regions.

use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};

use super::tuning::ZONE_MARGIN_PX;

/// One flag a luma pixel: watched or not.
#[derive(Clone, Debug)]
pub(super) struct ZoneMask {
    watched: Vec<bool>,
    count: usize,
}

impl ZoneMask {
    /// Polygons in shares of the picture. None: the whole picture is watched.
    pub(super) fn new(zones: &[Vec<(f32, f32)>]) -> Self {
        let mut watched = vec![zones.is_empty(); W * H];
        for zone in zones {
            fill(zone, &mut watched);
        }
        if !zones.is_empty() {
            watched = grown(&watched, ZONE_MARGIN_PX);
        }
        let count = watched.iter().filter(|&&w| w).count();
        ZoneMask { watched, count }
    }

    pub(super) fn watched(&self) -> &[bool] {
        &self.watched
    }

    /// Zones outside the picture watch nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Even-odd rule at pixel centres.
fn fill(polygon: &[(f32, f32)], mask: &mut [bool]) {
    for (ix, pixel) in mask.iter_mut().enumerate() {
        let (x, y) = ((ix % W) as f32 + 0.5, (ix / W) as f32 + 0.5);
        let mut inside = false;
        for (k, &(ax, ay)) in polygon.iter().enumerate() {
            let (bx, by) = polygon[(k + 1) % polygon.len()];
            let (ax, ay, bx, by) = (ax * W as f32, ay * H as f32, bx * W as f32, by * H as f32);
            if (ay > y) != (by > y) && x < ax + (y - ay) * (bx - ax) / (by - ay) {
                inside = !inside;
            }
        }
        *pixel |= inside;
    }
}

fn grown(mask: &[bool], by: usize) -> Vec<bool> {
    let mut out = vec![false; W * H];
    for (ix, _) in mask.iter().enumerate().filter(|(_, m)| **m) {
        let (x, y) = (ix % W, ix / W);
        for yy in y.saturating_sub(by)..=(y + by).min(H - 1) {
            out[yy * W + x.saturating_sub(by)..=yy * W + (x + by).min(W - 1)].fill(true);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_zone_watches_everything() {
        assert_eq!(ZoneMask::new(&[]).count, W * H);
    }

    #[test]
    fn a_zone_watches_itself_and_a_margin() {
        let half = vec![(0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)];
        let mask = ZoneMask::new(&[half]);
        assert_eq!(mask.count, W * (H / 2 + ZONE_MARGIN_PX));
        assert!(!mask.watched[0] && mask.watched[W * H - 1]);
    }
}
