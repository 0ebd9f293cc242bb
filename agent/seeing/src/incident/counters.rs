//! What the core counts, for metrics and for whoever asks why nothing was reported.

use std::collections::BTreeMap;

use super::refusal::RefusalKind;

/// Monotone counts since the core was made. Bounded: keys come from the configuration and a closed set of reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreCounters {
    /// Candidates that began in a zone.
    pub candidates: u64,
    /// Candidates that went away by themselves before any rule was met.
    pub candidates_gone: u64,
    /// Regions that began no candidate because a camera had too many already.
    pub candidates_refused: u64,
    /// Incidents opened.
    pub opened: u64,
    /// Later revisions, reappearances among them.
    pub updated: u64,
    /// Incidents that were cleared and came back within their repeat interval.
    pub reappeared: u64,
    /// Incidents cleared.
    pub cleared: u64,
    /// Incidents withdrawn.
    pub withdrawn: u64,
    /// Candidates that the box warned of.
    pub warned: u64,
    /// Of these, those that went away: reported as settled.
    pub settled: u64,
    /// Places looked at again for the centre, answered.
    pub rechecks: u64,
    /// Candidates for which a review of the ring was requested.
    pub reviews: u64,
    /// Incidents that could not open because a camera had too many open ones; they open when there is room.
    pub incidents_refused: u64,
    /// By rule id and reason: candidates that stayed for a while and still were no incident. Each candidate, rule and reason
    /// once.
    pub refusals: BTreeMap<(String, RefusalKind), u64>,
    /// Frames that came in the wrong order, or of a camera that is not configured.
    pub frames_ignored: u64,
    /// Boxes that the trackers could not follow.
    pub boxes_refused: u64,
    /// Changes of a camera's state that were announced.
    pub camera_changes: u64,
    /// Readings of sensors.
    pub readings: u64,
    /// Readings that their adapter doubted, or that are no number.
    pub readings_suspicious: u64,
    /// Readings of sensors that are not configured.
    pub readings_unknown: u64,
    /// Alarms raised, and presses of call buttons.
    pub sensor_alarms: u64,
    /// Sensors that went silent, implausible or stuck.
    pub sensor_faults: u64,
    /// Evidence, receipts and case states about incidents that are no longer known.
    pub strays: u64,
    /// Patrol reports.
    pub patrols: u64,
}

impl CoreCounters {
    /// Counts a refusal.
    pub(super) fn refuse(&mut self, rule: &str, why: RefusalKind) {
        *self.refusals.entry((rule.to_owned(), why)).or_default() += 1;
    }

    /// Every plain count under its metric label; refusals are apart.
    pub fn named(&self) -> [(&'static str, u64); 22] {
        [
            ("candidates", self.candidates),
            ("candidates_gone", self.candidates_gone),
            ("candidates_refused", self.candidates_refused),
            ("opened", self.opened),
            ("updated", self.updated),
            ("reappeared", self.reappeared),
            ("cleared", self.cleared),
            ("withdrawn", self.withdrawn),
            ("warned", self.warned),
            ("settled", self.settled),
            ("rechecks", self.rechecks),
            ("reviews", self.reviews),
            ("incidents_refused", self.incidents_refused),
            ("frames_ignored", self.frames_ignored),
            ("boxes_refused", self.boxes_refused),
            ("camera_changes", self.camera_changes),
            ("readings_suspicious", self.readings_suspicious),
            ("readings_unknown", self.readings_unknown),
            ("sensor_alarms", self.sensor_alarms),
            ("sensor_faults", self.sensor_faults),
            ("strays", self.strays),
            ("patrols", self.patrols),
        ]
    }
}
