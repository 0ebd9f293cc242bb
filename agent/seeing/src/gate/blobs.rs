//! Blobs: connected pixels that changed and stayed, and what kind of change they are.
//!
//! Knows single looks only; life over looks is in `regions`.

use super::planes::{PIXELS, Planes, bit};
use kerbside_domain::frame::{BBox, LUMA_HEIGHT as H, LUMA_WIDTH as W};

/// A box in luma pixels, upper ends exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PxBox {
    pub(super) x0: usize,
    pub(super) y0: usize,
    pub(super) x1: usize,
    pub(super) y1: usize,
}

impl PxBox {
    pub(super) fn around(pixels: &[u32]) -> Self {
        let mut b = PxBox { x0: W, y0: H, x1: 0, y1: 0 };
        for &ix in pixels {
            let (x, y) = (ix as usize % W, ix as usize / W);
            b = PxBox { x0: b.x0.min(x), y0: b.y0.min(y), x1: b.x1.max(x + 1), y1: b.y1.max(y + 1) };
        }
        b
    }

    pub(super) fn grown(self, by: usize) -> Self {
        PxBox {
            x0: self.x0.saturating_sub(by),
            y0: self.y0.saturating_sub(by),
            x1: (self.x1 + by).min(W),
            y1: (self.y1 + by).min(H),
        }
    }

    pub(super) fn meets(self, other: PxBox) -> bool {
        self.x0 < other.x1 && other.x0 < self.x1 && self.y0 < other.y1 && other.y0 < self.y1
    }

    /// In shares of the picture; `shift` is how far the camera stands off its background, luma px.
    pub(super) fn norm(self, shift: (i32, i32)) -> BBox {
        let (w, h) = (W as f32, H as f32);
        let (dx, dy) = (shift.0 as f32, shift.1 as f32);
        BBox::from_corners(
            (self.x0 as f32 + dx) / w,
            (self.y0 as f32 + dy) / h,
            (self.x1 as f32 + dx) / w,
            (self.y1 as f32 + dy) / h,
        )
        .clamped()
    }

    pub(super) fn pixels(self) -> impl Iterator<Item = usize> {
        (self.y0..self.y1).flat_map(move |y| (self.x0..self.x1).map(move |x| y * W + x))
    }
}

/// Indices of the up to eight neighbours; callers keep off the rim.
pub(super) fn neighbours(ix: usize) -> [usize; 8] {
    [ix - W - 1, ix - W, ix - W + 1, ix - 1, ix + 1, ix + W - 1, ix + W, ix + W + 1]
}

pub(super) fn on_rim(ix: usize) -> bool {
    let (x, y) = (ix % W, ix / W);
    x == 0 || y == 0 || x == W - 1 || y == H - 1
}

/// Work space, kept over looks so that nothing is allocated per look.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    label: Vec<u16>,
    candidate: Vec<bool>,
    stack: Vec<u32>,
}

impl Finder {
    pub(super) fn new() -> Self {
        Finder { label: vec![0; PIXELS], candidate: vec![false; PIXELS], stack: Vec::new() }
    }

    /// Blobs of watched, unowned pixels that changed and stayed, at least `min_px` large, with a strong core.
    /// Gaps of one pixel do not part a blob. In reading order of their first pixel.
    pub(super) fn find(&mut self, planes: &Planes, min_px: usize) -> Vec<Vec<u32>> {
        self.mark(planes);
        self.label.fill(0);
        let mut blobs = Vec::new();
        for seed in 0..PIXELS {
            if !self.candidate[seed] || self.label[seed] != 0 {
                continue;
            }
            let mut pixels = self.flood(seed);
            let strong = pixels.iter().filter(|&&ix| planes.is(ix as usize, bit::STRONG)).count();
            if pixels.len() >= min_px && strong * 4 >= pixels.len() {
                pixels.sort_unstable();
                blobs.push(pixels);
            }
        }
        blobs
    }

    /// Single pixels and hairlines are noise or a half-pixel shift: a candidate needs three candidates around it.
    fn mark(&mut self, planes: &Planes) {
        const WANTED: u8 = bit::WEAK | bit::STILL | bit::WATCHED;
        let raw = |ix: usize| planes.owner[ix] == 0 && planes.is(ix, WANTED);
        self.candidate.fill(false);
        for y in 1..H - 1 {
            for x in 1..W - 1 {
                let ix = y * W + x;
                self.candidate[ix] = raw(ix) && neighbours(ix).into_iter().filter(|&n| raw(n)).count() >= 3;
            }
        }
    }

    fn flood(&mut self, seed: usize) -> Vec<u32> {
        let mut pixels = Vec::new();
        self.stack.clear();
        self.stack.push(seed as u32);
        self.label[seed] = 1;
        while let Some(ix) = self.stack.pop() {
            pixels.push(ix);
            let (x, y) = (ix as usize % W, ix as usize / W);
            for yy in y.saturating_sub(2)..=(y + 2).min(H - 1) {
                for xx in x.saturating_sub(2)..=(x + 2).min(W - 1) {
                    let n = yy * W + xx;
                    if self.candidate[n] && self.label[n] == 0 {
                        self.label[n] = 1;
                        self.stack.push(n as u32);
                    }
                }
            }
        }
        pixels
    }
}

/// Marks the pixels that lie between given ones both in their row and in their column, those included.
pub(super) fn enclose(pixels: impl Iterator<Item = u32>, marks: &mut [bool]) {
    let (mut rows, mut columns) = ([(usize::MAX, 0); H], [(usize::MAX, 0); W]);
    for ix in pixels {
        let (x, y) = (ix as usize % W, ix as usize / W);
        rows[y] = (rows[y].0.min(x), rows[y].1.max(x));
        columns[x] = (columns[x].0.min(y), columns[x].1.max(y));
    }
    for (y, &(from, to)) in rows.iter().enumerate() {
        for x in from..=to {
            marks[y * W + x] |= (columns[x].0..=columns[x].1).contains(&y);
        }
    }
}

/// How the pixels around a blob are: a share of those just outside, 0..1.
pub(super) fn rim_share(pixels: &[u32], inside: impl Fn(usize) -> bool, has: impl Fn(usize) -> bool) -> f32 {
    let (mut n, mut hits) = (0u32, 0u32);
    for &ix in pixels {
        let ix = ix as usize;
        if on_rim(ix) {
            continue;
        }
        for out in neighbours(ix) {
            if !inside(out) {
                n += 1;
                hits += u32::from(has(out));
            }
        }
    }
    if n > 0 { hits as f32 / n as f32 } else { 0.0 }
}

/// Whether the thing is in the picture or only in the background: its outline is steeper where it is.
/// Compared along the blob's rim, in grey levels between a pixel inside and the second pixel outside.
pub(super) fn outline_is_in_background(pixels: &[u32], planes: &Planes) -> bool {
    let (mut appeared, mut removed) = (0u32, 0u32);
    let member = |ix: usize| pixels.binary_search(&(ix as u32)).is_ok();
    for &ix in pixels {
        let ix = ix as usize;
        let (x, y) = (ix % W, ix / W);
        if x < 2 || y < 2 || x >= W - 2 || y >= H - 2 {
            continue;
        }
        for (near, far) in [(ix - W, ix - 2 * W), (ix - 1, ix - 2), (ix + 1, ix + 2), (ix + W, ix + 2 * W)] {
            if !member(near) && !member(far) {
                let now = (planes.fast[ix] - planes.fast[far]).abs();
                let before = (planes.slow[ix] - planes.slow[far]).abs();
                // Votes, not sums: one strong line of the background that runs behind must not decide.
                appeared += u32::from(now > before + 6.0);
                removed += u32::from(before > now + 6.0);
            }
        }
    }
    // To call a thing a ghost costs its report: only when it is plain.
    removed > 2 * appeared
}

/// Mean step from a blob's rim, as `inside` has it, to the ground two pixels out, grey levels.
pub(super) fn outline(pixels: &[u32], inside: &[f32], ground: &[f32]) -> f32 {
    let (mut sum, mut n) = (0.0f32, 0.0f32);
    let member = |ix: usize| pixels.binary_search(&(ix as u32)).is_ok();
    for &ix in pixels {
        let ix = ix as usize;
        let (x, y) = (ix % W, ix / W);
        if x < 2 || y < 2 || x >= W - 2 || y >= H - 2 {
            continue;
        }
        for (near, far) in [(ix - W, ix - 2 * W), (ix - 1, ix - 2), (ix + 1, ix + 2), (ix + W, ix + 2 * W)] {
            if !member(near) && !member(far) {
                sum += (inside[ix] - ground[far]).abs();
                n += 1.0;
            }
        }
    }
    if n > 0.0 { sum / n } else { 0.0 }
}

/// Light on the same ground: the picture is the background times one factor, its texture kept.
/// Where ground and blob are too flat or too small to tell, it is called a thing; `enough`: pixels inside it, and few must agree well.
pub(super) fn is_light_only(
    pixels: &[u32],
    inside: impl Fn(usize) -> bool,
    planes: &Planes,
    enough: f32,
) -> bool {
    let (mut ab, mut aa, mut bb, mut n) = (0.0f32, 0.0f32, 0.0f32, 0.0f32);
    let (mut ratio, mut ratio2) = (0.0f32, 0.0f32);
    for &ix in pixels {
        let ix = ix as usize;
        if on_rim(ix) || neighbours(ix).into_iter().any(|o| !inside(o)) {
            continue;
        }
        let (a, b) = (detail(&planes.slow, ix), detail(&planes.fast, ix));
        ab += a * b;
        aa += a * a;
        bb += b * b;
        let r = planes.fast[ix] / planes.slow[ix].max(4.0);
        ratio += r;
        ratio2 += r * r;
        n += 1.0;
    }
    if n < enough {
        return false;
    }
    let mean = ratio / n;
    let spread = (ratio2 / n - mean * mean).max(0.0).sqrt();
    let plausible = (0.3..0.95).contains(&mean) || (1.05..2.5).contains(&mean);
    // Below one grey level of detail the ground has no texture that a camera would keep.
    let textured = (aa / n).sqrt() > 1.0 && (bb / n).sqrt() > 0.5;
    let alike = if n < 14.0 { 0.85 } else { 0.7 };
    plausible && textured && spread < 0.16 * mean && ab > alike * (aa * bb).sqrt()
}

/// A pixel less the mean of its neighbours.
fn detail(plane: &[f32], ix: usize) -> f32 {
    plane[ix] - neighbours(ix).into_iter().map(|n| plane[n]).sum::<f32>() / 8.0
}
