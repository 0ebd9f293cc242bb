//! What the sweep finds becomes an incident: it was there before anybody watched. It stands on no candidate, since the gate
//! has it for background; whether it is gone can be said when its place is seen uncovered.
//!
//! It is asked at every frame: a rule's dwell, its hours and a sensor's word come when no look does. What is reported was
//! named at its latest look.

use kerbside_domain::detection::{Group, ReportObject};
use kerbside_domain::evidence::EvidenceRole;
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::{Act, Kind};
use kerbside_domain::report::{Cause, IncidentState, Phase, Report};
use kerbside_domain::time::Moment;
use kerbside_site::config::{Rule, Zone};
use serde_json::json;

use super::camera::CameraCore;
use super::candidate::Candidates;
use super::context::StepContext;
use super::effect::Effect;
use super::input::Observation;
use super::lifecycle::Incident;
use super::opening::{note_service, report_opening};
use super::opening_terms::{Classification, Opening};
use super::place::{Mover, covered_by, is_nested, is_same_place};
use super::reasons::tenths;
use super::sweep::{Find, Surroundings};
use super::warned::{self, Step, Warned, Warning};
use crate::rules::{REGION_SHARE, RuleStatus, rule_status, share_inside};
use crate::tracker::is_near;

impl CameraCore {
    /// One frame of a camera that sees: the look that it brings, what follows from it, and the next look.
    pub(super) fn sweep_frame(
        &mut self,
        frame: &Observation,
        movers: &[Mover],
        context: &mut StepContext<'_>,
    ) {
        let at = frame.at;
        if !frame.sweep.is_empty() {
            let tracks = self.tracker.tracks().filter(|t| t.group == Group::Person);
            let people: Vec<BBox> = tracks.map(|t| t.bbox).collect();
            let (candidates, incidents) = (&self.candidates, &self.incidents);
            let around = Surroundings {
                zones: self.config.zones.iter().map(|z| &z.polygon_norm).collect(),
                is_hidden: &|bbox| covered_by(bbox, movers).is_some(),
                is_known: &|bbox| any_about(candidates, bbox) || incidents.any_open_around(bbox),
                is_attended: &|bbox| people.iter().any(|person| is_near(person, bbox)),
            };
            for gone in self.sweep.looked(at.mono, &frame.sweep, &around) {
                self.settle_find(&gone, at, context);
            }
        }
        self.take_up_found(at, context);
        let asked_about = self.rechecks.incident_ids().filter_map(|id| self.incidents.get(id));
        let wanted: Vec<BBox> = asked_about.map(Incident::bbox).collect();
        let parts = self.sweep.next(at.mono, &wanted);
        if !parts.is_empty() {
            context.effects.push(Effect::Sweep { camera: self.config.ix, parts });
        }
    }

    /// Warns of, or opens an incident for, each thing that was found, is none yet and breaks a rule.
    fn take_up_found(&mut self, at: Moment, context: &mut StepContext<'_>) {
        for index in self.sweep.found(at.mono) {
            let Some(find) = self.sweep.find(index) else { continue };
            if self.incidents.any_open_about(&find.bbox) {
                // What stands there was warned of by itself, or needs no warning any more.
                drop(self.sweep.know(index));
                continue;
            }
            // What the gate sees is judged by what it does, and may be permitted; what lies in a larger thing is of it.
            if any_about(&self.candidates, &find.bbox) || self.incidents.any_open_around(&find.bbox) {
                continue;
            }
            match self.broken_rule(find, at, context) {
                Some((Step::Open, opening)) => self.open_found(index, &opening, at, context),
                Some((Step::Warn, opening)) => self.warn_of_found(index, opening, at, context),
                Some((Step::Wait, _)) | None => {}
            }
        }
    }

    /// The first rule, in the order of the configuration, that the thing breaks, what it does, and as what.
    fn broken_rule(&self, find: &Find, at: Moment, context: &StepContext<'_>) -> Option<(Step, Opening)> {
        let size_m2 = context.settings.size_m2(self.config.ix, find.bbox);
        let utc_offset_s = context.settings.utc_offset_s;
        let in_zone = |z: &&Zone| share_inside(&z.polygon_norm, &find.bbox) >= REGION_SHARE;
        let zones = self.config.zones.iter().filter(in_zone);
        zones.flat_map(|z| z.rules.iter().map(move |r| (z, r))).find_map(|(zone, rule)| {
            let kind = kind_of(find, zone).filter(|kind| rule.kinds.contains(kind))?;
            let is_small = find.bbox.area() < rule.min_area_norm
                || size_m2.zip(rule.min_size_m2).is_some_and(|(size, least)| size < least);
            let in_force = rule_status(rule, at.wall_ms, utc_offset_s) == RuleStatus::InForce;
            let dwell_s = warned::dwell_s(find.warned.as_ref(), rule, at.wall_ms, utc_offset_s);
            let is_long = at.mono.since_s(find.first) >= dwell_s;
            let may_report = self.sensor_words.refusal(&zone.id, &rule.id).is_none();
            let is_broken = !is_small && in_force && is_long && may_report;
            is_broken.then(|| {
                (warned::step(find.warned.as_ref(), rule, at, utc_offset_s), opening(find, zone, rule, kind))
            })
        })
    }

    fn warn_of_found(&mut self, index: usize, opening: Opening, at: Moment, context: &mut StepContext<'_>) {
        let rule = context.settings.rule(self.config.ix, &opening.zone, &opening.rule);
        let Some(by) = rule.and_then(|(_, rule)| rule.warn.as_ref()).map(|warn| warn.by.clone()) else {
            return;
        };
        let Some(find) = self.sweep.find(index) else { return };
        let told_as = self.new_id(0, &find.bbox, at.at(find.first), at, context);
        let (incident_id, camera, dwell_s) = (told_as.clone(), self.config.ix, at.mono.since_s(find.first));
        if let Some(find) = self.sweep.find_mut(index) {
            find.warned = Some(Warned { at, dwell_s, spoken: None, told_as, opening });
        }
        context.counters.warned += 1;
        context.effects.push(Effect::Warn(Warning { incident_id, camera, at, by }));
    }

    /// Opens the incident, or says `reappeared` if the same was at this place within the repeat interval.
    fn open_found(&mut self, index: usize, opening: &Opening, at: Moment, context: &mut StepContext<'_>) {
        if !self.incidents.has_room() {
            if let Some(find) = self.sweep.find_mut(index).filter(|find| !find.is_refused) {
                find.is_refused = true;
                context.counters.incidents_refused += 1;
            }
            return;
        }
        let Some(find) = self.sweep.find(index) else { return };
        let report = self.found_report(find, opening, at, context);
        let (kind, bbox) = (report.kind, report.bbox);
        let warned = self.sweep.know(index);
        let repeated = self.incidents.take_repeated(kind, &opening.zone, &bbox, at.mono);
        let cause = if repeated.is_some() { Cause::Reappeared } else { Cause::Dwell };
        context.counters.reappeared += u64::from(repeated.is_some());
        let mut incident = match repeated {
            Some(mut incident) => {
                incident.found_again(report, at.mono);
                incident
            }
            None => Incident::new(report, at.mono, opening.clear_after_s, opening.repeat_s),
        };
        incident.lose_place();
        note_service(&mut incident, warned.as_ref(), opening, context);
        incident.warned_as = warned.map(|warned| warned.told_as);
        report_opening(&mut incident, cause, &[EvidenceRole::Trigger, EvidenceRole::Annotated], at, context);
        self.incidents.push_open(incident);
    }

    /// What was warned of and went away is reported once, as settled.
    fn settle_find(&mut self, find: &Find, at: Moment, context: &mut StepContext<'_>) {
        let Some(warned) = &find.warned else { return };
        let report = self.found_report(find, &warned.opening, at, context);
        let (clear_after_s, repeat_s) = (warned.opening.clear_after_s, warned.opening.repeat_s);
        let mut incident = Incident::new(report, at.mono, clear_after_s, repeat_s);
        note_service(&mut incident, Some(warned), &warned.opening, context);
        incident.warned_as = Some(warned.told_as.clone());
        incident.report.last_seen = find.last_hit.map_or(at, |hit| at.at(hit));
        incident.lose_place();
        incident.end(IncidentState::Settled, at);
        context.counters.settled += 1;
        incident.report_with_evidence(at, Phase::Settled, Cause::Gone, &[EvidenceRole::After], context);
        self.incidents.note_cleared(&incident);
        self.incidents.push_past(incident);
    }

    /// The first report, not numbered yet.
    fn found_report(&self, find: &Find, opening: &Opening, at: Moment, context: &StepContext<'_>) -> Report {
        let Classification { kind, act, confidence } = opening.classification;
        let (looks, named) = find.looks();
        let (label, group, bbox) = (find.object.label.clone(), find.object.group, find.bbox);
        let reasons = [
            ("found_by", json!("sweep")),
            ("looks", json!(looks)),
            ("named", json!(named)),
            ("appeared_with", json!("nobody")),
        ];
        let own_id = || self.new_id(0, &find.bbox, at.at(find.first), at, context);
        let ended = self.incidents.ended_before(kind, &opening.zone, &bbox, at.mono);
        Report {
            incident_id: find.warned.as_ref().map_or_else(own_id, |warned| warned.told_as.clone()),
            revision: 0, // The first report makes it 1.
            phase: Phase::Opened,
            cause: Cause::Dwell,
            state: IncidentState::Open,
            kind,
            act,
            confidence,
            at,
            first_seen: at.at(find.first),
            started: at.at(find.first),
            last_seen: at,
            dwell_s: tenths(at.mono.since_s(find.first)),
            count: 1,
            camera: self.config.ix,
            zone: opening.zone.clone(),
            rule: opening.rule.clone(),
            bbox,
            objects: vec![ReportObject { track: None, label, group, confidence, bbox }],
            reasons: reasons.map(|(name, value)| (name.to_owned(), value)).into(),
            evidence: Vec::new(),
            evidence_pending: Vec::new(),
            previous: ended.map(|ended| ended.id().to_owned()),
            sensor: None,
            recheck: None,
        }
    }
}

/// What it is opened with.
fn opening(find: &Find, zone: &Zone, rule: &Rule, kind: Kind) -> Opening {
    let confidence = (find.score() * 100.0).round() / 100.0;
    Opening {
        classification: Classification { kind, act: Some(Act::FoundAfter), confidence },
        zone: zone.id.clone(),
        rule: rule.id.clone(),
        clear_after_s: rule.clear_after_s,
        repeat_s: rule.repeat_s,
    }
}

/// Whether a candidate stands at a place.
fn any_about(candidates: &Candidates, bbox: &BBox) -> bool {
    let mut boxes = candidates.iter().map(|c| c.bbox());
    boxes.any(|c| is_same_place(&c, bbox) || is_nested(&c, bbox))
}

/// What sort of incident it is: rubbish, a bin with more than it holds, or a stall that somebody is with.
fn kind_of(find: &Find, zone: &Zone) -> Option<Kind> {
    match find.object.group {
        Group::Waste if find.object.label.contains("overflow") => Some(Kind::BinOverflow),
        Group::Waste => Some(Kind::WasteExposed),
        Group::Stall if find.is_attended() && zone.frontage => Some(Kind::ShopfrontOverflow),
        Group::Stall if find.is_attended() => Some(Kind::StallOccupying),
        _ => None,
    }
}
