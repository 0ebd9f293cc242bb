//! Attention: which frames are active (decode more) and which are due for the detector.

use kerbside_domain::time::Mono;

use super::config::GateConfig;
use super::report::Scene;

/// When something last moved, and when a frame last went to the detector.
#[derive(Clone, Debug, Default)]
pub(super) struct Attention {
    moved_at: Option<Mono>,
    detected_at: Option<Mono>,
}

impl Attention {
    /// Whether the frame is active, and whether it is due for detection. `youngest`: when the youngest region was confirmed.
    pub(super) fn judge(
        &mut self,
        scene: Scene,
        motion: f32,
        at: Mono,
        youngest: Option<Mono>,
        config: &GateConfig,
    ) -> (bool, bool) {
        if motion > 0.0 {
            self.moved_at = Some(at);
        }
        let within = |since: Option<Mono>, s: f64| since.is_some_and(|since| at.since_s(since) < s);
        let period_s = if youngest.is_none() { config.idle_detection_s } else { config.region_detection_s };
        let overdue = !within(self.detected_at, period_s);
        match scene {
            Scene::Black | Scene::Covered | Scene::Frozen | Scene::Moved => (false, false),
            Scene::Learning | Scene::LightChanged => (true, overdue),
            Scene::Clear => {
                let active = within(self.moved_at, config.linger_s) || within(youngest, config.young_s);
                (active, active || overdue)
            }
        }
    }

    /// The frame goes to the detector.
    pub(super) fn detected(&mut self, at: Mono) {
        self.detected_at = Some(at);
    }
}
