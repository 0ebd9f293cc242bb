//! One camera's share of the core: from a look to incidents. The order of a look is the order of `look`.

use crate::rules::{REGION_SHARE, share_inside};
use crate::tracker::{Tracker, is_near};
use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::{Moment, Mono};
use kerbside_site::config::{Camera, Zone};

use super::company::is_shade_of;
use super::judge::{Circumstances, judge};
use super::keeping::release;
use super::life::{Incident, Standing, StepContext};
use super::opening::Opening;
use super::recheck::Asked;
use super::sight::Sight;
use super::spot::{EXPLAINED_SHARE, IS_MOVER_S, MIN_ASKED, Spot, cover, same_place};
use super::{CameraState, Effect, EvidenceOutcome, EvidenceRole, Kind, Observation, Phase, ReportObject};

/// Open incidents of one camera at most; further ones wait until there is room, and are counted.
pub const MAX_OPEN: usize = 64;
/// Closed incidents of one camera kept for repeats and late evidence.
pub(super) const MAX_PAST: usize = 64;
/// Evidence and receipts may come so long after an incident has closed.
pub(super) const LATE_S: f64 = 600.0;
/// Time between two looks that is believed at most; more is a gap in which anything may have happened.
const MAX_GAP_S: f64 = 15.0;
/// The same for looks of the detector, which says who is there: people come and go faster.
const MAX_ASKED_GAP_S: f64 = 5.0;
/// An incident that proves to be a vehicle or person so soon after opening is withdrawn.
const WITHDRAW_WITHIN_S: f64 = 60.0;

#[derive(Debug)]
pub(super) struct CameraCore {
    pub(super) config: Camera,
    pub(super) sight: Sight,
    pub(super) tracker: Tracker,
    pub(super) spots: Vec<Spot>,
    pub(super) open: Vec<Incident>,
    pub(super) past: Vec<Incident>,
    pub(super) next_spot: u32,
    /// Since when it has been watching without a break that matters.
    pub(super) seeing_since: Option<Mono>,
    last_look: Option<Mono>,
    last_seeing: Option<Mono>,
    last_asked: Option<Mono>,
    hold: bool,
    /// Closed by nobody: for the patrol report.
    pub(super) cleared: u32,
    /// Places that the centre wants looked at again.
    pub(super) asked_again: Vec<Asked>,
}

impl CameraCore {
    pub(super) fn new(config: Camera) -> Self {
        CameraCore {
            config,
            sight: Sight::new(),
            tracker: Tracker::new(),
            spots: Vec::new(),
            open: Vec::new(),
            past: Vec::new(),
            next_spot: 0,
            seeing_since: None,
            last_look: None,
            last_seeing: None,
            last_asked: None,
            hold: false,
            cleared: 0,
            asked_again: Vec::new(),
        }
    }

    /// The source said something about itself.
    pub(super) fn source(&mut self, at: Moment, state: CameraState, voice: &mut StepContext<'_>) {
        self.account(at.mono);
        let changed = self.sight.source(at.mono, state);
        self.announce(at, changed, voice);
        if !self.sight.seeing() {
            self.last_seeing = None;
            self.forget_looks();
        }
    }

    pub(super) fn account(&mut self, to: Mono) {
        self.sight.account(to, self.config.looks_per_s);
    }

    pub(super) fn look(&mut self, look: &Observation, voice: &mut StepContext<'_>) {
        let at = look.at;
        if self.last_look.is_some_and(|last| at.mono <= last) {
            voice.counters.looks_ignored += 1;
            return;
        }
        self.last_look = Some(at.mono);
        self.account(at.mono);
        let changed = self.sight.look(at.mono, look.level, look.gate.scene);
        self.announce(at, changed, voice);
        if self.sight.lost_its_place() {
            self.lose_places(voice);
        }
        if !self.sight.seeing() {
            self.last_seeing = None;
            self.last_asked = None;
            self.forget_looks();
            self.update_hold(voice);
            return;
        }
        let dt_s = self.last_seeing.map_or(0.0, |last| at.mono.since_s(last).min(MAX_GAP_S));
        self.last_seeing = Some(at.mono);
        self.seeing_since.get_or_insert(at.mono);

        if let Some(detections) = &look.detections {
            self.tracker.step(at.mono, detections);
        }
        let movers = self.movers(look);
        self.observe(look, voice);
        self.pass_time(dt_s, &movers);
        self.sample(look, &movers);
        self.regroup(at, voice);
        self.forget_spots(voice);
        self.follow_incidents(at, dt_s, &movers, voice);
        self.ask_the_past(at, voice);
        self.judge_spots(at, voice);
        self.look_again(at, &movers, voice);
        self.update_hold(voice);
    }

    /// People and vehicles that may stand in front of something: seen now, or known to stand there.
    fn movers(&self, look: &Observation) -> Vec<(Group, BBox)> {
        let is_mover = |group: Group| matches!(group, Group::Person | Group::Vehicle);
        let seen = look.detections.iter().flatten().map(|d| (d.group, d.bbox));
        let asked = look.detections.is_some();
        let known = self.tracker.tracks().filter(|t| !asked || t.last_seen < look.at.mono);
        let known = known.filter(|t| t.still_since.is_some()).map(|t| (t.group, t.bbox));
        seen.chain(known).filter(|m| is_mover(m.0)).collect()
    }

    fn pass_time(&mut self, dt_s: f64, movers: &[(Group, BBox)]) {
        for part in self.spots.iter_mut().flat_map(|s| &mut s.parts) {
            part.covered = cover(&part.seen.bbox, movers);
            part.pass(dt_s);
        }
    }

    /// What only the detector's looks tell: who covers it, who is with it, what it is called.
    fn sample(&mut self, look: &Observation, movers: &[(Group, BBox)]) {
        let Some(detections) = &look.detections else { return };
        let at = look.at.mono;
        let dt_s = self.last_asked.map_or(0.0, |last| at.since_s(last).min(MAX_ASKED_GAP_S));
        self.last_asked = Some(at);
        let vacated: Vec<_> = self.tracker.vacated().cloned().collect();
        let here: Vec<(u32, BBox)> = self.tracker.tracks().map(|t| (t.id, t.bbox)).collect();
        // Also those missed in this very look: a detector blinks, a vendor does not.
        let people = self.tracker.tracks().filter(|t| t.group == Group::Person);
        let people: Vec<(u32, BBox)> = people.map(|t| (t.id, t.bbox)).collect();
        for spot in &mut self.spots {
            for part in &mut spot.parts {
                part.sample_cover(dt_s, movers);
                part.vacated = part.vacated || Opening::is_bare_ground(part, &vacated, &here);
            }
            let bbox = spot.bbox();
            let (near, boxes): (Vec<u32>, Vec<BBox>) =
                people.iter().filter(|p| is_near(&p.1, &bbox)).copied().unzip();
            let brought_by = spot.witness().map(|w| w.track);
            spot.company.sample(at, dt_s, &near, brought_by);
            if is_shade_of(&boxes, &bbox) {
                spot.company.shade(dt_s);
            }
            spot.sample_labels(dt_s, detections, look.close_up.as_ref());
        }
    }

    /// Open incidents: seen, grown, gone, or no incident after all.
    fn follow_incidents(
        &mut self,
        at: Moment,
        dt_s: f64,
        movers: &[(Group, BBox)],
        voice: &mut StepContext<'_>,
    ) {
        self.attach_orphans();
        let mut index = 0;
        while index < self.open.len() {
            let incident = &self.open[index];
            let spot = self.spots.iter().find(|s| Some(s.id) == incident.spot).cloned();
            let company = spot.as_ref().map(|s| self.company_of(s)).unwrap_or_default();
            let incident = &mut self.open[index];
            let verdict = follow(incident, spot.as_ref(), &company, at, dt_s, movers, voice);
            if verdict == Standing::Open {
                index += 1;
            } else {
                self.close(index, verdict, at, voice);
            }
        }
    }

    fn close(&mut self, index: usize, standing: Standing, at: Moment, voice: &mut StepContext<'_>) {
        let mut incident = self.open.remove(index);
        incident.standing = standing;
        incident.closed = Some(at);
        if standing == Standing::Cleared {
            self.cleared += 1;
            if let Some(index) = self.spots.iter().position(|s| Some(s.id) == incident.spot) {
                // One that an incident of an earlier background was found to stand on has packets of its own.
                release(&mut self.spots.remove(index), voice);
            }
            incident.say_with_evidence(at, Phase::Cleared, "cleared", &[EvidenceRole::After], voice);
        } else {
            incident.say(at, Phase::Withdrawn, "vehicle_or_person", voice);
            self.disown(&incident, at, voice);
        }
        incident.spot = None;
        self.remember(incident);
    }

    /// What stands there may still become an incident, but another one.
    fn disown(&mut self, incident: &Incident, at: Moment, voice: &mut StepContext<'_>) {
        let Some(index) = self.spots.iter().position(|s| Some(s.id) == incident.spot) else { return };
        let spot = &self.spots[index];
        let id = self.new_id(spot.id, &spot.bbox(), spot.appeared(), at, voice);
        self.rename(index, id, at, voice);
    }

    pub(super) fn remember(&mut self, incident: Incident) {
        if self.past.len() == MAX_PAST {
            self.past.remove(0);
        }
        self.past.push(incident);
    }

    fn judge_spots(&mut self, at: Moment, voice: &mut StepContext<'_>) {
        for index in 0..self.spots.len() {
            let spot = &self.spots[index];
            let taken = self.open.iter().any(|i| i.spot == Some(spot.id));
            if taken {
                continue;
            }
            if let Some(opening) = self.find_opening(index, at, voice) {
                self.open_incident(index, opening, at, voice);
            }
        }
    }

    /// The first rule, in the order of the configuration, that the spot fulfils.
    fn find_opening(&mut self, index: usize, at: Moment, voice: &mut StepContext<'_>) -> Option<Opening> {
        let now = Circumstances {
            wall_ms: at.wall_ms,
            utc_offset_s: voice.settings.utc_offset_s,
            witness_left: self.witness_left(&self.spots[index]),
            size_m2: voice.settings.size_m2(self.config.ix, self.spots[index].bbox()),
        };
        let spot = &mut self.spots[index];
        for zone in &self.config.zones {
            for rule in &zone.rules {
                match judge(spot, zone, rule, now) {
                    Ok(finding) => return Some(Opening::new(finding, zone, rule)),
                    Err(Some(reason)) => {
                        if spot.refused.insert((rule.id.clone(), reason)) {
                            *voice.counters.refused.entry((rule.id.clone(), reason)).or_default() += 1;
                        }
                    }
                    Err(None) => {}
                }
            }
        }
        None
    }

    /// Whoever was there when it appeared is somewhere else now, or out of sight.
    fn witness_left(&self, spot: &Spot) -> bool {
        let Some(witness) = spot.witness() else { return false };
        let bbox = spot.bbox();
        !self
            .tracker
            .tracks()
            .any(|t| t.id == witness.track && t.bbox.buffered(0.1).intersection(&bbox) > 0.0)
    }

    /// Who stays with the spot, as objects of the report.
    pub(super) fn company_of(&self, spot: &Spot) -> Vec<ReportObject> {
        let attendants: Vec<u32> = spot.company.attendants().collect();
        let here = self.tracker.visible().filter(|t| attendants.contains(&t.id));
        here.map(|t| ReportObject {
            track: Some(t.id),
            label: t.label.clone(),
            group: t.group,
            confidence: (t.confidence * 100.0).round() / 100.0,
            bbox: t.bbox,
        })
        .collect()
    }

    /// The background is unknown: nothing that was seen stands anywhere, and no open incident can be called gone.
    fn lose_places(&mut self, voice: &mut StepContext<'_>) {
        if self.spots.is_empty() && self.seeing_since.is_none() {
            return;
        }
        voice.counters.candidates_gone += self.spots.len() as u64;
        for mut spot in self.spots.drain(..) {
            release(&mut spot, voice);
        }
        self.tracker.reset();
        self.seeing_since = None;
        for incident in self.open.iter_mut().chain(&mut self.past) {
            incident.spot = None;
            incident.observable = false;
        }
    }

    /// A candidate or an open incident keeps the camera from being gated off.
    fn update_hold(&mut self, voice: &mut StepContext<'_>) {
        let unexplained = |s: &Spot| s.asked() < MIN_ASKED || s.explained(EXPLAINED_SHARE).is_none();
        let candidate = |s: &Spot| unexplained(s) && self.is_large_enough(s);
        let asked = !self.asked_again.is_empty();
        let hold = asked || !self.open.is_empty() || self.spots.iter().any(candidate);
        if hold != self.hold {
            self.hold = hold;
            voice.effects.push(Effect::Watch { camera: self.config.ix, hold });
        }
    }

    /// For one of the rules that hold where it stands.
    pub(super) fn is_large_enough(&self, spot: &Spot) -> bool {
        let bbox = spot.bbox();
        let here = |z: &&Zone| share_inside(&z.polygon_norm, &bbox) >= REGION_SHARE;
        let rules = self.config.zones.iter().filter(here).flat_map(|z| &z.rules);
        rules.into_iter().any(|r| spot.area_norm() >= r.min_area_norm)
    }

    fn announce(&mut self, at: Moment, changed: Option<CameraState>, voice: &mut StepContext<'_>) {
        if let Some(state) = changed {
            voice.counters.camera_changes += 1;
            voice.effects.push(Effect::CameraChanged { camera: self.config.ix, at, state });
        }
    }

    pub(super) fn incident_mut(&mut self, id: &str) -> Option<&mut Incident> {
        self.open.iter_mut().chain(&mut self.past).find(|i| i.report.incident_id == id)
    }

    /// Takes the outcome if the incident is this camera's; gives it back otherwise.
    pub(super) fn evidence(
        &mut self,
        at: Moment,
        outcome: EvidenceOutcome,
        voice: &mut StepContext<'_>,
    ) -> Option<EvidenceOutcome> {
        match self.incident_mut(&outcome.incident_id) {
            Some(incident) => {
                incident.evidence(at, outcome, voice);
                None
            }
            None => Some(outcome),
        }
    }

    /// Closed incidents are kept for their repeat interval and for late evidence; what cannot be seen any more, until the centre ends its case.
    pub(super) fn retire(&mut self, now: Mono) {
        let kept_s = |i: &Incident| i.repeat_s.max(LATE_S);
        self.past.retain(|i| i.closed.is_some_and(|c| now.since_s(c.mono) <= kept_s(i)));
        let done = |i: &Incident| !i.observable && i.case_ended();
        self.open.retain(|i| !done(i));
    }
}

/// One look at one open incident: says what is new, and how it stands now.
fn follow(
    incident: &mut Incident,
    spot: Option<&Spot>,
    company: &[ReportObject],
    at: Moment,
    dt_s: f64,
    movers: &[(Group, BBox)],
    voice: &mut StepContext<'_>,
) -> Standing {
    if let Some(spot) = spot.filter(|s| s.present()) {
        incident.gone_s = 0.0;
        incident.observable = true;
        incident.refresh(at, spot, company, voice.settings);
        let young = at.mono.since_s(incident.opened) <= WITHDRAW_WITHIN_S + IS_MOVER_S;
        let sold_from_vehicle = incident.report.kind == Kind::StallMobileVendor;
        if young && !sold_from_vehicle && spot.is_mover_s() >= IS_MOVER_S {
            return Standing::Withdrawn;
        }
        incident.watch_growth(at, spot, voice);
        return Standing::Open;
    }
    // "Not seen" counts only where one could have seen it (invariant 13).
    if incident.observable && cover(&incident.bbox(), movers).is_none() {
        incident.gone_s += dt_s;
    }
    if incident.gone_s >= incident.clear_after_s && incident.observable {
        Standing::Cleared
    } else {
        Standing::Open
    }
}

/// Whether an incident of the past or without a spot is about this place.
pub(super) fn is_about(incident: &Incident, bbox: &BBox) -> bool {
    same_place(&incident.bbox(), bbox)
}
