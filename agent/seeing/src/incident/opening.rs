//! Opening: a candidate that fulfils a rule becomes an incident, or goes on with the one that was at this place before.

use kerbside_domain::detection::Group;
use kerbside_domain::evidence::EvidenceRole;
use kerbside_domain::kind::Kind;
use kerbside_domain::report::{Cause, IncidentState, Phase, Report};
use kerbside_domain::time::Moment;
use kerbside_site::config::Rule;

use super::camera::{CameraCore, attendants_of};
use super::candidate::Candidate;
use super::context::StepContext;
use super::judge::{Circumstances, Judgement, judge};
use super::lifecycle::Incident;
use super::opening_terms::{Classification, Opening};
use super::part::Explanation;
use super::reasons;
use super::refusal::{Check, Fate, Measure, WhyNot};
use super::refusing;
use super::tuning::bounds::MAX_OPEN;
use super::tuning::candidate::EXPLAINED_SHARE;
use super::tuning::place::WITNESS_BUFFER;
use super::warned::{self, Step, Warned};
use super::words::{self, Accused};
use crate::rules::OperatingPoint;

impl CameraCore {
    /// Opens an incident for each candidate that fulfils a rule and has none.
    pub(super) fn judge_candidates(&mut self, at: Moment, context: &mut StepContext<'_>) {
        for id in self.candidates.ids() {
            if self.incidents.stand_on(id) {
                continue;
            }
            match self.find_opening(id, at, context) {
                Some((Step::Open, opening)) => self.open_incident(id, opening, at, context),
                Some((Step::Warn, opening)) => self.warn(id, opening, at, context),
                Some((Step::Wait, _)) | None => {}
            }
        }
    }

    /// The first rule, in the order of the configuration, that the candidate fulfils, and what it does. Each refusal is told
    /// once.
    fn find_opening(
        &mut self,
        id: u32,
        at: Moment,
        context: &mut StepContext<'_>,
    ) -> Option<(Step, Opening)> {
        let candidate = self.candidates.get(id)?;
        let now = Circumstances {
            wall_ms: at.wall_ms,
            utc_offset_s: context.settings.utc_offset_s,
            witness_left: self.has_witness_left(candidate),
            size_m2: context.settings.size_m2(self.config.ix, candidate.bbox()),
        };
        let candidate = self.candidates.get_mut(id)?;
        for zone in &self.config.zones {
            for rule in &zone.rules {
                match judge(candidate, zone, rule, now) {
                    Judgement::NotYet => {}
                    Judgement::No(why) => {
                        refusing::refuse(&self.config, candidate, (&zone.id, &rule.id), why, at, context);
                    }
                    Judgement::Incident(classification) => {
                        let accused = accused(candidate, rule, classification);
                        let classification = match words::weigh(&candidate.labels.words, accused) {
                            Ok(classification) => classification,
                            Err(why) => {
                                let by = (zone.id.as_str(), rule.id.as_str());
                                refusing::refuse(&self.config, candidate, by, why, at, context);
                                continue;
                            }
                        };
                        if let Some(why) = self.sensor_words.refusal(&zone.id, &rule.id) {
                            refusing::refuse(&self.config, candidate, (&zone.id, &rule.id), why, at, context);
                            continue;
                        }
                        let opening = Opening {
                            classification,
                            zone: zone.id.clone(),
                            rule: rule.id.clone(),
                            clear_after_s: rule.clear_after_s,
                            repeat_s: rule.repeat_s,
                        };
                        return Some((
                            warned::step(candidate.warned.as_ref(), rule, at, now.utc_offset_s),
                            opening,
                        ));
                    }
                }
            }
        }
        None
    }

    /// Whoever was there when it appeared is somewhere else now, or out of sight.
    fn has_witness_left(&self, candidate: &Candidate) -> bool {
        let Some(witness) = candidate.witness() else { return false };
        let bbox = candidate.bbox();
        let mut of_witness = self.tracker.tracks().filter(|t| t.id == witness.track);
        !of_witness.any(|t| t.bbox.buffered(WITNESS_BUFFER).intersection(&bbox) > 0.0)
    }

    /// Opens the incident, or says `reappeared` if the same was at this place within the repeat interval.
    fn open_incident(&mut self, id: u32, opening: Opening, at: Moment, context: &mut StepContext<'_>) {
        if !self.incidents.has_room() {
            let Some(candidate) = self.candidates.get_mut(id) else { return };
            let open = self.incidents.open().len() as u32 + 1;
            let why =
                WhyNot::TooManyOpen { check: Check::new(Measure::OpenIncidents, open, MAX_OPEN as u32) };
            let by = (opening.zone.as_str(), opening.rule.as_str());
            if refusing::refuse(&self.config, candidate, by, why, at, context) {
                context.counters.incidents_refused += 1;
            }
            return;
        }
        let Some(candidate) = self.candidates.get(id) else { return };
        let Classification { kind, act, confidence } = opening.classification;
        let repeated = self.incidents.take_repeated(kind, &opening.zone, &candidate.bbox(), at.mono);
        let cause = if repeated.is_some() { Cause::Reappeared } else { Cause::Dwell };
        let mut incident = repeated.unwrap_or_else(|| self.first_revision(candidate, &opening, at, context));
        self.rename_candidate(id, incident.id().to_owned(), at, context);
        let Some(candidate) = self.candidates.get_mut(id) else { return };
        candidate.is_pinned = false; // The `Save` uses what was pinned.
        candidate.id_is_borrowed = false;
        incident.open_on(candidate, at);
        incident.report.confidence = confidence;
        incident.report.act = act;
        note_service(&mut incident, candidate.warned.as_ref(), &opening, context);
        // From now on the incident knows; what it proves to be is not settled.
        incident.warned_as = candidate.warned.take().map(|warned| warned.told_as);
        let attendants = attendants_of(&self.tracker, candidate);
        incident.refresh(at, candidate, &attendants, context.settings);
        let mut roles = vec![EvidenceRole::Before, EvidenceRole::Trigger, EvidenceRole::Annotated];
        if cause == Cause::Reappeared {
            context.counters.reappeared += 1;
            roles.remove(0); // The first opening's picture shows the place without it.
        }
        if context.settings.clip {
            roles.push(EvidenceRole::Clip);
        }
        report_opening(&mut incident, cause, &roles, at, context);
        let fate = Fate::Reported { incident_id: incident.id().to_owned() };
        refusing::end(&self.config, candidate, fate, context);
        self.incidents.push_open(incident);
    }

    /// An incident that has not been reported yet.
    pub(super) fn first_revision(
        &self,
        candidate: &Candidate,
        opening: &Opening,
        at: Moment,
        context: &StepContext<'_>,
    ) -> Incident {
        // The cleared incident whose id it borrowed is too old by now, or was of another kind.
        let incident_id = if candidate.id_is_borrowed {
            self.own_id(candidate, at, context)
        } else {
            candidate.incident_id.clone()
        };
        let Classification { kind, act, confidence } = opening.classification;
        let ended = self.incidents.ended_before(kind, &opening.zone, &candidate.bbox(), at.mono);
        let started = at.dating(candidate.appeared());
        let report = Report {
            incident_id,
            revision: 0, // The first report makes it 1.
            phase: Phase::Opened,
            cause: Cause::Dwell,
            state: IncidentState::Open,
            kind,
            act,
            confidence,
            at,
            first_seen: started,
            started,
            last_seen: at,
            dwell_s: 0.0,
            count: 1,
            camera: self.config.ix,
            zone: opening.zone.clone(),
            rule: opening.rule.clone(),
            bbox: candidate.bbox(),
            objects: Vec::new(),
            reasons: Vec::new(),
            evidence: Vec::new(),
            evidence_pending: Vec::new(),
            sensor: None,
            previous: ended.map(|ended| ended.id().to_owned()),
            recheck: None,
        };
        Incident::new(report, at.mono, opening.clear_after_s, opening.repeat_s)
    }
}

/// What the witness is to judge.
fn accused(candidate: &Candidate, rule: &Rule, found: Classification) -> Accused {
    let (scores, least) = (candidate.labels.scores(), OperatingPoint::of(rule.sensitivity).min_score);
    let named = match found.kind {
        Kind::StallOccupying | Kind::StallMobileVendor | Kind::ShopfrontOverflow => scores.stall,
        Kind::PileGoods => scores.goods,
        _ => scores.waste.max(scores.overflow),
    };
    let came_with_vehicle = candidate.witness().is_some_and(|w| w.group == Group::Vehicle);
    Accused {
        found,
        is_named: named >= least,
        is_vehicle: came_with_vehicle
            || matches!(candidate.explanation(EXPLAINED_SHARE), Some(Explanation::Vehicle)),
        dwell_s: candidate.dwell_s(),
        rule_dwell_s: rule.dwell_s,
    }
}

/// The first revision of an incident, or of a new appearance of it, with the evidence that it requests.
pub(super) fn report_opening(
    incident: &mut Incident,
    cause: Cause,
    roles: &[EvidenceRole],
    at: Moment,
    context: &mut StepContext<'_>,
) {
    let phase = if cause == Cause::Reappeared { Phase::Updated } else { Phase::Opened };
    incident.report_with_evidence(at, phase, cause, roles, context);
}

/// What was done for whoever stands there before the case was opened, and where else they are welcome.
pub(super) fn note_service(
    incident: &mut Incident,
    warned: Option<&Warned>,
    opening: &Opening,
    context: &StepContext<'_>,
) {
    if let Some(warned) = warned {
        reasons::set_warned(&mut incident.report.reasons, warned.dwell_s, warned.spoken);
    }
    let rule = context.settings.rule(incident.report.camera, &opening.zone, &opening.rule);
    let places = rule.iter().flat_map(|(_, rule)| &rule.permits).filter_map(|p| p.welcome_at.as_deref());
    reasons::set_welcome(&mut incident.report.reasons, places);
}
