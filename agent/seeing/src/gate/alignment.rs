//! Alignment: does the picture still show the same place, and how far has the camera shifted? Structure is compared by
//! gradients, which light hardly changes.

use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};
use kerbside_domain::time::Mono;

use super::tuning::alignment as tuning;
use super::tuning::frames::SLOW_UPDATE_S;
use super::tuning::scene::SAME_PLACE;

/// A shift of the camera: the picture shows at `(x + dx, y + dy)` what the background has at `(x, y)`, luma px.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) dx: i32,
    pub(super) dy: i32,
}

impl Shift {
    fn is_within(self, reach: i32) -> bool {
        self.dx.abs().max(self.dy.abs()) <= reach
    }
}

/// Where one camera stands off its background.
#[derive(Clone, Debug)]
pub(super) struct Alignment {
    shift: Shift,
    checked_at: Mono,
    /// How well pictures usually correlate with the background, -1..1.
    usual_correlation: f32,
}

impl Alignment {
    pub(super) fn new() -> Self {
        Alignment { shift: Shift::default(), checked_at: Mono::ZERO, usual_correlation: 1.0 }
    }

    pub(super) fn shift(&self) -> Shift {
        self.shift
    }

    /// The background is learnt anew where the camera stands now.
    pub(super) fn reset_shift(&mut self) {
        self.shift = Shift::default();
    }

    /// The picture moved back onto the background. What comes from outside repeats the edge.
    pub(super) fn align(&self, picture: &[u8], out: &mut Vec<u8>) {
        out.clear();
        let Shift { dx, dy } = self.shift;
        if dx == 0 && dy == 0 {
            out.extend_from_slice(picture);
            return;
        }
        for y in 0..H as i32 {
            let row = ((y + dy).clamp(0, H as i32 - 1) as usize) * W;
            out.extend((0..W as i32).map(|x| picture[row + (x + dx).clamp(0, W as i32 - 1) as usize]));
        }
    }

    /// After much changed at once: takes the shift at which the picture shows the same place, if there is one.
    pub(super) fn find_place(&mut self, background: &[f32], picture: &[u8]) -> bool {
        let (shift, correlation) = best_shift(background, picture, tuning::MAX_SHIFT);
        let found = correlation >= SAME_PLACE;
        if found {
            self.shift = shift;
        }
        found
    }

    /// A mast that a lorry touched, or that stands in the wind: thin changes along every edge, gone when the picture is moved
    /// back. Returns true when it took another shift.
    pub(super) fn follow_nudge(
        &mut self,
        background: &[f32],
        picture: &[u8],
        changed: f32,
        at: Mono,
    ) -> bool {
        if changed < tuning::MIN_CHANGE || at.since_s(self.checked_at) < SLOW_UPDATE_S {
            return false;
        }
        self.checked_at = at;
        let current = correlation(background, picture, self.shift);
        if current > self.usual_correlation - tuning::CORRELATION_DROP {
            self.usual_correlation += tuning::FOLLOW_SHARE * (current - self.usual_correlation);
            return false;
        }
        self.usual_correlation -= tuning::FOLLOW_SHARE * tuning::CORRELATION_DROP;
        let (shift, best) = self.search_nearby(background, picture, current);
        let better = best > current + tuning::CORRELATION_GAIN && best >= SAME_PLACE;
        if shift == self.shift || !better {
            return false;
        }
        self.shift = shift;
        self.usual_correlation = best;
        true
    }

    fn search_nearby(&self, background: &[f32], picture: &[u8], current: f32) -> (Shift, f32) {
        let mut best = (self.shift, current);
        for dy in -tuning::SEARCH_REACH..=tuning::SEARCH_REACH {
            for dx in -tuning::SEARCH_REACH..=tuning::SEARCH_REACH {
                let shift = Shift { dx: self.shift.dx + dx, dy: self.shift.dy + dy };
                if shift.is_within(tuning::MAX_SHIFT) {
                    let correlation = correlation(background, picture, shift);
                    if correlation > best.1 {
                        best = (shift, correlation);
                    }
                }
            }
        }
        best
    }
}

/// Whether a camera that was lost shows its place again, within a pixel.
pub(super) fn shows_place_again(background: &[f32], picture: &[u8]) -> bool {
    best_shift(background, picture, tuning::LOST_REACH).1 >= SAME_PLACE
}

/// Whether two pictures are one and the same, the codec's rounding apart.
pub(super) fn is_same_picture(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (mut sum, mut most) = (0u32, 0u8);
    for (a, b) in a.iter().zip(b) {
        let step = a.abs_diff(*b);
        sum += u32::from(step);
        most = most.max(step);
    }
    most <= tuning::SAME_PICTURE_MOST && sum as f32 <= tuning::SAME_PICTURE_MEAN * a.len() as f32
}

/// Searches shifts up to `reach` px each way; the first of the best, and its correlation.
fn best_shift(background: &[f32], picture: &[u8], reach: i32) -> (Shift, f32) {
    let mut best = (Shift::default(), correlation(background, picture, Shift::default()));
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let shift = Shift { dx, dy };
            let correlation = correlation(background, picture, shift);
            if correlation > best.1 {
                best = (shift, correlation);
            }
        }
    }
    best
}

const BLOCKS_IN_A_ROW: usize = W / tuning::BLOCK_W;
const BLOCKS: usize = BLOCKS_IN_A_ROW * (H / tuning::BLOCK_H);

/// Mean correlation over the blocks in which the background has texture, -1..1.
fn correlation(background: &[f32], picture: &[u8], shift: Shift) -> f32 {
    let blocks = block_correlations(background, picture, shift);
    if blocks.is_empty() { 0.0 } else { blocks.iter().sum::<f32>() / blocks.len() as f32 }
}

/// What at least half of the blocks correlate by, -1..1: a picture that is half covered is not half alike.
pub(super) fn median_correlation(background: &[f32], picture: &[u8]) -> f32 {
    let blocks = block_correlations(background, picture, Shift::default());
    blocks.get(blocks.len() / 2).copied().unwrap_or_default()
}

/// Normalised correlation of the gradient fields in each block with texture, on every second pixel; ascending. Block by
/// block, so that a burnt-in clock, which is all that is left of a covered picture, speaks for its own corner only.
fn block_correlations(background: &[f32], picture: &[u8], Shift { dx, dy }: Shift) -> Vec<f32> {
    let mut sums = [GradientSums::default(); BLOCKS];
    let margin = 2 + dx.abs().max(dy.abs());
    for y in (margin..H as i32 - margin).step_by(2) {
        let row = (y as usize / tuning::BLOCK_H) * BLOCKS_IN_A_ROW;
        for x in (margin..W as i32 - margin).step_by(2) {
            let b = (y as usize) * W + x as usize;
            let p = ((y + dy) as usize) * W + (x + dx) as usize;
            let (ax, ay) = (background[b + 1] - background[b - 1], background[b + W] - background[b - W]);
            let px = f32::from(picture[p + 1]) - f32::from(picture[p - 1]);
            let py = f32::from(picture[p + W]) - f32::from(picture[p - W]);
            let block = &mut sums[row + x as usize / tuning::BLOCK_W];
            block.both += ax * px + ay * py;
            block.background += ax * ax + ay * ay;
            block.picture += px * px + py * py;
            block.pixels += 1.0;
        }
    }
    let mut blocks: Vec<f32> =
        sums.iter().filter(|s| s.is_textured()).map(GradientSums::correlation).collect();
    blocks.sort_unstable_by(f32::total_cmp);
    blocks
}

/// Products of the gradients of one block.
#[derive(Clone, Copy, Debug, Default)]
struct GradientSums {
    both: f32,
    background: f32,
    picture: f32,
    pixels: f32,
}

impl GradientSums {
    fn is_textured(&self) -> bool {
        self.pixels > 0.0 && self.background > tuning::TEXTURED * self.pixels
    }

    fn correlation(&self) -> f32 {
        if self.picture > tuning::FLAT { self.both / (self.background * self.picture).sqrt() } else { 0.0 }
    }
}

/// Whether the picture has lost its texture: something is in front of the lens.
pub(super) fn is_covered(background: &[f32], picture: &[u8]) -> bool {
    let before = steepness(|ix| background[ix]);
    let now = steepness(|ix| f32::from(picture[ix]));
    let mut sorted = before;
    sorted.sort_unstable_by(f32::total_cmp);
    let median = sorted[BLOCKS / 2];
    let steep = before.iter().zip(&now).filter(|(before, _)| **before >= median);
    let (lost, left): (Vec<_>, Vec<_>) =
        steep.partition(|(before, now)| **now < tuning::COVERED_TEXTURE * **before);
    lost.len() as f32 >= tuning::COVERED_BLOCKS * (lost.len() + left.len()) as f32
}

/// Mean steepness of each block, grey levels a pixel.
fn steepness(level: impl Fn(usize) -> f32) -> [f32; BLOCKS] {
    let mut sums = [(0.0f32, 0.0f32); BLOCKS];
    for y in (1..H - 1).step_by(2) {
        for x in (1..W - 1).step_by(2) {
            let ix = y * W + x;
            let block = &mut sums[(y / tuning::BLOCK_H) * BLOCKS_IN_A_ROW + x / tuning::BLOCK_W];
            block.0 += (level(ix + 1) - level(ix - 1)).abs() + (level(ix + W) - level(ix - W)).abs();
            block.1 += 4.0;
        }
    }
    sums.map(|(sum, n)| if n > 0.0 { sum / n } else { 0.0 })
}

/// 98th percentile of the grey levels: below it lies all but a lamp or a burnt-in clock.
pub(super) fn brightest(picture: &[u8]) -> u8 {
    let mut histogram = [0usize; 256];
    for &level in picture {
        histogram[usize::from(level)] += 1;
    }
    let mut above = picture.len() / tuning::BRIGHTEST_PART;
    for (level, n) in histogram.iter().enumerate().rev() {
        if *n > above {
            return level as u8;
        }
        above -= n;
    }
    0
}
