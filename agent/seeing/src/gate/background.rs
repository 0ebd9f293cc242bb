//! Background: what each luma pixel is expected to show. A long-term and a short-term level, and the noise between them.
//!
//! The long-term level is the empty street. The short-term level is what has been there for the last moment, with the time
//! since when. A pixel whose short-term level is old and differs from the long-term one has changed and stayed: that is what
//! static regions are made of. Pixels that a region owns are never absorbed: their background waits for their return.
//!
//! Only sums, products and divisions: the same bytes give the same background on every processor.

mod drift;

use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};
use kerbside_domain::time::Mono;

use self::drift::Drift;
use super::illumination::Illumination;
use super::tuning::background as tuning;
use super::tuning::drift::DRIFTED;

/// Pixels of a luma picture.
pub(super) const PIXELS: usize = W * H;

const NEVER: Mono = Mono(u64::MAX);

/// How a pixel is after one frame, as bits.
mod flag {
    /// Differs from the long-term level: grows blobs.
    pub(super) const CHANGED: u8 = 1;
    /// Differs strongly: seeds them.
    pub(super) const STRONG: u8 = 2;
    /// Differs from the moment before.
    pub(super) const MOVING: u8 = 4;
    /// Has shown the same for `still_s`.
    pub(super) const STILL: u8 = 8;
    /// Lies in a zone or its margin.
    pub(super) const WATCHED: u8 = 16;
}

/// What the background takes over where a region ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remains {
    /// Nothing: the background as it waited for the region to go.
    AsBefore,
    /// What is seen there now: the street, lit otherwise or uncovered.
    Street,
    /// What is seen there now: an object that is not reported any more.
    Object,
}

/// All pixels of one camera.
#[derive(Clone, Debug)]
pub(super) struct Background {
    long_term: Vec<f32>,
    short_term: Vec<f32>,
    /// Since when the pixel shows its short-term level.
    still_since: Vec<Mono>,
    /// Frames that agreed with the short-term level, saturating.
    agreeing_frames: Vec<u8>,
    drift: Vec<Drift>,
    /// What the pixel showed after its last large step, grey levels. What it differs from this, it drifted.
    landed: Vec<f32>,
    /// Since when the pixel differs from the long-term level, `NEVER` if it does not.
    changed_since: Vec<Mono>,
    /// Mean deviation from the long-term level while nothing stands there, grey levels.
    noise: Vec<f32>,
    /// Local steepness of the long-term level: where a hair's shift of the camera makes a difference.
    steepness: Vec<f32>,
    /// What a region showed when it was confirmed, on the pixels that it owns.
    object: Vec<f32>,
    /// 0: nobody; otherwise the slot of the owning region + 1.
    owner: Vec<u8>,
    /// Within the outline of a region and not its own: looks like the street, shows the object.
    enclosed: Vec<bool>,
    /// The long-term level is an object that stood too long to be reported any more, not the street.
    holds_object: Vec<bool>,
    flags: Vec<u8>,
}

impl Background {
    pub(super) fn new() -> Self {
        Background {
            long_term: vec![0.0; PIXELS],
            short_term: vec![0.0; PIXELS],
            still_since: vec![Mono::ZERO; PIXELS],
            agreeing_frames: vec![0; PIXELS],
            drift: vec![Drift::default(); PIXELS],
            landed: vec![0.0; PIXELS],
            changed_since: vec![NEVER; PIXELS],
            noise: vec![tuning::FIRST_NOISE; PIXELS],
            steepness: vec![0.0; PIXELS],
            object: vec![0.0; PIXELS],
            owner: vec![0; PIXELS],
            enclosed: vec![false; PIXELS],
            holds_object: vec![false; PIXELS],
            flags: vec![0; PIXELS],
        }
    }

    /// The first background: the median of some frames, so that a passer-by leaves no ghost; their spread is the first noise.
    pub(super) fn learn(&mut self, frames: &[Vec<u8>], at: Mono) {
        *self = Background::new();
        let (least, most) = tuning::FIRST_NOISE_RANGE;
        let mut levels = Vec::with_capacity(frames.len());
        for ix in 0..PIXELS {
            levels.clear();
            levels.extend(frames.iter().map(|frame| frame[ix]));
            levels.sort_unstable();
            let median = f32::from(levels[levels.len() / 2]);
            let spread: f32 = levels.iter().map(|&level| (f32::from(level) - median).abs()).sum();
            self.long_term[ix] = median;
            self.noise[ix] = (spread / levels.len() as f32).clamp(least, most);
            self.short_term[ix] = frames.last().map_or(median, |last| f32::from(last[ix]));
            self.still_since[ix] = at;
            self.landed[ix] = self.short_term[ix];
        }
        self.refresh_steepness();
    }

    // ---- every frame ----

    /// The illumination of the whole picture moved: everything remembered is brought into the light of now.
    pub(super) fn relight(&mut self, illumination: Illumination) {
        let relit = |level: f32| illumination.apply(level).clamp(0.0, 255.0);
        for levels in [&mut self.long_term, &mut self.short_term, &mut self.object, &mut self.landed] {
            for level in levels.iter_mut() {
                *level = relit(*level);
            }
        }
        for drift in &mut self.drift {
            drift.relight(relit);
        }
    }

    /// Compares a frame with both levels. Changes only the short-term level, the flags and the times.
    pub(super) fn classify(&mut self, picture: &[u8], watched: &[bool], at: Mono, dt_s: f32, still_s: f64) {
        let follow = share(dt_s, tuning::SHORT_TERM_TAU_S);
        for ix in 0..PIXELS {
            let level = f32::from(picture[ix]);
            let tolerance = self.tolerance(ix);
            let mut flags = if watched[ix] { flag::WATCHED } else { 0 };
            flags |= self.compare_long_term(ix, level, tolerance, at);
            flags |= self.compare_short_term(ix, level, tolerance, at, follow, still_s);
            self.flags[ix] = flags;
        }
    }

    fn compare_long_term(&mut self, ix: usize, level: f32, tolerance: f32, at: Mono) -> u8 {
        let deviation = (level - self.long_term[ix]).abs();
        if deviation <= tolerance {
            self.changed_since[ix] = NEVER;
            return 0;
        }
        if self.changed_since[ix] == NEVER {
            self.changed_since[ix] = at;
        }
        if deviation > tuning::STRONG * tolerance { flag::CHANGED | flag::STRONG } else { flag::CHANGED }
    }

    fn compare_short_term(
        &mut self,
        ix: usize,
        level: f32,
        tolerance: f32,
        at: Mono,
        follow: f32,
        still_s: f64,
    ) -> u8 {
        self.drift[ix].push(self.short_term[ix], level - self.short_term[ix], at);
        let step = (level - self.short_term[ix]).abs();
        if step > self.still_tolerance(ix) {
            self.landed[ix] = self.drift[ix].origin(level, at).unwrap_or(level);
            self.short_term[ix] = level;
            self.still_since[ix] = at;
            self.agreeing_frames[ix] = 0;
            // Sway within the pixel's own noise is no motion, but it is not still either.
            let moves = step > tolerance.max(tuning::STILL_NOISE * self.noise[ix]);
            return if moves { flag::MOVING } else { 0 };
        }
        self.short_term[ix] += follow * (level - self.short_term[ix]);
        self.agreeing_frames[ix] = self.agreeing_frames[ix].saturating_add(1);
        let still =
            self.agreeing_frames[ix] >= tuning::STILL_FRAMES && at.since_s(self.still_since[ix]) >= still_s;
        if still { flag::STILL } else { 0 }
    }

    /// Lets the background follow the frame. A pixel that a region owns or encloses is left alone: what a parked car's grey
    /// roof would teach there would be a ghost when it has gone.
    pub(super) fn follow(&mut self, picture: &[u8], at: Mono, dt_s: f32) {
        let rates = Rates::of(dt_s);
        for (ix, &level) in picture.iter().enumerate().take(PIXELS) {
            let level = f32::from(level);
            if self.owner[ix] != 0 {
                if (level - self.object[ix]).abs() < tuning::MIN_TOLERANCE {
                    self.object[ix] += rates.object * (level - self.object[ix]);
                }
            } else if !self.enclosed[ix] {
                self.follow_free_pixel(ix, level, at, &rates);
            }
        }
    }

    fn follow_free_pixel(&mut self, ix: usize, level: f32, at: Mono, rates: &Rates) {
        let deviation = (level - self.long_term[ix]).abs();
        if !self.is_changed(ix) {
            self.long_term[ix] += rates.long_term * (level - self.long_term[ix]);
            let rate = if deviation > self.noise[ix] { rates.noise } else { rates.quieter };
            self.noise[ix] += rate * (deviation - self.noise[ix]);
        } else if !self.is_still(ix) {
            self.noise[ix] += rates.sway * (deviation.min(tuning::MAX_SWAY) - self.noise[ix]);
        } else {
            let watched = self.flags[ix] & flag::WATCHED != 0;
            let patience_s = if watched { tuning::ABSORB_S } else { tuning::ABSORB_UNWATCHED_S };
            if at.since_s(self.still_since[ix]) > patience_s {
                self.long_term[ix] = self.short_term[ix];
            }
        }
    }

    /// From time to time: the steepness changes as slowly as the long-term level.
    pub(super) fn refresh_steepness(&mut self) {
        for y in 1..H - 1 {
            for x in 1..W - 1 {
                let ix = y * W + x;
                let (mut low, mut high) = (self.long_term[ix], self.long_term[ix]);
                for n in [ix - W, ix - 1, ix + 1, ix + W] {
                    low = low.min(self.long_term[n]);
                    high = high.max(self.long_term[n]);
                }
                self.steepness[ix] = high - low;
            }
        }
    }

    // ---- taking what is there for background ----

    /// On every pixel that no region owns.
    pub(super) fn absorb_unowned(&mut self) {
        for ix in 0..PIXELS {
            if !self.is_owned(ix) {
                self.absorb(ix);
            }
        }
    }

    /// On every pixel that changed at `since` or later, came to rest, and that no region owns.
    pub(super) fn absorb_changed_since(&mut self, since: Mono) {
        for ix in 0..PIXELS {
            let settled = self.is_changed(ix) && self.is_still(ix);
            if settled && !self.is_owned(ix) && self.changed_since[ix] >= since {
                self.absorb(ix);
            }
        }
    }

    /// On one pixel: from this very frame on it is no change.
    pub(super) fn absorb(&mut self, ix: usize) {
        self.long_term[ix] = self.short_term[ix];
        self.holds_object[ix] = false;
        self.changed_since[ix] = NEVER;
        self.flags[ix] &= !(flag::CHANGED | flag::STRONG);
    }

    // ---- regions ----

    /// The region of `slot` owns these pixels from here on; it looks as they have looked for the last moment.
    pub(super) fn claim(&mut self, pixels: &[u32], slot: usize) {
        for ix in pixels.iter().map(|&ix| ix as usize) {
            self.owner[ix] = slot as u8 + 1;
            self.object[ix] = self.short_term[ix];
        }
    }

    /// The region on these pixels looks as this frame shows it.
    pub(super) fn set_object(&mut self, pixels: &[u32], picture: &[u8]) {
        for ix in pixels.iter().map(|&ix| ix as usize) {
            self.object[ix] = f32::from(picture[ix]);
        }
    }

    /// One pixel leaves its region.
    pub(super) fn disown(&mut self, ix: usize) {
        self.owner[ix] = 0;
    }

    /// A region ends: its pixels are nobody's.
    pub(super) fn release(&mut self, pixels: &[u32], remains: Remains) {
        for ix in pixels.iter().map(|&ix| ix as usize) {
            self.disown(ix);
            if remains != Remains::AsBefore {
                self.absorb(ix);
                self.holds_object[ix] = remains == Remains::Object;
            }
        }
    }

    /// `mark` sets the pixels that lie within regions; all others are not enclosed.
    pub(super) fn set_enclosed(&mut self, mark: impl FnOnce(&mut [bool])) {
        self.enclosed.fill(false);
        mark(&mut self.enclosed);
    }

    // ---- questions about one pixel ----

    /// The long-term level, grey levels.
    pub(super) fn long_term(&self, ix: usize) -> f32 {
        self.long_term[ix]
    }

    /// The short-term level, grey levels.
    pub(super) fn short_term(&self, ix: usize) -> f32 {
        self.short_term[ix]
    }

    /// What the region that owns the pixel looks like, grey levels.
    pub(super) fn object(&self, ix: usize) -> f32 {
        self.object[ix]
    }

    pub(super) fn is_changed(&self, ix: usize) -> bool {
        self.flags[ix] & flag::CHANGED != 0
    }

    pub(super) fn is_strongly_changed(&self, ix: usize) -> bool {
        self.flags[ix] & flag::STRONG != 0
    }

    pub(super) fn is_still(&self, ix: usize) -> bool {
        self.flags[ix] & flag::STILL != 0
    }

    /// Changed, still, in a zone and nobody's: what a region may be made of.
    pub(super) fn is_unclaimed_change(&self, ix: usize) -> bool {
        const CLAIMABLE: u8 = flag::CHANGED | flag::STILL | flag::WATCHED;
        self.owner[ix] == 0 && self.flags[ix] & CLAIMABLE == CLAIMABLE
    }

    pub(super) fn is_watched_motion(&self, ix: usize) -> bool {
        const WATCHED_MOTION: u8 = flag::MOVING | flag::WATCHED;
        self.flags[ix] & WATCHED_MOTION == WATCHED_MOTION
    }

    pub(super) fn is_owned(&self, ix: usize) -> bool {
        self.owner[ix] != 0
    }

    /// The slot of the region that owns it.
    pub(super) fn owner(&self, ix: usize) -> Option<usize> {
        usize::from(self.owner[ix]).checked_sub(1)
    }

    /// The long-term level is an object, not the street.
    pub(super) fn holds_object(&self, ix: usize) -> bool {
        self.holds_object[ix]
    }

    /// Since when the pixel shows its short-term level.
    pub(super) fn still_since(&self, ix: usize) -> Mono {
        self.still_since[ix]
    }

    /// Since when the pixel differs from its long-term level; `at` if it does not.
    pub(super) fn changed_since(&self, ix: usize, at: Mono) -> Mono {
        self.changed_since[ix].min(at)
    }

    /// Whether the frame shows what the region there looked like.
    pub(super) fn shows_object(&self, ix: usize, picture: &[u8]) -> bool {
        let tolerance = self.tolerance(ix).min(tuning::OBJECT_TOLERANCE) * tuning::OBJECT_SLACK;
        (f32::from(picture[ix]) - self.object[ix]).abs() <= tolerance
    }

    /// Whether the frame is nearer to the long-term level than to the region's look.
    pub(super) fn is_nearer_to_street(&self, ix: usize, picture: &[u8]) -> bool {
        let level = f32::from(picture[ix]);
        (level - self.long_term[ix]).abs() < (level - self.object[ix]).abs()
    }

    /// How far the pixel may be from its long-term level, grey levels.
    pub(super) fn tolerance(&self, ix: usize) -> f32 {
        let noise = tuning::MIN_TOLERANCE.max(tuning::TOLERANCE_NOISE * self.noise[ix]);
        (noise + tuning::TOLERANCE_STEEPNESS * self.steepness[ix]).min(tuning::MAX_TOLERANCE)
    }

    /// How far it may be from its short-term level, grey levels.
    fn still_tolerance(&self, ix: usize) -> f32 {
        let noise = tuning::MIN_TOLERANCE.max(tuning::STILL_NOISE * self.noise[ix]);
        (noise + tuning::STILL_STEEPNESS * self.steepness[ix]).min(tuning::MAX_STILL)
    }

    /// Whether the pixel came from its long-term level to what it shows by drifting.
    fn drifted(&self, ix: usize) -> bool {
        let by = (self.short_term[ix] - self.landed[ix]).abs();
        by > tuning::MIN_TOLERANCE && by > DRIFTED * (self.short_term[ix] - self.long_term[ix]).abs()
    }

    // ---- questions about many pixels ----

    /// Share of these pixels that drifted, 0..1.
    pub(super) fn drifted_share(&self, pixels: &[u32]) -> f32 {
        let drifted = pixels.iter().filter(|&&ix| self.drifted(ix as usize)).count();
        drifted as f32 / pixels.len().max(1) as f32
    }

    /// Shares of the picture, 0..1: changed and nobody's; moving.
    pub(super) fn changed_and_moving(&self) -> (f32, f32) {
        let (mut changed, mut moving) = (0u32, 0u32);
        for ix in 0..PIXELS {
            changed += u32::from(!self.is_owned(ix) && self.is_changed(ix));
            moving += u32::from(self.flags[ix] & flag::MOVING != 0);
        }
        (changed as f32 / PIXELS as f32, moving as f32 / PIXELS as f32)
    }

    /// The long-term levels as a picture, for the alignment of frames.
    pub(super) fn levels(&self) -> &[f32] {
        &self.long_term
    }
}

/// How much of one frame each mean takes over.
struct Rates {
    long_term: f32,
    object: f32,
    noise: f32,
    quieter: f32,
    sway: f32,
}

impl Rates {
    fn of(dt_s: f32) -> Self {
        Rates {
            long_term: share(dt_s, tuning::LONG_TERM_TAU_S),
            object: share(dt_s, tuning::OBJECT_TAU_S),
            noise: share(dt_s, tuning::NOISE_TAU_S),
            quieter: share(dt_s, tuning::QUIETER_TAU_S),
            sway: share(dt_s, tuning::SWAY_TAU_S),
        }
    }
}

/// First-order lag without an exponential.
fn share(dt_s: f32, tau_s: f32) -> f32 {
    dt_s / (tau_s + dt_s)
}
