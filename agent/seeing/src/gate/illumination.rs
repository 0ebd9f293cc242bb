//! Illumination: how the brightness and contrast of the whole picture moved since the background was last brought up to date.
//!
//! One gain and one offset for the picture, fitted on pixels that still show the background. Local light (shadows,
//! headlights) is judged where it matters, in `blobs`.

use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};

use super::tuning::illumination as tuning;

/// `picture = gain * background + offset`, in grey levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Illumination {
    gain: f32,
    offset: f32,
    /// Share of the sampled pixels that the fit explains, 0..1.
    pub(super) explained: f32,
}

/// Grey levels of one place: in the background and in the picture.
type Sample = (f32, f32);

impl Illumination {
    const UNCHANGED: Illumination = Illumination { gain: 1.0, offset: 0.0, explained: 1.0 };

    /// A robust fit; `skip` marks pixels known to show something else than the background.
    pub(super) fn fit(
        background: impl Fn(usize) -> f32,
        picture: &[u8],
        skip: impl Fn(usize) -> bool,
    ) -> Illumination {
        let samples = sample(background, picture, skip);
        if samples.len() < tuning::MIN_SAMPLES {
            return Illumination::UNCHANGED;
        }
        let plain = Illumination::UNCHANGED.refined(&samples);
        if plain.explained >= tuning::GOOD {
            return plain;
        }
        let mut best = plain;
        for guess in [Illumination::by_percentiles(&samples), Illumination::by_ratio(&samples)] {
            let fit = guess.refined(&samples).refined(&samples).refined(&samples);
            if fit.explained > best.explained + tuning::BETTER_BY {
                best = fit;
            }
        }
        best
    }

    /// What a background level looks like in this light, grey levels, not clamped.
    pub(super) fn apply(&self, level: f32) -> f32 {
        self.gain * level + self.offset
    }

    /// What this light leaves unexplained of a pixel, grey levels.
    pub(super) fn residual(&self, background: f32, picture: f32) -> f32 {
        picture - self.gain * background - self.offset
    }

    /// Change of a mid-grey pixel, grey levels.
    pub(super) fn jump(&self) -> f32 {
        (self.gain * tuning::MID_GREY + self.offset - tuning::MID_GREY).abs()
    }

    /// Least squares over the samples that this fit already explains.
    fn refined(self, samples: &[Sample]) -> Illumination {
        let (mut n, mut sb, mut sp, mut sbb, mut sbp) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
        for &(b, p) in samples {
            if self.residual(b, p).abs() < tuning::INLIER {
                let (b, p) = (b - tuning::MID_GREY, p - tuning::MID_GREY);
                n += 1.0;
                sb += b;
                sp += p;
                sbb += b * b;
                sbp += b * p;
            }
        }
        let explained = n / samples.len() as f32;
        if n < tuning::MIN_INLIERS {
            return Illumination { explained, ..self };
        }
        let variance = sbb / n - (sb / n) * (sb / n);
        let covariance = sbp / n - (sb / n) * (sp / n);
        let gain = plausible((covariance + tuning::RIDGE * self.gain) / (variance + tuning::RIDGE));
        let offset = sp / n + tuning::MID_GREY - gain * (sb / n + tuning::MID_GREY);
        Illumination { gain, offset, explained }
    }

    /// First guess after a jump: the 10th, 50th and 90th percentiles meet.
    fn by_percentiles(samples: &[Sample]) -> Illumination {
        let mut b: Vec<f32> = samples.iter().map(|s| s.0).collect();
        let mut p: Vec<f32> = samples.iter().map(|s| s.1).collect();
        b.sort_by(f32::total_cmp);
        p.sort_by(f32::total_cmp);
        let at = |levels: &[f32], share: f32| levels[((levels.len() - 1) as f32 * share) as usize];
        let spread = (at(&b, 0.9) - at(&b, 0.1)).max(tuning::MIN_SPREAD);
        let gain = plausible((at(&p, 0.9) - at(&p, 0.1)) / spread);
        Illumination { gain, offset: at(&p, 0.5) - gain * at(&b, 0.5), explained: 0.0 }
    }

    /// First guess when much of the picture is hidden: the median of the ratios.
    fn by_ratio(samples: &[Sample]) -> Illumination {
        let mut ratios: Vec<f32> = samples.iter().map(|(b, p)| p / b.max(tuning::DARKEST)).collect();
        ratios.sort_by(f32::total_cmp);
        Illumination { gain: plausible(ratios[ratios.len() / 2]), offset: 0.0, explained: 0.0 }
    }
}

fn plausible(gain: f32) -> f32 {
    let (least, most) = tuning::GAIN_RANGE;
    gain.clamp(least, most)
}

fn sample(background: impl Fn(usize) -> f32, picture: &[u8], skip: impl Fn(usize) -> bool) -> Vec<Sample> {
    let mut samples = Vec::with_capacity((W / tuning::STRIDE + 1) * (H / tuning::STRIDE + 1));
    for y in (1..H).step_by(tuning::STRIDE) {
        for x in (1..W).step_by(tuning::STRIDE) {
            let ix = y * W + x;
            if !skip(ix) && tuning::UNCLIPPED.contains(&picture[ix]) {
                samples.push((background(ix), f32::from(picture[ix])));
            }
        }
    }
    samples
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
        let fit = Illumination::fit(|ix| background[ix], &picture, |_| false);
        assert!((fit.gain - 1.4).abs() < 0.05, "{fit:?}");
        assert!((fit.offset - 9.0).abs() < 5.0, "{fit:?}");
        assert!(fit.jump() > 30.0);
    }

    #[test]
    fn the_same_picture_has_the_same_illumination() {
        let background = ramp();
        let picture: Vec<u8> = background.iter().map(|b| b.round() as u8).collect();
        let fit = Illumination::fit(|ix| background[ix], &picture, |_| false);
        assert!((fit.gain - 1.0).abs() < 0.01 && fit.jump() < 0.5, "{fit:?}");
    }
}
