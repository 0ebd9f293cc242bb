//! What every part of the core is given while it takes one input.

use super::counters::CoreCounters;
use super::effect::Effect;
use super::settings::Settings;

/// The settings, and where effects and counts go.
#[derive(Debug)]
pub(super) struct StepContext<'a> {
    pub(super) settings: &'a Settings,
    pub(super) counters: &'a mut CoreCounters,
    pub(super) effects: &'a mut Vec<Effect>,
}
