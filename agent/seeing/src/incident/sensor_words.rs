//! What sensors have said in rules: whether a rule may report what the picture shows. Plain data; `listening` asks and acts.

use kerbside_domain::time::Mono;
use kerbside_site::config::WithMode;

use super::refusal::WhyNot;

/// A sensor's word in one rule of one camera.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) zone: String,
    pub(super) rule: String,
    /// The condition, as the site file writes it.
    pub(super) with: String,
    pub(super) mode: WithMode,
    /// `None`: the sensor is silent, implausible or stuck, and says nothing.
    pub(super) agrees: Option<bool>,
    /// Since when it has said the same.
    pub(super) since: Mono,
    /// Only with [`WithMode::Either`]: an incident is open on its word.
    pub(super) has_incident: bool,
}

/// The words of sensors in the rules of one camera.
#[derive(Clone, Debug, Default)]
pub(super) struct SensorWords {
    pub(super) words: Vec<Word>,
    /// The camera is watched more closely until then.
    pub(super) faster_until: Option<Mono>,
}

impl SensorWords {
    /// Why a rule that the picture fulfils must not report now; `None`: it may.
    pub(super) fn refusal(&self, zone: &str, rule: &str) -> Option<WhyNot> {
        let word = self.words.iter().find(|w| w.zone == zone && w.rule == rule)?;
        let with = || word.with.clone();
        match (word.mode, word.agrees) {
            (WithMode::Both, Some(false)) => Some(WhyNot::SensorDisagrees { with: with() }),
            (WithMode::Both, None) => Some(WhyNot::SensorUnknown { with: with() }),
            (WithMode::Either, _) if word.has_incident => Some(WhyNot::AlreadyReported { with: with() }),
            _ => None,
        }
    }
}
