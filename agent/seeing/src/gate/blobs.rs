//! Blobs: connected pixels that changed and stayed, in one frame, and what kind of change they are.
//!
//! Knows single frames only; life over frames is in `region`.

use super::background::{Background, PIXELS};
use super::grid::{around, neighbours, on_rim, outline};
use super::tuning::{blobs as tuning, light};
use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};

/// Finds blobs. Its work space is used again in every frame, so that nothing is allocated for it.
#[derive(Clone, Debug)]
pub(super) struct BlobFinder {
    visited: Vec<bool>,
    eligible: Vec<bool>,
    stack: Vec<u32>,
}

impl BlobFinder {
    pub(super) fn new() -> Self {
        BlobFinder { visited: vec![false; PIXELS], eligible: vec![false; PIXELS], stack: Vec::new() }
    }

    /// Blobs of unclaimed changes, at least `min_px` large and with a strong core; each ascending. In reading order of
    /// their first pixel. Gaps of one pixel do not part a blob.
    pub(super) fn find(&mut self, background: &Background, min_px: usize) -> Vec<Vec<u32>> {
        self.mark_eligible(background);
        self.visited.fill(false);
        let mut blobs = Vec::new();
        for seed in 0..PIXELS {
            if !self.eligible[seed] || self.visited[seed] {
                continue;
            }
            let mut pixels = self.flood(seed);
            let strong = pixels.iter().filter(|&&ix| background.is_strongly_changed(ix as usize)).count();
            if pixels.len() >= min_px && strong as f32 >= tuning::STRONG_SHARE * pixels.len() as f32 {
                pixels.sort_unstable();
                blobs.push(pixels);
            }
        }
        blobs
    }

    fn mark_eligible(&mut self, background: &Background) {
        let changed = |ix: usize| background.is_unclaimed_change(ix);
        self.eligible.fill(false);
        for y in 1..H - 1 {
            for x in 1..W - 1 {
                let ix = y * W + x;
                self.eligible[ix] = changed(ix)
                    && neighbours(ix).into_iter().filter(|&n| changed(n)).count() >= tuning::MIN_NEIGHBOURS;
            }
        }
    }

    fn flood(&mut self, seed: usize) -> Vec<u32> {
        let mut pixels = Vec::new();
        self.stack.clear();
        self.stack.push(seed as u32);
        self.visited[seed] = true;
        while let Some(ix) = self.stack.pop() {
            pixels.push(ix);
            for n in around(ix as usize, tuning::JOIN_DISTANCE) {
                if self.eligible[n] && !self.visited[n] {
                    self.visited[n] = true;
                    self.stack.push(n as u32);
                }
            }
        }
        pixels
    }
}

/// Of the pixels just outside a blob, the share for which `has` holds, 0..1.
pub(super) fn surrounding_share(
    pixels: &[u32],
    inside: impl Fn(usize) -> bool,
    has: impl Fn(usize) -> bool,
) -> f32 {
    let (mut n, mut hits) = (0u32, 0u32);
    for ix in pixels.iter().map(|&ix| ix as usize).filter(|&ix| !on_rim(ix)) {
        for outside in neighbours(ix).into_iter().filter(|&n| !inside(n)) {
            n += 1;
            hits += u32::from(has(outside));
        }
    }
    if n > 0 { hits as f32 / n as f32 } else { 0.0 }
}

/// Whether the object is in the background and no longer in the picture: its outline is steeper where it is. Votes of the
/// outline's pixels, not sums: one strong line of the background that runs behind must not decide.
pub(super) fn is_removal(pixels: &[u32], background: &Background) -> bool {
    let (mut appeared, mut removed) = (0u32, 0u32);
    for (inside, outside) in outline(pixels) {
        let now = (background.short_term(inside) - background.short_term(outside)).abs();
        let before = (background.long_term(inside) - background.long_term(outside)).abs();
        appeared += u32::from(now > before + tuning::OUTLINE_STEP);
        removed += u32::from(before > now + tuning::OUTLINE_STEP);
    }
    removed > tuning::REMOVAL_MAJORITY * appeared
}

/// Mean step from the levels `inside` a blob, along its rim, to the levels of the ground two pixels out, grey levels.
pub(super) fn outline_strength(
    pixels: &[u32],
    inside: impl Fn(usize) -> f32,
    ground: impl Fn(usize) -> f32,
) -> f32 {
    let (mut sum, mut n) = (0.0f32, 0.0f32);
    for (rim, outside) in outline(pixels) {
        sum += (inside(rim) - ground(outside)).abs();
        n += 1.0;
    }
    if n > 0.0 { sum / n } else { 0.0 }
}

/// Light on the same ground: the picture is the background times one factor, its texture kept. Where the ground is too flat
/// or fewer than `enough` inner pixels tell it, it is called an object.
pub(super) fn is_light_only(
    pixels: &[u32],
    inside: impl Fn(usize) -> bool,
    background: &Background,
    enough: f32,
) -> bool {
    let (mut ab, mut aa, mut bb, mut n) = (0.0f32, 0.0f32, 0.0f32, 0.0f32);
    let (mut sum, mut squares) = (0.0f32, 0.0f32);
    for ix in pixels.iter().map(|&ix| ix as usize) {
        if on_rim(ix) || neighbours(ix).into_iter().any(|n| !inside(n)) {
            continue;
        }
        let a = detail(|ix| background.long_term(ix), ix);
        let b = detail(|ix| background.short_term(ix), ix);
        ab += a * b;
        aa += a * a;
        bb += b * b;
        let factor = background.short_term(ix) / background.long_term(ix).max(light::DARKEST);
        sum += factor;
        squares += factor * factor;
        n += 1.0;
    }
    if n < enough {
        return false;
    }
    let mean = sum / n;
    let spread = (squares / n - mean * mean).max(0.0).sqrt();
    let plausible = light::SHADE.contains(&mean) || light::SHINE.contains(&mean);
    let textured = (aa / n).sqrt() > light::GROUND_DETAIL && (bb / n).sqrt() > light::BLOB_DETAIL;
    let alike = if n < light::ENOUGH_AT_ONCE { light::ALIKE_FEW } else { light::ALIKE_MANY };
    plausible && textured && spread < light::MAX_SPREAD * mean && ab > alike * (aa * bb).sqrt()
}

/// A pixel less the mean of its neighbours.
fn detail(level: impl Fn(usize) -> f32, ix: usize) -> f32 {
    level(ix) - neighbours(ix).into_iter().map(&level).sum::<f32>() / 8.0
}

/// Share of the picture that moves in watched places, codec specks left out, 0..1.
pub(super) fn motion(background: &Background) -> f32 {
    let moves = |ix: usize| background.is_watched_motion(ix);
    let among_others = |ix: usize| {
        let moving = neighbours(ix).into_iter().filter(|&n| moves(n)).count();
        moving >= tuning::MOTION_NEIGHBOURS
    };
    let n = (0..PIXELS).filter(|&ix| moves(ix) && !on_rim(ix) && among_others(ix)).count() as f32;
    if n < tuning::MIN_MOTION_PX { 0.0 } else { n / PIXELS as f32 }
}
