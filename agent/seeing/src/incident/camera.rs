//! One camera's share of the core, in parts with their own invariants. What is done with them stands in other files: `frame`
//! (the order of a frame), `matching`, `grouping`, `pin`, `opening`, `closing`, `review_request`, `recheck`.

use kerbside_domain::detection::ReportObject;
use kerbside_domain::time::Mono;
use kerbside_site::config::{Camera, Zone};

use super::candidate::{Candidate, Candidates};
use super::frame_clock::FrameClock;
use super::incidents::Incidents;
use super::rechecks::Rechecks;
use super::sensor_words::SensorWords;
use super::sweep::Sweep;
use super::visibility::Visibility;
use crate::rules::{REGION_SHARE, share_inside};
use crate::tracker::Tracker;

/// All that is known of what one camera shows.
#[derive(Debug)]
pub(super) struct CameraCore {
    pub(super) config: Camera,
    pub(super) visibility: Visibility,
    pub(super) clock: FrameClock,
    pub(super) tracker: Tracker,
    pub(super) candidates: Candidates,
    pub(super) incidents: Incidents,
    pub(super) rechecks: Rechecks,
    /// What sensors say in its rules.
    pub(super) sensor_words: SensorWords,
    pub(super) sweep: Sweep,
    /// The effect that the camera must be watched is in force.
    pub(super) watch_required: bool,
}

impl CameraCore {
    pub(super) fn new(config: Camera) -> Self {
        CameraCore {
            sweep: Sweep::new(config.zones.iter().map(|z| &z.polygon_norm)),
            config,
            visibility: Visibility::new(),
            clock: FrameClock::default(),
            tracker: Tracker::new(),
            candidates: Candidates::default(),
            incidents: Incidents::default(),
            rechecks: Rechecks::default(),
            sensor_words: SensorWords::default(),
            watch_required: false,
        }
    }

    /// Writes the time until now to the account of the camera's state.
    pub(super) fn account(&mut self, to: Mono) {
        self.visibility.account(to);
    }

    /// Large enough for one of the rules where it stands.
    pub(super) fn is_large_enough(&self, candidate: &Candidate) -> bool {
        let bbox = candidate.bbox();
        let is_in = |z: &&Zone| share_inside(&z.polygon_norm, &bbox) >= REGION_SHARE;
        let rules = self.config.zones.iter().filter(is_in).flat_map(|z| &z.rules);
        rules.into_iter().any(|r| candidate.area_norm() >= r.min_area_norm)
    }
}

/// Who stays with a candidate and is seen, as objects of its report.
pub(super) fn attendants_of(tracker: &Tracker, candidate: &Candidate) -> Vec<ReportObject> {
    let attendants: Vec<u32> = candidate.attendance.attendants().collect();
    let visible = tracker.visible().filter(|t| attendants.contains(&t.id));
    visible
        .map(|t| ReportObject {
            track: Some(t.id),
            label: t.label.clone(),
            group: t.group,
            confidence: (t.confidence * 100.0).round() / 100.0,
            bbox: t.bbox,
        })
        .collect()
}
