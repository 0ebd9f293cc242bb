//! View: does the picture still show the same place? Structure is compared by gradients, which light hardly changes.

use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};

/// Where the picture fits the background best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// The picture shows at `(x + dx, y + dy)` what the background has at `(x, y)`, luma px.
    pub(super) dx: i32,
    pub(super) dy: i32,
    /// Correlation of the gradients there and without a shift, -1..1.
    pub(super) best: f32,
    pub(super) unshifted: f32,
}

/// A camera that hangs sends one picture again and again; what reaches us differs by the codec's rounding, a little at each
/// key frame. Measured (x264, 160x90 luma): 0.02 grey levels in the mean and 2 at most, against 0.8 and 5 between two
/// pictures of an empty street by day, 1.3 and 7 by night.
const SAME_MEAN: f32 = 0.05;
const SAME_MOST: u8 = 3;

/// Whether two pictures are one and the same, noise included.
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
    most <= SAME_MOST && sum as f32 <= SAME_MEAN * a.len() as f32
}

/// Searches shifts up to `reach` px each way.
pub(super) fn fit(background: &[f32], picture: &[u8], reach: i32) -> Fit {
    let unshifted = correlation(background, picture, 0, 0);
    let mut fit = Fit { dx: 0, dy: 0, best: unshifted, unshifted };
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let c = correlation(background, picture, dx, dy);
            if c > fit.best {
                fit = Fit { dx, dy, best: c, unshifted };
            }
        }
    }
    fit
}

/// How alike two pictures are in their structure, block by block, so that a burnt-in clock, which is all that is left
/// of a covered picture, speaks for its corner only. -1..1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Likeness {
    /// Over the blocks in which the background has texture.
    pub(super) mean: f32,
    /// What at least half of them have: a picture that is half covered is not half alike.
    pub(super) median: f32,
}

const BLOCK_W: usize = 20;
const BLOCK_H: usize = 15;
const BLOCKS: usize = (W / BLOCK_W) * (H / BLOCK_H);
/// Mean squared gradient of the background from which a block has texture: sensor noise alone has about 4.
const TEXTURED: f32 = 6.0;

/// Mean correlation over the blocks.
pub(super) fn correlation(background: &[f32], picture: &[u8], dx: i32, dy: i32) -> f32 {
    likeness(background, picture, dx, dy).mean
}

/// Normalised correlation of the gradient fields in each block, on every second pixel.
pub(super) fn likeness(background: &[f32], picture: &[u8], dx: i32, dy: i32) -> Likeness {
    // Per block: ab, aa, bb and how many pixels.
    let mut sums = [[0.0f32; 4]; BLOCKS];
    let margin = 2 + dx.abs().max(dy.abs());
    for y in (margin..H as i32 - margin).step_by(2) {
        let row = (y as usize / BLOCK_H) * (W / BLOCK_W);
        for x in (margin..W as i32 - margin).step_by(2) {
            let b = (y as usize) * W + x as usize;
            let p = ((y + dy) as usize) * W + (x + dx) as usize;
            let (ax, ay) = (background[b + 1] - background[b - 1], background[b + W] - background[b - W]);
            let px = f32::from(picture[p + 1]) - f32::from(picture[p - 1]);
            let py = f32::from(picture[p + W]) - f32::from(picture[p - W]);
            let block = &mut sums[row + x as usize / BLOCK_W];
            block[0] += ax * px + ay * py;
            block[1] += ax * ax + ay * ay;
            block[2] += px * px + py * py;
            block[3] += 1.0;
        }
    }
    let textured = sums.iter().filter(|[_, aa, _, n]| *n > 0.0 && *aa > TEXTURED * n);
    let mut each: Vec<f32> =
        textured.map(|[ab, aa, bb, _]| if *bb > 1.0 { ab / (aa * bb).sqrt() } else { 0.0 }).collect();
    if each.is_empty() {
        return Likeness::default();
    }
    each.sort_unstable_by(f32::total_cmp);
    Likeness { mean: each.iter().sum::<f32>() / each.len() as f32, median: each[each.len() / 2] }
}

/// Share of a block's steepness that is left when something is before the lens.
const COVERED_TEXTURE: f32 = 0.3;
/// Share of the background's steeper half of blocks that must have lost theirs: a burnt-in clock keeps its corner.
const COVERED_SHARE: f32 = 0.7;

/// Whether the picture has lost its texture: something is in front of the lens.
pub(super) fn is_covered(background: &[f32], picture: &[u8]) -> bool {
    let before = steepness(|ix| background[ix]);
    let now = steepness(|ix| f32::from(picture[ix]));
    let mut sorted = before;
    sorted.sort_unstable_by(f32::total_cmp);
    let usual = sorted[BLOCKS / 2];
    let steep = before.iter().zip(&now).filter(|(before, _)| **before >= usual);
    let (lost, kept): (Vec<_>, Vec<_>) = steep.partition(|(before, now)| **now < COVERED_TEXTURE * **before);
    lost.len() as f32 >= COVERED_SHARE * (lost.len() + kept.len()) as f32
}

/// Mean steepness of each block, grey levels a pixel.
fn steepness(at: impl Fn(usize) -> f32) -> [f32; BLOCKS] {
    let mut sums = [(0.0f32, 0.0f32); BLOCKS];
    for y in (1..H - 1).step_by(2) {
        for x in (1..W - 1).step_by(2) {
            let ix = y * W + x;
            let block = &mut sums[(y / BLOCK_H) * (W / BLOCK_W) + x / BLOCK_W];
            block.0 += (at(ix + 1) - at(ix - 1)).abs() + (at(ix + W) - at(ix - W)).abs();
            block.1 += 4.0;
        }
    }
    sums.map(|(sum, n)| if n > 0.0 { sum / n } else { 0.0 })
}

/// 98th percentile of the grey levels: below it lies all but a lamp or a burnt-in clock.
pub(super) fn brightest(picture: &[u8]) -> u8 {
    let mut histogram = [0usize; 256];
    for &p in picture {
        histogram[usize::from(p)] += 1;
    }
    let mut above = picture.len() / 50;
    for (level, n) in histogram.iter().enumerate().rev() {
        if *n > above {
            return level as u8;
        }
        above -= n;
    }
    0
}

/// The picture moved back by `(dx, dy)`; what came from outside repeats the edge.
pub(super) fn shifted(picture: &[u8], dx: i32, dy: i32, out: &mut Vec<u8>) {
    out.clear();
    if dx == 0 && dy == 0 {
        out.extend_from_slice(picture);
        return;
    }
    for y in 0..H as i32 {
        let row = ((y + dy).clamp(0, H as i32 - 1) as usize) * W;
        out.extend((0..W as i32).map(|x| picture[row + (x + dx).clamp(0, W as i32 - 1) as usize]));
    }
}
