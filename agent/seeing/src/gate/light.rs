//! Light: how the whole picture's brightness and contrast moved since the background was last brought up to date.
//!
//! One gain and offset for the picture, fitted on pixels that still show the background. Local light (shadows,
//! headlights) is judged where it matters, in `blobs`.

use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};

/// `picture = gain * background + offset`, in grey levels 0..255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Light {
    pub(super) gain: f32,
    pub(super) offset: f32,
    /// Share of sampled pixels that the fit explains, 0..1.
    pub(super) explained: f32,
}

impl Light {
    /// Change of a mid-grey pixel, grey levels.
    pub(super) fn jump(&self) -> f32 {
        (self.gain * 110.0 + self.offset - 110.0).abs()
    }
}

const STRIDE: usize = 3;
const INLIER: f32 = 14.0;
/// Pulls the gain to one where the picture has too little contrast to tell it.
const RIDGE: f32 = 40.0;

/// Robust fit of the light; `skip` marks pixels known to show something else than the background.
pub(super) fn fit(background: impl Fn(usize) -> f32, picture: &[u8], skip: impl Fn(usize) -> bool) -> Light {
    let samples = sample(background, picture, skip);
    let same = Light { gain: 1.0, offset: 0.0, explained: 1.0 };
    if samples.len() < 50 {
        return same;
    }
    let plain = refine(&samples, same);
    if plain.explained >= 0.75 {
        return plain;
    }
    let mut best = plain;
    for guess in [by_percentiles(&samples), by_ratio(&samples)] {
        let light = refine(&samples, refine(&samples, refine(&samples, guess)));
        // The plain light has the first word: a bus is no exposure.
        if light.explained > best.explained + 0.05 {
            best = light;
        }
    }
    best
}

fn sample(
    background: impl Fn(usize) -> f32,
    picture: &[u8],
    skip: impl Fn(usize) -> bool,
) -> Vec<(f32, f32)> {
    let mut out = Vec::with_capacity((W / STRIDE + 1) * (H / STRIDE + 1));
    for y in (1..H).step_by(STRIDE) {
        for x in (1..W).step_by(STRIDE) {
            let ix = y * W + x;
            // Clipped pixels say nothing about the light.
            if !skip(ix) && (4..=250).contains(&picture[ix]) {
                out.push((background(ix), f32::from(picture[ix])));
            }
        }
    }
    out
}

/// Least squares over the samples that the given light already explains.
fn refine(samples: &[(f32, f32)], light: Light) -> Light {
    let (mut n, mut sb, mut sp, mut sbb, mut sbp) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
    for &(b, p) in samples {
        if (p - light.gain * b - light.offset).abs() < INLIER {
            // Centred, so that f32 keeps its digits.
            let (b, p) = (b - 110.0, p - 110.0);
            n += 1.0;
            sb += b;
            sp += p;
            sbb += b * b;
            sbp += b * p;
        }
    }
    let explained = n / samples.len() as f32;
    if n < 30.0 {
        return Light { explained, ..light };
    }
    let var = sbb / n - (sb / n) * (sb / n);
    let cov = sbp / n - (sb / n) * (sp / n);
    let gain = ((cov + RIDGE * light.gain) / (var + RIDGE)).clamp(0.2, 5.0);
    let offset = sp / n + 110.0 - gain * (sb / n + 110.0);
    Light { gain, offset, explained }
}

/// First guess after a jump: make the 10th, 50th and 90th percentiles meet.
fn by_percentiles(samples: &[(f32, f32)]) -> Light {
    let mut b: Vec<f32> = samples.iter().map(|s| s.0).collect();
    let mut p: Vec<f32> = samples.iter().map(|s| s.1).collect();
    b.sort_by(f32::total_cmp);
    p.sort_by(f32::total_cmp);
    let at = |v: &[f32], share: f32| v[((v.len() - 1) as f32 * share) as usize];
    let spread = (at(&b, 0.9) - at(&b, 0.1)).max(8.0);
    let gain = ((at(&p, 0.9) - at(&p, 0.1)) / spread).clamp(0.2, 5.0);
    Light { gain, offset: at(&p, 0.5) - gain * at(&b, 0.5), explained: 0.0 }
}

/// First guess when much of the picture is hidden: the median of the ratios.
fn by_ratio(samples: &[(f32, f32)]) -> Light {
    let mut ratios: Vec<f32> = samples.iter().map(|(b, p)| p / b.max(4.0)).collect();
    ratios.sort_by(f32::total_cmp);
    Light { gain: ratios[ratios.len() / 2].clamp(0.2, 5.0), offset: 0.0, explained: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Vec<f32> {
        (0..W * H).map(|i| 40.0 + (i % W) as f32 * 0.7 + (i / W) as f32 * 0.3).collect()
    }

    #[test]
    fn a_jump_of_the_exposure_is_found_although_a_third_of_the_picture_is_hidden() {
        let background = ramp();
        let picture: Vec<u8> = background
            .iter()
            .enumerate()
            .map(|(i, b)| if i % W < W / 3 { 20 } else { (b * 1.4 + 9.0).round() as u8 })
            .collect();
        let light = fit(|ix| background[ix], &picture, |_| false);
        assert!((light.gain - 1.4).abs() < 0.05, "{light:?}");
        assert!((light.offset - 9.0).abs() < 5.0, "{light:?}");
        assert!(light.jump() > 30.0);
    }

    #[test]
    fn the_same_picture_has_the_same_light() {
        let background = ramp();
        let picture: Vec<u8> = background.iter().map(|b| b.round() as u8).collect();
        let light = fit(|ix| background[ix], &picture, |_| false);
        assert!((light.gain - 1.0).abs() < 0.01 && light.jump() < 0.5, "{light:?}");
    }
}
