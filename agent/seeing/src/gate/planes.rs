//! Planes: what each luma pixel is expected to show. Two backgrounds (slow and fast) and the noise between them.
//!
//! Slow is the empty street. Fast is what has been there for the last moment, with the time since when. A pixel whose
//! fast value is old and differs from the slow one has changed and stayed: the stuff that static regions are made of.
//! Only divisions, no transcendental functions: the same bytes give the same planes on every processor.

use super::light::Light;
use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};
use kerbside_domain::time::Mono;

pub(super) const PIXELS: usize = W * H;

/// How the pixels are after one look.
pub(super) mod bit {
    /// Differs from the slow background, weakly (grows blobs) and strongly (seeds them).
    pub(in super::super) const WEAK: u8 = 1;
    pub(in super::super) const STRONG: u8 = 2;
    /// Differs from the moment before.
    pub(in super::super) const MOVING: u8 = 4;
    /// Has shown the same for `still_s`.
    pub(in super::super) const STILL: u8 = 8;
    pub(in super::super) const WATCHED: u8 = 16;
}

/// Grey levels below which nothing is called a change.
const LEAST: f32 = 7.0;
/// A swaying tree raises its threshold this far, not further: what stands still in front of it must still show.
const MOST: f32 = 38.0;
const NEVER: Mono = Mono(u64::MAX);

const SLOW_TAU_S: f32 = 25.0;
const FAST_TAU_S: f32 = 0.8;
const HELD_TAU_S: f32 = 20.0;
const NOISE_TAU_S: f32 = 12.0;
/// A leaf is where it belongs half of the time: that must not undo what it taught.
const QUIETER_TAU_S: f32 = 60.0;
/// Sway is learnt slower than noise, so that a passer-by leaves no blind trail.
const SWAY_TAU_S: f32 = 45.0;
/// Something changed and still that never became a region (too small, a shadow, outside every zone).
const ABSORB_S: f64 = 25.0;
/// Nothing that is put down comes in so many small steps the same way, over so long: light does, and water.
const CREEP_LOOKS: u8 = 4;
const CREEP_S: f64 = 1.4;
/// A step against the run ends it if it is longer than this, grey levels; shorter ones are noise.
const CREEP_NOISE: f32 = 1.0;
/// And none of them is this share of the whole way.
const CREEP_STROKE: f32 = 0.5;
/// Of what a pixel differs from its background, so much must have crept.
const CREPT_SHARE: f32 = 0.6;

#[derive(Clone, Debug)]
pub(super) struct Planes {
    pub(super) slow: Vec<f32>,
    pub(super) fast: Vec<f32>,
    /// Since when the pixel shows its fast value.
    pub(super) fast_since: Vec<Mono>,
    /// Looks that agreed with the fast value, saturating.
    agreed: Vec<u8>,
    /// The last steps that all went one way.
    runs: Vec<Run>,
    /// What the pixel showed after it last changed at a stroke, grey levels. What it differs from now, it crept.
    landed: Vec<f32>,
    /// Since when the pixel differs from the slow background, `NEVER` if it does not.
    changed_since: Vec<Mono>,
    /// Mean deviation from the slow background while nothing stands there, grey levels.
    noise: Vec<f32>,
    /// Local steepness of the slow background: where a hair's shift of the camera makes a difference.
    steep: Vec<f32>,
    /// What a region showed when it was confirmed, on the pixels it owns.
    pub(super) held: Vec<f32>,
    /// 0: nobody; otherwise slot of the owning region + 1.
    pub(super) owner: Vec<u8>,
    /// Within the outline of a region and not its own: looks like the street, shows the thing.
    pub(super) enclosed: Vec<bool>,
    /// Its background is a thing that stood too long to be told any more, not the street.
    pub(super) thing: Vec<bool>,
    pub(super) bits: Vec<u8>,
}

/// Steps of one pixel in one direction, look by look.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    since: Mono,
    /// What it showed before, grey levels.
    from: f32,
    /// The longest, grey levels.
    longest: f32,
    /// How many; with the sign of their direction.
    looks: i8,
}

impl Run {
    /// One look further: `step` from `before`, the remembered value.
    fn step(&mut self, before: f32, step: f32, at: Mono) {
        if step * f32::from(self.looks) > 0.0 {
            self.looks = self.looks.saturating_add(if step > 0.0 { 1 } else { -1 });
            self.longest = self.longest.max(step.abs());
        } else if step.abs() > CREEP_NOISE {
            *self =
                Run { since: at, from: before, longest: step.abs(), looks: if step > 0.0 { 1 } else { -1 } };
        }
    }

    /// Whether it came to `now` without a stroke.
    fn is_creep(&self, now: f32, at: Mono) -> bool {
        self.looks.unsigned_abs() >= CREEP_LOOKS
            && at.since_s(self.since) >= CREEP_S
            && self.longest < CREEP_STROKE * (now - self.from).abs()
    }
}

impl Planes {
    pub(super) fn new() -> Self {
        Planes {
            slow: vec![0.0; PIXELS],
            fast: vec![0.0; PIXELS],
            fast_since: vec![Mono::ZERO; PIXELS],
            agreed: vec![0; PIXELS],
            runs: vec![Run::default(); PIXELS],
            landed: vec![0.0; PIXELS],
            changed_since: vec![NEVER; PIXELS],
            noise: vec![2.0; PIXELS],
            steep: vec![0.0; PIXELS],
            held: vec![0.0; PIXELS],
            owner: vec![0; PIXELS],
            enclosed: vec![false; PIXELS],
            thing: vec![false; PIXELS],
            bits: vec![0; PIXELS],
        }
    }

    /// First background: the median of some looks, so that a passer-by leaves no ghost; their spread is the first noise.
    pub(super) fn learn(&mut self, looks: &[Vec<u8>], at: Mono) {
        *self = Planes::new();
        let mut column = Vec::with_capacity(looks.len());
        for ix in 0..PIXELS {
            column.clear();
            column.extend(looks.iter().map(|l| l[ix]));
            column.sort_unstable();
            let median = f32::from(column[column.len() / 2]);
            let spread: f32 = column.iter().map(|&v| (f32::from(v) - median).abs()).sum();
            self.slow[ix] = median;
            self.noise[ix] = (spread / column.len() as f32).clamp(1.0, 20.0);
            self.fast[ix] = looks.last().map_or(median, |l| f32::from(l[ix]));
            self.fast_since[ix] = at;
            self.landed[ix] = self.fast[ix];
        }
        self.refresh_steepness();
    }

    /// How far a pixel may be from its background, grey levels.
    pub(super) fn tolerance(&self, ix: usize) -> f32 {
        (LEAST.max(3.5 * self.noise[ix]) + 0.25 * self.steep[ix]).min(MOST)
    }

    /// How far it may be from its own last value.
    fn stillness(&self, ix: usize) -> f32 {
        (LEAST.max(3.0 * self.noise[ix]) + 0.15 * self.steep[ix]).min(14.0)
    }

    /// The global light moved: bring everything remembered into the light of now.
    pub(super) fn relight(&mut self, light: Light) {
        let Light { gain, offset, .. } = light;
        for plane in [&mut self.slow, &mut self.fast, &mut self.held, &mut self.landed] {
            for v in plane.iter_mut() {
                *v = (gain * *v + offset).clamp(0.0, 255.0);
            }
        }
        for run in &mut self.runs {
            run.from = (gain * run.from + offset).clamp(0.0, 255.0);
        }
    }

    /// Compares a look with the backgrounds; changes only the fast one and the time stamps.
    pub(super) fn classify(&mut self, picture: &[u8], watched: &[bool], at: Mono, dt_s: f32, still_s: f64) {
        let fast_share = dt_s / (FAST_TAU_S + dt_s);
        for ix in 0..PIXELS {
            let p = f32::from(picture[ix]);
            let deviation = (p - self.slow[ix]).abs();
            let tolerance = self.tolerance(ix);
            let mut bits = if watched[ix] { bit::WATCHED } else { 0 };
            if deviation > tolerance {
                bits |= bit::WEAK;
                if deviation > 1.6 * tolerance {
                    bits |= bit::STRONG;
                }
                if self.changed_since[ix] == NEVER {
                    self.changed_since[ix] = at;
                }
            } else {
                self.changed_since[ix] = NEVER;
            }
            self.runs[ix].step(self.fast[ix], p - self.fast[ix], at);
            let step = (p - self.fast[ix]).abs();
            if step > self.stillness(ix) {
                self.landed[ix] = if self.runs[ix].is_creep(p, at) { self.runs[ix].from } else { p };
                // Sway within the pixel's own noise is no motion, but it is not still either.
                if step > tolerance.max(3.0 * self.noise[ix]) {
                    bits |= bit::MOVING;
                }
                self.fast[ix] = p;
                self.fast_since[ix] = at;
                self.agreed[ix] = 0;
            } else {
                self.fast[ix] += fast_share * (p - self.fast[ix]);
                self.agreed[ix] = self.agreed[ix].saturating_add(1);
                if self.agreed[ix] >= 2 && at.since_s(self.fast_since[ix]) >= still_s {
                    bits |= bit::STILL;
                }
            }
            self.bits[ix] = bits;
        }
    }

    /// Lets the backgrounds follow. A pixel that a region owns is never absorbed: its background waits for its return. So
    /// does one within a region: what a parked car's grey roof teaches there would be a ghost when it has gone.
    pub(super) fn follow(&mut self, picture: &[u8], at: Mono, dt_s: f32) {
        let slow = dt_s / (SLOW_TAU_S + dt_s);
        let held = dt_s / (HELD_TAU_S + dt_s);
        let share = |tau_s: f32| dt_s / (tau_s + dt_s);
        let (calm, quieter, sway) = (share(NOISE_TAU_S), share(QUIETER_TAU_S), share(SWAY_TAU_S));
        for (ix, &p) in picture.iter().enumerate().take(PIXELS) {
            let p = f32::from(p);
            if self.owner[ix] != 0 {
                if (p - self.held[ix]).abs() < LEAST {
                    self.held[ix] += held * (p - self.held[ix]);
                }
                continue;
            }
            if self.enclosed[ix] {
                continue;
            }
            let deviation = (p - self.slow[ix]).abs();
            let bits = self.bits[ix];
            if bits & bit::WEAK == 0 {
                self.slow[ix] += slow * (p - self.slow[ix]);
                let rate = if deviation > self.noise[ix] { calm } else { quieter };
                self.noise[ix] += rate * (deviation - self.noise[ix]);
            } else if bits & bit::STILL == 0 {
                self.noise[ix] += sway * (deviation.min(60.0) - self.noise[ix]);
            } else {
                let patience = if bits & bit::WATCHED == 0 { 5.0 } else { ABSORB_S };
                if at.since_s(self.fast_since[ix]) > patience {
                    self.slow[ix] = self.fast[ix];
                }
            }
        }
    }

    /// Whether the pixel came from its background to what it shows by creeping, as the shade of a cloud or of a tree does.
    fn crept(&self, ix: usize) -> bool {
        let by = (self.fast[ix] - self.landed[ix]).abs();
        by > LEAST && by > CREPT_SHARE * (self.fast[ix] - self.slow[ix]).abs()
    }

    /// Share of these pixels that crept, 0..1.
    pub(super) fn crept_share(&self, pixels: &[u32]) -> f32 {
        let crept = pixels.iter().filter(|&&ix| self.crept(ix as usize)).count();
        crept as f32 / pixels.len().max(1) as f32
    }

    /// Takes what is there now for background, on pixels that nobody owns.
    pub(super) fn absorb_unowned(&mut self) {
        for ix in 0..PIXELS {
            if self.owner[ix] == 0 {
                self.absorb(ix);
            }
        }
    }

    /// Takes for background what changed at `since` or later, came to rest, and belongs to nobody.
    pub(super) fn absorb_changed_since(&mut self, since: Mono) {
        for ix in 0..PIXELS {
            let settled = self.bits[ix] & (bit::WEAK | bit::STILL) == bit::WEAK | bit::STILL;
            if settled && self.owner[ix] == 0 && self.changed_since[ix] >= since {
                self.absorb(ix);
            }
        }
    }

    /// Takes what is there for background: from this very look on it is no change.
    pub(super) fn absorb(&mut self, ix: usize) {
        self.slow[ix] = self.fast[ix];
        self.thing[ix] = false;
        self.changed_since[ix] = NEVER;
        self.bits[ix] &= !(bit::WEAK | bit::STRONG);
    }

    pub(super) fn refresh_steepness(&mut self) {
        for y in 1..H - 1 {
            for x in 1..W - 1 {
                let ix = y * W + x;
                let (mut low, mut high) = (self.slow[ix], self.slow[ix]);
                for n in [ix - W, ix - 1, ix + 1, ix + W] {
                    low = low.min(self.slow[n]);
                    high = high.max(self.slow[n]);
                }
                self.steep[ix] = high - low;
            }
        }
    }

    /// Since when the pixel has not been its background; now if it is.
    pub(super) fn changed_since(&self, ix: usize, at: Mono) -> Mono {
        self.changed_since[ix].min(at)
    }

    pub(super) fn is(&self, ix: usize, bits: u8) -> bool {
        self.bits[ix] & bits == bits
    }

    /// Whether the picture shows at `ix` what the region there looked like.
    pub(super) fn shows_held(&self, ix: usize, picture: &[u8]) -> bool {
        (f32::from(picture[ix]) - self.held[ix]).abs() <= self.tolerance(ix).min(20.0) * 1.3
    }

    pub(super) fn closer_to_background(&self, ix: usize, picture: &[u8]) -> bool {
        let p = f32::from(picture[ix]);
        (p - self.slow[ix]).abs() < (p - self.held[ix]).abs()
    }

    /// Share of all sampled pixels that are changed and unowned, 0..1, and share that moves.
    pub(super) fn shares(&self) -> (f32, f32) {
        let (mut changed, mut moving) = (0u32, 0u32);
        for ix in 0..PIXELS {
            changed += u32::from(self.owner[ix] == 0 && self.bits[ix] & bit::WEAK != 0);
            moving += u32::from(self.bits[ix] & bit::MOVING != 0);
        }
        (changed as f32 / PIXELS as f32, moving as f32 / PIXELS as f32)
    }
}
