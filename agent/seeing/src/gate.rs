//! Gate: is there anything worth looking at, and what has changed and then stayed?
//!
//! Motion on small luma with its own noise floor, rejection of global changes, static-change regions from two
//! backgrounds (fast and slow). Pure: no clock, no library types. One `Gate` per camera, on the camera's thread.

//! It must not know what a thing is: regions are pixels, boxes and times.

mod blobs;
mod config;
mod light;
mod mask;
mod memory;
mod planes;
mod region;
mod regions;
#[cfg(test)]
mod tests;
mod view;

use serde::{Deserialize, Serialize};

pub use self::config::{GateConfig, GateCounters};
use self::mask::ZoneMask;
use self::planes::{PIXELS, Planes};
use self::regions::Regions;
use kerbside_domain::frame::{BBox, Frame};
use kerbside_domain::time::Mono;

/// Which way the picture changed where a region is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionKind {
    /// Something is there that the background does not have.
    #[default]
    Appeared,
    /// Something that the background has is gone: what stood there when the gate learnt the street, and left.
    Removed,
}

/// Something that was not there, then was, and has not moved since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StaticRegion {
    /// Stable while the region lives, unique within a gate's life.
    pub id: u32,
    pub bbox: BBox,
    /// Share of the picture that really changed, 0..1 (not the box's area).
    pub area_norm: f32,
    /// When the first changed pixels appeared there.
    pub appeared: Mono,
    /// Since when the changed pixels have not changed again.
    pub still_since: Mono,
    /// Something moves in front of it right now: neither seen nor gone.
    pub occluded: bool,
    /// Normalised cross-correlation of the region's crop with its crop when confirmed, -1..1.
    pub similarity: f32,
    #[serde(default)]
    pub kind: RegionKind,
}

/// What the picture as a whole looks like. Only `Clear` means "seeing".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scene {
    /// Not enough looks yet to know the background. A region that was alive before and is missing after says nothing.
    #[default]
    Learning,
    Clear,
    /// Lights or exposure just changed over the whole picture; regions are on hold.
    LightChanged,
    /// Almost no light or no signal.
    Black,
    /// Texture is gone: something is in front of the lens.
    Covered,
    /// The picture no longer fits its background anywhere: the camera points elsewhere.
    Moved,
    /// The same picture for too long, noise and all: only the codec's rounding differs.
    Frozen,
}

/// What the gate says of one look. Level-triggered: losing a report loses nothing but time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GateReport {
    pub scene: Scene,
    /// Share of the picture that moves, 0..1, above the noise floor.
    pub motion: f32,
    /// Detector time is worth spending.
    pub due_for_detection: bool,
    /// Every look counts: something moves or has just come to rest, or the scene is not known yet. A look that is only
    /// due, so that a quiet place is not forgotten, is no reason to decode more.
    pub active: bool,
    /// All regions alive now.
    pub regions: Vec<StaticRegion>,
}

/// Where the gate stands between looks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Learning,
    Clear,
    /// Much changed at once. `lit`: the light explains it; `calm_since`: since when nothing moves any more.
    Unsettled {
        since: Mono,
        calm_since: Option<Mono>,
        lit: bool,
    },
    /// The picture does not fit its background: covered or moved.
    Lost {
        since: Mono,
        scene: Scene,
    },
}

/// More of the picture than this changed: a light, a cover or a move, not a thing.
const GLOBAL_SHARE: f32 = 0.35;
/// Less than this and the background fits again.
const FITS_SHARE: f32 = 0.2;
/// Less than this is left over after a switched lamp: nothing to wait for.
const EXPLAINED_SHARE: f32 = 0.05;
/// Grey levels by which a mid-grey pixel jumps in one look when a lamp is switched.
const LIGHT_JUMP: f32 = 9.0;
/// Less than this share moves: the picture is calm.
const CALM_SHARE: f32 = 0.06;
/// So long after a change of light what changed with it and came to rest is shine, not a thing: lamps light unevenly,
/// exposure and codec need a while. What was changing before is kept.
const SHINE_S: f64 = 3.0;
const SETTLE_S: f64 = 1.2;
/// A picture that will not calm down (rain, a crowd) is judged anyway.
const JUDGE_AT_LATEST_S: f64 = 6.0;
/// Correlation of gradients above which the view is the same place.
const SAME_VIEW: f32 = 0.4;
/// The same for a jump of the light, while people and vehicles may be about.
const LIT_VIEW: f32 = 0.25;
/// No level above this but in 2 % of the picture: night without a lamp, or no signal.
const BLACK_LEVEL: u8 = 26;
/// Shifts of the camera that are compensated, luma px.
const NUDGE_REACH: i32 = 3;
const SHIFT_AT_MOST: i32 = 8;
/// A drop of the usual correlation by so much is looked into.
const LIKENESS_DROP: f32 = 0.12;
/// Looks that must be the same as the first, where looks are rare.
const FROZEN_LOOKS: u32 = 3;
/// Looks kept for the first median.
const LEARN_AT_MOST: usize = 24;
/// Pixels that move before it is called motion: below are insects and codec noise.
const MOTION_PX: f32 = 12.0;

/// The gate of one camera.
#[derive(Clone, Debug)]
pub struct Gate {
    config: GateConfig,
    zones: ZoneMask,
    planes: Planes,
    regions: Regions,
    mode: Mode,
    learning: Vec<Vec<u8>>,
    learning_since: Option<Mono>,
    last: Option<Mono>,
    /// The last picture as it came, and since when it has been exactly this.
    raw: Vec<u8>,
    same_since: Mono,
    same_looks: u32,
    /// The picture moved back onto the background, and by how much.
    aligned: Vec<u8>,
    shift: (i32, i32),
    shift_checked: Mono,
    /// The last change of light: when it began, and when the background fitted again.
    lit: Option<(Mono, Mono)>,
    /// How well pictures usually correlate with the background, -1..1.
    likeness: f32,
    steepness_at: Mono,
    moved_at: Option<Mono>,
    looked_at: Option<Mono>,
    epoch: u32,
    counters: GateCounters,
}

impl Gate {
    pub fn new(config: GateConfig) -> Self {
        Gate {
            zones: ZoneMask::new(&config.zones),
            regions: Regions::new(config.max_regions),
            config,
            planes: Planes::new(),
            mode: Mode::Learning,
            learning: Vec::new(),
            learning_since: None,
            last: None,
            raw: Vec::new(),
            same_since: Mono::ZERO,
            same_looks: 0,
            aligned: Vec::new(),
            shift: (0, 0),
            shift_checked: Mono::ZERO,
            lit: None,
            likeness: 1.0,
            steepness_at: Mono::ZERO,
            moved_at: None,
            looked_at: None,
            epoch: 0,
            counters: GateCounters::default(),
        }
    }

    pub fn step(&mut self, look: &Frame) -> GateReport {
        self.step_luma(&look.luma, look.at.mono, look.epoch)
    }

    /// One picture of `LUMA_WIDTH * LUMA_HEIGHT` bytes, in order of time; intervals may vary.
    pub fn step_luma(&mut self, luma: &[u8], at: Mono, epoch: u32) -> GateReport {
        self.counters.looks += 1;
        if luma.len() != PIXELS {
            self.counters.malformed += 1;
            return self.report(Scene::Learning, 0.0, at);
        }
        if epoch != self.epoch {
            // A restarted stream repeats its last picture now and then; that is no frozen camera.
            self.epoch = epoch;
            self.same_since = at;
            self.same_looks = 0;
        }
        let dt_s = self.last.map_or(0.2, |last| at.since_s(last)).clamp(0.001, 5.0) as f32;
        self.last = Some(at);
        if self.is_frozen(luma, at) {
            return self.report(Scene::Frozen, 0.0, at);
        }
        if view::brightest(luma) < BLACK_LEVEL {
            return self.report(Scene::Black, 0.0, at);
        }
        let mut picture = std::mem::take(&mut self.aligned);
        view::shifted(luma, self.shift.0, self.shift.1, &mut picture);
        let (scene, motion) = match self.mode {
            Mode::Learning => (self.learn(&picture, at), 0.0),
            _ => self.watch(&picture, luma, at, dt_s),
        };
        self.aligned = picture;
        self.report(scene, motion, at)
    }

    /// Takes a region for background: the core knows that it is nothing (a permitted stall, a new bin).
    /// False if no region has this id.
    pub fn forget(&mut self, id: u32) -> bool {
        self.regions.forget(id, &mut self.planes)
    }

    pub fn counters(&self) -> GateCounters {
        GateCounters { regions_refused: self.regions.refused, ..self.counters }
    }

    fn is_frozen(&mut self, luma: &[u8], at: Mono) -> bool {
        // Held against the first picture, not the last: what changes by hairs all the time is alive.
        if view::is_same_picture(&self.raw, luma) {
            self.same_looks += 1;
        } else {
            self.raw.clear();
            self.raw.extend_from_slice(luma);
            self.same_since = at;
            self.same_looks = 0;
        }
        self.same_looks >= FROZEN_LOOKS && at.since_s(self.same_since) >= self.config.frozen_s
    }

    fn learn(&mut self, picture: &[u8], at: Mono) -> Scene {
        let since = *self.learning_since.get_or_insert(at);
        if self.learning.len() < LEARN_AT_MOST {
            self.learning.push(picture.to_vec());
        }
        if self.learning.len() >= self.config.learn_looks && at.since_s(since) >= self.config.learn_s {
            self.planes.learn(&self.learning, at);
            self.regions.clear();
            self.learning = Vec::new();
            self.learning_since = None;
            self.mode = Mode::Clear;
            return Scene::Clear;
        }
        Scene::Learning
    }

    fn watch(&mut self, picture: &[u8], luma: &[u8], at: Mono, dt_s: f32) -> (Scene, f32) {
        if let Mode::Lost { since, scene } = self.mode {
            return (self.lost(luma, at, since, scene), 0.0);
        }
        let planes = &self.planes;
        let light = light::fit(
            |ix| planes.slow[ix],
            picture,
            |ix| {
                planes.owner[ix] != 0 || planes.bits[ix] & planes::bit::WEAK != 0 && self.mode == Mode::Clear
            },
        );
        let jumps = light.jump() > LIGHT_JUMP;
        // A cover before the lens is explained by "no contrast at all", also while it is drawn over it: a jump counts only
        // if the structure stays in most of the picture.
        let believed = light.explained > 0.5
            && (!jumps || view::likeness(&self.planes.slow, picture, 0, 0).median > LIT_VIEW);
        let jumped = jumps && believed;
        if believed {
            self.planes.relight(light);
        }
        self.planes.classify(picture, &self.zones.watched, at, dt_s, self.config.still_s);
        let (changed, moving) = self.planes.shares();
        match self.mode {
            Mode::Clear if jumped || changed > GLOBAL_SHARE => {
                if jumped {
                    self.counters.light_changes += 1;
                }
                self.mode = Mode::Unsettled { since: at, calm_since: None, lit: jumped };
                return (Scene::LightChanged, moving);
            }
            Mode::Unsettled { since, calm_since, lit } => {
                let calm_since = if moving < CALM_SHARE { calm_since.or(Some(at)) } else { None };
                self.mode = Mode::Unsettled { since, calm_since, lit: lit || jumped };
                let scene = self.settle(picture, luma, at, changed);
                if scene != Scene::Clear {
                    return (scene, moving);
                }
            }
            _ => {}
        }
        let shining = self.lit.filter(|(_, settled)| at.since_s(*settled) < SHINE_S);
        if let Some((since, _)) = shining {
            self.planes.absorb_changed_since(since);
        }
        self.regions.update(&mut self.planes, picture, at, &self.config);
        self.planes.follow(picture, at, dt_s);
        if at.since_s(self.steepness_at) >= 1.0 {
            self.steepness_at = at;
            self.planes.refresh_steepness();
            self.regions.enclose(&mut self.planes);
            self.regions.remember(&self.planes, at);
            if shining.is_none() {
                self.check_nudge(luma, changed, at);
            }
        }
        (Scene::Clear, self.motion())
    }

    /// After much changed at once: what was it? `Clear` when the background fits again or was brought up to date.
    fn settle(&mut self, picture: &[u8], luma: &[u8], at: Mono, changed: f32) -> Scene {
        let Mode::Unsettled { since, calm_since, lit } = self.mode else { return Scene::Clear };
        let calm = calm_since.is_some_and(|calm| at > calm && at.since_s(calm) >= SETTLE_S);
        // What the light does not explain is little, or does not move any more.
        let explained = changed < if lit { EXPLAINED_SHARE } else { FITS_SHARE };
        if explained || (calm && changed < FITS_SHARE) {
            if lit {
                self.lit = Some((since, at));
            }
            self.regions.take_new_light(&mut self.planes, picture);
            self.mode = Mode::Clear;
            return Scene::Clear;
        }
        if !calm && at.since_s(since) < JUDGE_AT_LATEST_S {
            return Scene::LightChanged;
        }
        let fit = view::fit(&self.planes.slow, luma, SHIFT_AT_MOST);
        if fit.best >= SAME_VIEW {
            self.shift = (fit.dx, fit.dy);
            self.planes.absorb_unowned();
            self.regions.take_new_light(&mut self.planes, picture);
            self.mode = Mode::Clear;
            return Scene::Clear;
        }
        let covered = view::is_covered(&self.planes.slow, luma);
        let scene = if covered { Scene::Covered } else { Scene::Moved };
        self.counters.views_lost += 1;
        self.mode = Mode::Lost { since: at, scene };
        scene
    }

    fn lost(&mut self, luma: &[u8], at: Mono, since: Mono, scene: Scene) -> Scene {
        let fit = view::fit(&self.planes.slow, luma, 1);
        if fit.best >= SAME_VIEW {
            self.mode = Mode::Unsettled { since: at, calm_since: None, lit: true };
            return Scene::LightChanged;
        }
        if scene == Scene::Moved && at.since_s(since) >= self.config.relearn_moved_s {
            self.mode = Mode::Learning;
            self.shift = (0, 0);
            return Scene::Learning;
        }
        // A hand before the lens goes and a turned camera is left: say what it is now.
        let covered = view::is_covered(&self.planes.slow, luma);
        let now = if covered { Scene::Covered } else { Scene::Moved };
        if now != scene {
            self.mode = Mode::Lost { since: at, scene: now };
        }
        now
    }

    /// A mast that a lorry touched, or that stands in the wind: thin changes along every edge, gone when moved back.
    fn check_nudge(&mut self, luma: &[u8], changed: f32, at: Mono) {
        if changed < 0.01 || at.since_s(self.shift_checked) < 1.0 {
            return;
        }
        self.shift_checked = at;
        let here = view::correlation(&self.planes.slow, luma, self.shift.0, self.shift.1);
        if here > self.likeness - LIKENESS_DROP {
            self.likeness += 0.1 * (here - self.likeness);
            return;
        }
        // Falls with every search that finds nothing, so that rain is not searched for ever.
        self.likeness -= 0.1 * LIKENESS_DROP;
        let mut best = (self.shift, here);
        for dy in -NUDGE_REACH..=NUDGE_REACH {
            for dx in -NUDGE_REACH..=NUDGE_REACH {
                let shift = (self.shift.0 + dx, self.shift.1 + dy);
                if shift.0.abs().max(shift.1.abs()) <= SHIFT_AT_MOST {
                    let c = view::correlation(&self.planes.slow, luma, shift.0, shift.1);
                    if c > best.1 {
                        best = (shift, c);
                    }
                }
            }
        }
        if best.0 != self.shift && best.1 > here + 0.08 && best.1 >= SAME_VIEW {
            self.shift = best.0;
            self.likeness = best.1;
            self.counters.nudges += 1;
        }
    }

    /// Share of the picture that moves in watched places, codec specks left out.
    fn motion(&self) -> f32 {
        use planes::bit::{MOVING, WATCHED};
        let moves = |ix: usize| self.planes.is(ix, MOVING | WATCHED);
        let among_others = |ix: usize| {
            !blobs::on_rim(ix) && blobs::neighbours(ix).into_iter().filter(|&n| moves(n)).count() >= 2
        };
        let n = (0..PIXELS).filter(|&ix| moves(ix) && among_others(ix)).count() as f32;
        if n < MOTION_PX { 0.0 } else { n / PIXELS as f32 }
    }

    fn report(&mut self, scene: Scene, motion: f32, at: Mono) -> GateReport {
        if motion > 0.0 {
            self.moved_at = Some(at);
        }
        let regions = self.regions.report(self.shift);
        let within = |since: Option<Mono>, s: f64| since.is_some_and(|since| at.since_s(since) < s);
        let young = within(self.regions.youngest(), self.config.young_s);
        let period_s = if regions.is_empty() { self.config.idle_look_s } else { self.config.recheck_s };
        let due = !within(self.looked_at, period_s);
        let (active, due_for_detection) = match scene {
            Scene::Black | Scene::Covered | Scene::Frozen | Scene::Moved => (false, false),
            Scene::Learning | Scene::LightChanged => (true, due),
            Scene::Clear => {
                let active = within(self.moved_at, self.config.linger_s) || young;
                (active, active || due)
            }
        };
        let due_for_detection = due_for_detection && self.zones.count > 0;
        if due_for_detection {
            self.looked_at = Some(at);
        }
        GateReport { scene, motion, due_for_detection, active, regions }
    }
}
