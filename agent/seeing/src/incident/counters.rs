//! What the core counts, for metrics and for whoever asks why nothing was reported.

use std::collections::BTreeMap;

/// Monotone counts since the core was made. Bounded: keys come from the configuration and a closed set of reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Static things that began to be watched in a zone.
    pub candidates: u64,
    /// Candidates that went away by themselves before any rule was met.
    pub candidates_gone: u64,
    /// Things not watched because a camera had too many already.
    pub candidates_refused: u64,
    pub opened: u64,
    pub updated: u64,
    pub reappeared: u64,
    pub cleared: u64,
    pub withdrawn: u64,
    /// Places looked at again for the centre, answered.
    pub rechecks: u64,
    /// Things of which the past was asked who brought them.
    pub looked_back: u64,
    /// Incidents that could not open because a camera had too many open ones; they open when there is room.
    pub incidents_refused: u64,
    /// By rule id and reason: things that stayed long enough and still were no incident. Once per thing, rule and reason.
    pub refused: BTreeMap<(String, &'static str), u64>,
    /// Looks that came in the wrong order, or of a camera that is not configured.
    pub looks_ignored: u64,
    /// Boxes that the trackers could not follow.
    pub boxes_refused: u64,
    pub camera_changes: u64,
    pub readings: u64,
    pub readings_suspicious: u64,
    pub readings_unknown: u64,
    pub sensor_alarms: u64,
    /// Evidence, receipts and case states about incidents that are no longer known.
    pub strays: u64,
    pub patrols: u64,
}

impl Counters {
    /// Every plain count under its name; refusals are apart.
    pub fn named(&self) -> [(&'static str, u64); 19] {
        [
            ("candidates", self.candidates),
            ("candidates_gone", self.candidates_gone),
            ("candidates_refused", self.candidates_refused),
            ("opened", self.opened),
            ("updated", self.updated),
            ("reappeared", self.reappeared),
            ("cleared", self.cleared),
            ("withdrawn", self.withdrawn),
            ("rechecks", self.rechecks),
            ("looked_back", self.looked_back),
            ("incidents_refused", self.incidents_refused),
            ("looks_ignored", self.looks_ignored),
            ("boxes_refused", self.boxes_refused),
            ("camera_changes", self.camera_changes),
            ("readings_suspicious", self.readings_suspicious),
            ("readings_unknown", self.readings_unknown),
            ("sensor_alarms", self.sensor_alarms),
            ("strays", self.strays),
            ("patrols", self.patrols),
        ]
    }
}
