//! The life of one incident: `open -> cleared | withdrawn`, its revisions, and what the centre said of it.

use kerbside_domain::case::{CaseUpdate, Receipt, ReceiptResult};
use kerbside_domain::detection::{Group, ReportObject};
use kerbside_domain::evidence::{
    EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole, EvidenceSubject,
};
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;
use kerbside_domain::report::{Cause, IncidentState, Phase, Report};
use kerbside_domain::time::{Moment, Mono};

use super::candidate::Candidate;
use super::case_file::CaseFile;
use super::context::StepContext;
use super::effect::Effect;
use super::pin_span::{before_moment, clip_span};
use super::place::{Mover, covered_by, is_same_place};
use super::reasons::{self, tenths};
use super::settings::Settings;
use super::tuning::bounds::MAX_OBJECTS;
use super::tuning::candidate::IS_MOVER_S;
use super::tuning::lifecycle::{GREW_EVERY_S, GREW_FACTOR, GREW_FOR_S, WITHDRAW_WITHIN_S};

/// Evidence that was requested by a revision and has not been answered. Revision 0: requested before a restart, which forgot
/// by which revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PendingEvidence {
    pub(super) revision: u32,
    pub(super) role: EvidenceRole,
}

/// How large the object was when it was last reported, and whether it has grown since.
#[derive(Clone, Debug)]
struct Growth {
    reported_area: f32,
    reported_at: Mono,
    grown_since: Option<Mono>,
}

impl Growth {
    fn new(at: Mono) -> Self {
        Growth { reported_area: 0.0, reported_at: at, grown_since: None }
    }

    fn reported(&mut self, area: f32, at: Mono) {
        *self = Growth { reported_area: area, reported_at: at, grown_since: None };
    }

    /// Whether it is time to say that it grew.
    fn is_due(&mut self, area: f32, at: Mono) -> bool {
        if self.reported_area <= 0.0 {
            self.reported_area = area; // A restored incident: the first sight is the measure.
        }
        if area < self.reported_area * GREW_FACTOR {
            self.grown_since = None;
            return false;
        }
        let since = *self.grown_since.get_or_insert(at);
        at.since_s(since) >= GREW_FOR_S && at.since_s(self.reported_at) >= GREW_EVERY_S
    }
}

/// One incident of one camera.
#[derive(Debug)]
pub(super) struct Incident {
    /// The latest revision, as it was reported, and what was seen since.
    pub(super) report: Report,
    pub(super) state: IncidentState,
    pub(super) case: CaseFile,
    /// The candidate that it stands on; none while that is looked for again.
    pub(super) candidate: Option<u32>,
    /// Its place can be judged: false after the background was lost, until it is seen again.
    pub(super) observable: bool,
    opened: Mono,
    /// When what stands there now appeared: later than first seen for what reappeared.
    appeared: Moment,
    /// When it was cleared or withdrawn.
    pub(super) closed: Option<Moment>,
    pub(super) clear_after_s: f64,
    pub(super) repeat_s: f64,
    gone_s: f64,
    pending_evidence: Vec<PendingEvidence>,
    growth: Growth,
}

impl Incident {
    pub(super) fn new(report: Report, at: Mono, clear_after_s: f64, repeat_s: f64) -> Self {
        let pending = |role: &EvidenceRole| PendingEvidence { revision: 0, role: *role };
        Incident {
            state: IncidentState::Open,
            case: CaseFile::default(),
            candidate: None,
            observable: true,
            opened: at,
            appeared: report.first_seen,
            closed: None,
            clear_after_s,
            repeat_s,
            gone_s: 0.0,
            pending_evidence: report.evidence_pending.iter().map(pending).collect(),
            growth: Growth::new(at),
            report,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.report.incident_id
    }

    pub(super) fn bbox(&self) -> BBox {
        self.report.bbox
    }

    /// Whether it is about this place.
    pub(super) fn is_about(&self, bbox: &BBox) -> bool {
        is_same_place(&self.bbox(), bbox)
    }

    /// It stands on this candidate from now on; also one that was cleared and reappears.
    pub(super) fn open_on(&mut self, candidate: &Candidate, at: Moment) {
        self.state = IncidentState::Open;
        self.observable = true;
        self.closed = None;
        self.gone_s = 0.0;
        self.opened = at.mono;
        self.candidate = Some(candidate.id);
        self.appeared = candidate.appeared();
        self.report.dwell_s = 0.0;
        self.growth.reported(candidate.area_norm(), at.mono);
    }

    /// Its background was lost: whether it is gone cannot be said until its place is seen again.
    pub(super) fn lose_place(&mut self) {
        self.candidate = None;
        self.observable = false;
    }

    /// One frame: brings the report up to date, says whether it grew, and returns the state that it is in now.
    pub(super) fn follow(
        &mut self,
        candidate: Option<(&Candidate, &[ReportObject])>,
        at: Moment,
        dt_s: f64,
        movers: &[Mover],
        context: &mut StepContext<'_>,
    ) -> IncidentState {
        if let Some((candidate, attendants)) = candidate {
            self.gone_s = 0.0;
            self.observable = true;
            self.refresh(at, candidate, attendants, context.settings);
            if self.is_mistaken(candidate, at.mono) {
                return IncidentState::Withdrawn;
            }
            if self.growth.is_due(candidate.area_norm(), at.mono) {
                self.growth.reported(candidate.area_norm(), at.mono);
                self.report_revision(at, Phase::Updated, Cause::Grew, context);
            }
            return IncidentState::Open;
        }
        // "Not seen" counts only where one could have seen it (invariant 13).
        if self.observable && covered_by(&self.bbox(), movers).is_none() {
            self.gone_s += dt_s;
        }
        let is_gone = self.observable && self.gone_s >= self.clear_after_s;
        if is_gone { IncidentState::Cleared } else { IncidentState::Open }
    }

    /// It proves to be a vehicle or person soon after opening.
    fn is_mistaken(&self, candidate: &Candidate, at: Mono) -> bool {
        let is_young = at.since_s(self.opened) <= WITHDRAW_WITHIN_S + IS_MOVER_S;
        let is_sold_from_vehicle = self.report.kind == Kind::StallMobileVendor;
        is_young && !is_sold_from_vehicle && candidate.same_as_mover_s() >= IS_MOVER_S
    }

    /// Brings the report up to date with what the candidate knows; reports nothing.
    pub(super) fn refresh(
        &mut self,
        at: Moment,
        candidate: &Candidate,
        attendants: &[ReportObject],
        settings: &Settings,
    ) {
        let report = &mut self.report;
        report.last_seen = at;
        report.dwell_s = tenths(candidate.dwell_s()).max(report.dwell_s);
        report.count = candidate.parts.len() as u32;
        report.bbox = candidate.bbox();
        let (label, group) = match candidate.labels.last() {
            Some((label, group)) => (label.clone(), *group),
            None => ("static_object".into(), Group::Other),
        };
        let (track, confidence, bbox) = (None, report.confidence, report.bbox);
        report.objects = vec![ReportObject { track, label, group, confidence, bbox }];
        report.objects.extend(attendants.iter().take(MAX_OBJECTS).cloned());
        report.reasons = reasons::of(candidate, settings.size_m2(report.camera, report.bbox));
    }

    /// Reports the next revision.
    pub(super) fn report_revision(
        &mut self,
        at: Moment,
        phase: Phase,
        cause: Cause,
        context: &mut StepContext<'_>,
    ) {
        let report = &mut self.report;
        report.revision += 1;
        report.phase = phase;
        report.cause = cause;
        report.at = at;
        reasons::set_state(&mut report.reasons, self.state);
        report.evidence_pending = self.pending_evidence.iter().map(|p| p.role).collect();
        match phase {
            Phase::Opened => context.counters.opened += 1,
            Phase::Updated => context.counters.updated += 1,
            Phase::Cleared => context.counters.cleared += 1,
            Phase::Withdrawn => context.counters.withdrawn += 1,
            Phase::Recheck => {} // Counted where it is answered.
        }
        context.effects.push(Effect::Report(Box::new(report.clone())));
    }

    /// Reports the next revision and requests its evidence. The report names the roles as pending.
    pub(super) fn report_with_evidence(
        &mut self,
        at: Moment,
        phase: Phase,
        cause: Cause,
        roles: &[EvidenceRole],
        context: &mut StepContext<'_>,
    ) {
        let revision = self.report.revision + 1;
        self.pending_evidence.extend(roles.iter().map(|&role| PendingEvidence { revision, role }));
        self.report_revision(at, phase, cause, context);
        let (appeared, settings) = (self.appeared, context.settings);
        let requires = |role: EvidenceRole| roles.contains(&role);
        let report = &self.report;
        context.effects.push(Effect::Save(EvidenceRequest {
            subject: EvidenceSubject::Incident(report.incident_id.clone()),
            revision,
            kind: Some(report.kind),
            camera: report.camera,
            before_at: requires(EvidenceRole::Before).then(|| before_moment(appeared, settings)),
            trigger_at: at,
            clip: requires(EvidenceRole::Clip).then(|| clip_span(appeared, settings)),
            zone: report.zone.clone(),
            bbox: report.bbox,
            objects: report.objects.clone(),
            roles: roles.to_vec(),
        }));
    }

    /// Evidence is durable, or will not come: reports the revision that names it.
    pub(super) fn evidence(&mut self, at: Moment, outcome: EvidenceOutcome, context: &mut StepContext<'_>) {
        let is_answered = |pending: &PendingEvidence| {
            (pending.revision == outcome.revision || pending.revision == 0)
                && outcome.answers.contains(&pending.role)
        };
        let was_pending = self.pending_evidence.iter().any(is_answered);
        self.pending_evidence.retain(|pending| !is_answered(pending));
        let reported = &self.report.evidence;
        let new_items: Vec<_> = outcome.items.into_iter().filter(|i| !reported.contains(i)).collect();
        if new_items.is_empty() && !was_pending {
            return; // The same outcome a second time.
        }
        // A later manifest of the same revision names all that the earlier one did.
        let revision = format!("r{}-", outcome.revision);
        if new_items.iter().any(|i| i.role == EvidenceRole::Manifest) {
            let is_superseded =
                |i: &EvidenceItem| i.role == EvidenceRole::Manifest && i.id.starts_with(&revision);
            self.report.evidence.retain(|i| !is_superseded(i));
        }
        self.report.evidence.extend(new_items);
        reasons::set_shortfall(&mut self.report.reasons, outcome.shortfall);
        self.report_revision(at, Phase::Updated, Cause::Evidence, context);
    }

    /// Revisions whose evidence is still to come; 0: of an earlier run.
    pub(super) fn pending_revisions(&self) -> Vec<u32> {
        let mut revisions: Vec<u32> = self.pending_evidence.iter().map(|p| p.revision).collect();
        revisions.dedup();
        revisions
    }

    /// The centre answered one of its revisions.
    pub(super) fn receipt(&mut self, revision: u32, receipt: Receipt) {
        let case = &mut self.case;
        case.receipted_revision = case.receipted_revision.max(revision);
        case.case_no = receipt.case_no.or(case.case_no.take());
        case.due_at = receipt.due_at.or(case.due_at.take());
        case.rejected = receipt.result == ReceiptResult::Rejected;
        if case.rejected {
            case.reason = receipt.reason;
        }
    }

    /// The centre's case went a step further.
    pub(super) fn case_update(&mut self, update: CaseUpdate) {
        self.case.case_no = update.case_no.or(self.case.case_no.take());
        self.case.recheck_due |= update.state.requires_recheck();
        self.case.state = Some(update.state);
        self.case.reason = update.reason;
    }

    /// The centre has ended its case: what cannot be seen any more need not be remembered.
    pub(super) fn is_case_ended(&self) -> bool {
        self.case.state.as_ref().is_some_and(|state| state.is_end())
    }
}
