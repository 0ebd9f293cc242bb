//! The order in which a gate judges one frame.

use kerbside_domain::frame::Frame;
use kerbside_domain::time::Mono;

use super::alignment;
use super::attention::Attention;
use super::background::PIXELS;
use super::blobs;
use super::config::{GateConfig, GateCounters};
use super::mask::ZoneMask;
use super::repetition::Repetition;
use super::report::{GateReport, Scene};
use super::scene::{Comparison, Mode, SceneJudge};
use super::street::Street;
use super::tuning::{frames, scene::BLACK};

/// The gate of one camera.
#[derive(Clone, Debug)]
pub struct Gate {
    config: GateConfig,
    zones: ZoneMask,
    street: Street,
    scene: SceneJudge,
    repetition: Repetition,
    attention: Attention,
    last_frame: Option<Mono>,
    /// Work space: the picture moved back onto the background.
    aligned: Vec<u8>,
    slow_update_at: Mono,
    counters: GateCounters,
}

impl Gate {
    /// A gate that has yet to learn its background.
    pub fn new(config: GateConfig) -> Self {
        Gate {
            zones: ZoneMask::new(&config.zones),
            street: Street::new(config.max_regions),
            config,
            scene: SceneJudge::default(),
            repetition: Repetition::default(),
            attention: Attention::default(),
            last_frame: None,
            aligned: Vec::new(),
            slow_update_at: Mono::ZERO,
            counters: GateCounters::default(),
        }
    }

    /// Other parts of the picture are watched from now on. What was learnt of the street stays.
    pub fn set_zones(&mut self, zones: Vec<Vec<(f32, f32)>>) {
        self.zones = ZoneMask::new(&zones);
        self.config.zones = zones;
    }

    #[cfg(test)]
    pub(crate) fn watched_pixels(&self) -> usize {
        self.zones.watched().iter().filter(|watched| **watched).count()
    }

    /// One frame, in order of time; intervals may vary.
    pub fn step(&mut self, frame: &Frame) -> GateReport {
        self.step_luma(&frame.luma, frame.at.mono, frame.epoch)
    }

    /// One picture of `LUMA_WIDTH * LUMA_HEIGHT` bytes, in order of time. `epoch`: see [`Frame::epoch`].
    pub fn step_luma(&mut self, luma: &[u8], at: Mono, epoch: u32) -> GateReport {
        self.counters.frames += 1;
        if luma.len() != PIXELS {
            self.counters.malformed += 1;
            return self.report(Scene::Learning, 0.0, at);
        }
        let dt_s = self.time_step(at);
        if self.repetition.is_frozen(luma, at, epoch, self.config.frozen_s) {
            return self.report(Scene::Frozen, 0.0, at);
        }
        if alignment::brightest(luma) < BLACK {
            return self.report(Scene::Black, 0.0, at);
        }
        let mut picture = std::mem::take(&mut self.aligned);
        self.street.alignment.align(luma, &mut picture);
        let (scene, motion) = match self.scene.mode() {
            Mode::Learning => (self.scene.learn(&mut self.street, &picture, at, &self.config), 0.0),
            Mode::Lost { since, scene } => {
                let lost = (since, scene);
                (self.scene.look_for_place(&mut self.street, luma, at, lost, &self.config), 0.0)
            }
            Mode::Clear | Mode::Unsettled(_) => self.compare(&picture, luma, at, dt_s),
        };
        self.aligned = picture;
        self.report(scene, motion, at)
    }

    /// Takes a region for background: the core knows that it is nothing (a permitted stall, a new bin).
    /// False if no region has this id.
    pub fn forget(&mut self, id: u32) -> bool {
        self.street.regions.forget(id, &mut self.street.background)
    }

    /// What happened until now.
    pub fn counters(&self) -> GateCounters {
        GateCounters {
            light_changes: self.scene.light_changes(),
            views_lost: self.scene.views_lost(),
            regions_refused: self.street.regions.refused(),
            ..self.counters
        }
    }

    fn time_step(&mut self, at: Mono) -> f32 {
        let (least, most) = frames::STEP_RANGE_S;
        let step_s = self.last_frame.map_or(frames::FIRST_STEP_S, |last| at.since_s(last));
        self.last_frame = Some(at);
        step_s.clamp(least, most) as f32
    }

    /// The background is known: the scene and, where it is clear, what changed and stayed. Also the share that moves.
    fn compare(&mut self, picture: &[u8], luma: &[u8], at: Mono, dt_s: f32) -> (Scene, f32) {
        let jumped = self.scene.relight(&mut self.street, picture);
        self.street.background.classify(picture, self.zones.watched(), at, dt_s, self.config.still_s);
        let (changed, moving) = self.street.background.changed_and_moving();
        let frame = Comparison { picture, luma, at, jumped, changed, moving };
        let scene = self.scene.judge(&mut self.street, frame);
        if scene != Scene::Clear {
            return (scene, moving);
        }
        self.follow(frame, dt_s);
        (Scene::Clear, blobs::motion(&self.street.background))
    }

    /// One frame of a clear scene: regions, then what the background takes over, then what changes slowly.
    fn follow(&mut self, frame: Comparison<'_>, dt_s: f32) {
        let Comparison { picture, luma, at, changed, .. } = frame;
        let Street { background, regions, alignment } = &mut self.street;
        let shine_since = self.scene.shine_since(at);
        if let Some(since) = shine_since {
            background.absorb_changed_since(since);
        }
        regions.update(background, picture, at, &self.config);
        background.follow(picture, at, dt_s);
        if at.since_s(self.slow_update_at) < frames::SLOW_UPDATE_S {
            return;
        }
        self.slow_update_at = at;
        background.refresh_steepness();
        regions.enclose(background);
        regions.record_history(background, at);
        if shine_since.is_none() && alignment.follow_nudge(background.levels(), luma, changed, at) {
            self.counters.nudges += 1;
        }
    }

    fn report(&mut self, scene: Scene, motion: f32, at: Mono) -> GateReport {
        let regions = self.street.regions.report(self.street.alignment.shift());
        let youngest = self.street.regions.youngest();
        let (active, due) = self.attention.judge(scene, motion, at, youngest, &self.config);
        let due_for_detection = due && !self.zones.is_empty();
        if due_for_detection {
            self.attention.detected(at);
        }
        GateReport { scene, motion, due_for_detection, active, regions }
    }
}
