//! Crop: a region as it looked at one moment, to recognise it by its structure in another light.

use crate::gate::grid::PxBox;
use crate::gate::tuning::region::{FLAT, FLAT_ALIKE};

/// The picture around a region's pixels.
#[derive(Clone, Debug)]
pub(super) struct Crop {
    levels: Vec<u8>,
    px: PxBox,
    region_pixels: usize,
}

impl Crop {
    /// With a margin of one pixel.
    pub(super) fn cut(pixels: &[u32], picture: &[u8]) -> Self {
        let px = PxBox::around(pixels).grown(1);
        let levels = px.pixels().map(|ix| picture[ix]).collect();
        Crop { levels, px, region_pixels: pixels.len() }
    }

    /// How many pixels the region had when it was cut.
    pub(super) fn region_pixels(&self) -> usize {
        self.region_pixels
    }

    /// Normalised cross-correlation with the same place in a picture, -1..1. Two flat crops are alike if their levels are.
    pub(super) fn similarity(&self, picture: &[u8]) -> f32 {
        let n = self.levels.len().max(1) as f32;
        let pairs = || {
            self.levels.iter().zip(self.px.pixels()).map(|(&a, ix)| (f32::from(a), f32::from(picture[ix])))
        };
        let (mut sum_a, mut sum_b) = (0.0f32, 0.0f32);
        for (a, b) in pairs() {
            sum_a += a;
            sum_b += b;
        }
        let (mean_a, mean_b) = (sum_a / n, sum_b / n);
        let (mut ab, mut aa, mut bb) = (0.0f32, 0.0f32, 0.0f32);
        for (a, b) in pairs() {
            let (a, b) = (a - mean_a, b - mean_b);
            ab += a * b;
            aa += a * a;
            bb += b * b;
        }
        if aa < FLAT * n && bb < FLAT * n {
            return if (mean_a - mean_b).abs() < FLAT_ALIKE { 1.0 } else { 0.0 };
        }
        if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
    }
}
