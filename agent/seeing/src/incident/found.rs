//! What the sweep finds becomes an incident: it was there before anybody watched. It stands on no candidate, since the gate
//! has it for background; whether it is gone can be said when its place is seen uncovered.

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
use super::opening::report_opening;
use super::place::{Mover, covered_by, is_nested, is_same_place};
use super::reasons::tenths;
use super::sweep::{Find, Surroundings};
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
                is_known: &|bbox| any_about(candidates, bbox) || incidents.any_open_about(bbox),
                is_attended: &|bbox| people.iter().any(|person| is_near(person, bbox)),
            };
            self.sweep.looked(at.mono, &frame.sweep, &around);
            self.open_found(at, context);
        }
        let wanted = self.rechecks.incident_ids().find_map(|id| self.incidents.get(id)).map(Incident::bbox);
        let parts = self.sweep.next(at.mono, wanted);
        if !parts.is_empty() {
            context.effects.push(Effect::Sweep { camera: self.config.ix, parts });
        }
    }

    /// Opens an incident for each thing that was found, is none yet and breaks a rule.
    fn open_found(&mut self, at: Moment, context: &mut StepContext<'_>) {
        let mut reports = Vec::new();
        for (index, find) in self.sweep.found() {
            if self.incidents.any_open_about(&find.bbox) {
                reports.push((index, None));
            } else if any_about(&self.candidates, &find.bbox) {
                // The gate sees something there: that is judged by what it does, and may be permitted.
            } else if let Some((zone, rule, kind)) = self.broken_rule(find, at, context) {
                let report = self.found_report(find, zone, rule, kind, at, context);
                reports.push((index, Some((report, rule.clear_after_s, rule.repeat_s))));
            }
        }
        for (index, report) in reports {
            let Some((report, clear_after_s, repeat_s)) = report else {
                self.sweep.know(index);
                continue;
            };
            if !self.incidents.has_room() {
                context.counters.incidents_refused += 1;
                return;
            }
            self.sweep.know(index);
            let mut incident = Incident::new(report, at.mono, clear_after_s, repeat_s);
            incident.lose_place();
            let roles = [EvidenceRole::Trigger, EvidenceRole::Annotated];
            report_opening(&mut incident, Cause::Dwell, &roles, at, context);
            self.incidents.push_open(incident);
        }
    }

    /// The first rule, in the order of the configuration, that the thing breaks, and as what.
    fn broken_rule(
        &self,
        find: &Find,
        at: Moment,
        context: &StepContext<'_>,
    ) -> Option<(&Zone, &Rule, Kind)> {
        let size_m2 = context.settings.size_m2(self.config.ix, find.bbox);
        let in_zone = |z: &&Zone| share_inside(&z.polygon_norm, &find.bbox) >= REGION_SHARE;
        let zones = self.config.zones.iter().filter(in_zone);
        zones.flat_map(|z| z.rules.iter().map(move |r| (z, r))).find_map(|(zone, rule)| {
            let kind = kind_of(find, zone).filter(|kind| rule.kinds.contains(kind))?;
            let is_small = find.bbox.area() < rule.min_area_norm
                || size_m2.zip(rule.min_size_m2).is_some_and(|(size, least)| size < least);
            let in_force =
                rule_status(rule, at.wall_ms, context.settings.utc_offset_s) == RuleStatus::InForce;
            let is_long = at.mono.since_s(find.first) >= rule.dwell_s;
            (!is_small && in_force && is_long).then_some((zone, rule, kind))
        })
    }

    fn found_report(
        &self,
        find: &Find,
        zone: &Zone,
        rule: &Rule,
        kind: Kind,
        at: Moment,
        context: &StepContext<'_>,
    ) -> Report {
        let confidence = (find.score() * 100.0).round() / 100.0;
        let (looks, named) = find.looks();
        let (label, group, bbox) = (find.object.label.clone(), find.object.group, find.bbox);
        let reasons = [
            ("found_by", json!("sweep")),
            ("looks", json!(looks)),
            ("named", json!(named)),
            ("appeared_with", json!("nobody")),
        ];
        Report {
            incident_id: self.new_id(0, &find.bbox, at.at(find.first), at, context),
            revision: 0, // The first report makes it 1.
            phase: Phase::Opened,
            cause: Cause::Dwell,
            state: IncidentState::Open,
            kind,
            act: Some(Act::FoundAfter),
            confidence,
            at,
            first_seen: at.at(find.first),
            started: at.at(find.first),
            last_seen: at,
            dwell_s: tenths(at.mono.since_s(find.first)),
            count: 1,
            camera: self.config.ix,
            zone: zone.id.clone(),
            rule: rule.id.clone(),
            bbox,
            objects: vec![ReportObject { track: None, label, group, confidence, bbox }],
            reasons: reasons.map(|(name, value)| (name.to_owned(), value)).into(),
            evidence: Vec::new(),
            evidence_pending: Vec::new(),
            previous: None,
            sensor: None,
            recheck: None,
        }
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
