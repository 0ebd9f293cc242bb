//! Opening: a finding becomes an incident, or goes on with the one that was at this place before.

use crate::tracker::VacatedPlace;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Moment;
use kerbside_site::config::{Rule, Zone};

use super::camera::{CameraCore, MAX_OPEN, is_about};
use super::judge::Finding;
use super::life::{Incident, Standing, StepContext};
use super::spot::{Part, Spot};
use super::{EvidenceRole, Phase, Report};

/// Two boxes of one thing, seen by detector and gate, agree at least so well.
const SAME_THING_IOU: f32 = 0.4;
/// A place is left at most this long before the gate sees the change, or this long after (a hidden track is kept 90 s).
const LEFT_BEFORE_S: f64 = 10.0;
const LEFT_AFTER_S: f64 = 100.0;
/// A track that began in the very place was there before the change.
const BEGAN_BY_S: f64 = 2.0;

/// A finding with what its rule says about the incident's life.
#[derive(Debug)]
pub(super) struct Opening {
    finding: Finding,
    zone: String,
    rule: String,
    clear_after_s: f64,
    repeat_s: f64,
}

impl Opening {
    pub(super) fn new(finding: Finding, zone: &Zone, rule: &Rule) -> Self {
        Opening {
            finding,
            zone: zone.id.clone(),
            rule: rule.id.clone(),
            clear_after_s: rule.clear_after_s,
            repeat_s: rule.repeat_s,
        }
    }

    /// Something stood here and left: the change is the ground it uncovered, not a thing.
    pub(super) fn is_bare_ground(part: &Part, vacated: &[VacatedPlace], tracks: &[(u32, BBox)]) -> bool {
        let appeared = part.seen.appeared.mono;
        let (from, to) = (appeared.minus_s(LEFT_BEFORE_S), appeared.plus_s(LEFT_AFTER_S));
        let left =
            |v: &VacatedPlace| v.at >= from && v.at <= to && v.bbox.iou(&part.seen.bbox) >= SAME_THING_IOU;
        let fits = |bbox: &BBox| bbox.iou(&part.seen.bbox) >= SAME_THING_IOU;
        let began_here = part.witness.as_ref().is_some_and(|w| {
            let still_here = tracks.iter().any(|t| t.0 == w.track && fits(&t.1));
            fits(&w.first_bbox) && w.first_seen <= appeared.plus_s(BEGAN_BY_S) && !still_here
        });
        vacated.iter().any(left) || began_here
    }
}

impl CameraCore {
    /// Opens the incident, or says `reappeared` if the same thing was at this place within the repeat interval.
    pub(super) fn open_incident(
        &mut self,
        index: usize,
        opening: Opening,
        at: Moment,
        voice: &mut StepContext<'_>,
    ) {
        if self.open.len() >= MAX_OPEN {
            let reason = (opening.rule, "too_many_open");
            if self.spots[index].refused.insert(reason) {
                voice.counters.incidents_refused += 1;
            }
            return;
        }
        let spot = self.spots[index].clone();
        let company = self.company_of(&spot);
        let again = self.past.iter().position(|i| {
            i.standing == Standing::Cleared
                && i.report.kind == opening.finding.kind
                && i.report.zone == opening.zone
                && is_about(i, &spot.bbox())
                && i.closed.is_some_and(|c| at.mono.since_s(c.mono) <= i.repeat_s)
        });
        let mut incident = match again {
            Some(past) => self.past.remove(past),
            None => {
                // The cleared incident whose id it got is too old by now, or was of another kind.
                let fresh =
                    spot.borrowed.then(|| self.new_id(spot.id, &spot.bbox(), spot.appeared(), at, voice));
                let id = fresh.unwrap_or_else(|| spot.incident_id.clone());
                let report = self.first_report(id, &spot, &opening, at);
                Incident::new(report, at.mono, opening.clear_after_s, opening.repeat_s)
            }
        };
        self.rename(index, incident.report.incident_id.clone(), at, voice);
        self.spots[index].kept = false; // The `Save` uses it.
        self.spots[index].borrowed = false;
        incident.standing = Standing::Open;
        incident.observable = true;
        incident.closed = None;
        incident.gone_s = 0.0;
        incident.opened = at.mono;
        incident.spot = Some(spot.id);
        incident.appeared = spot.appeared();
        incident.report.confidence = opening.finding.confidence;
        incident.report.act = opening.finding.act;
        incident.report.dwell_s = 0.0;
        incident.refresh(at, &spot, &company, voice.settings);
        incident.note_size(at.mono, &spot);
        let (phase, cause) = match again {
            Some(_) => (Phase::Updated, "reappeared"),
            None => (Phase::Opened, "opened"),
        };
        if again.is_some() {
            voice.counters.reappeared += 1;
        }
        let mut roles = vec![EvidenceRole::Before, EvidenceRole::Trigger, EvidenceRole::Annotated];
        if again.is_some() {
            roles.remove(0); // The first opening's picture shows the place without it.
        }
        if voice.settings.clip {
            roles.push(EvidenceRole::Clip);
        }
        incident.say_with_evidence(at, phase, cause, &roles, voice);
        self.open.push(incident);
    }

    fn first_report(&self, incident_id: String, spot: &Spot, opening: &Opening, at: Moment) -> Report {
        Report {
            incident_id,
            revision: 0, // `say` makes it 1.
            phase: Phase::Opened,
            cause: String::new(),
            kind: opening.finding.kind,
            act: opening.finding.act,
            confidence: opening.finding.confidence,
            at,
            first_seen: spot.appeared(),
            last_seen: at,
            dwell_s: 0.0,
            count: 1,
            camera: self.config.ix,
            zone: opening.zone.clone(),
            rule: opening.rule.clone(),
            bbox: spot.bbox(),
            objects: Vec::new(),
            reasons: Vec::new(),
            evidence: Vec::new(),
            evidence_pending: Vec::new(),
            recheck: None,
        }
    }
}
