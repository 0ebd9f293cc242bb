//! The life of one incident: `open -> cleared | withdrawn`, its revisions, and what the centre said of it.

use kerbside_domain::case::{CaseState, CaseUpdate, Receipt, ReceiptResult};
use kerbside_domain::detection::{Group, ReportObject};
use kerbside_domain::evidence::{
    EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole, EvidenceSubject, IncidentFacts,
};
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;
use kerbside_domain::patrol::PatrolIncident;
use kerbside_domain::report::{Cause, IncidentState, Phase, Report};
use kerbside_domain::time::{Moment, Mono};

use super::candidate::Candidate;
use super::case_file::CaseFile;
use super::context::StepContext;
use super::effect::Effect;
use super::labels::Named;
use super::pin_span::{before_moment, clip_span, standing_moment};
use super::place::{Mover, covered_by, is_same_place, lies_in};
use super::reasons::{self, tenths};
use super::settings::Settings;
use super::told::ToldEvidence;
use super::tuning::bounds::MAX_OBJECTS;
use super::tuning::candidate::IS_MOVER_S;
use super::tuning::lifecycle::{GREW_EVERY_S, GREW_FACTOR, GREW_FOR_S, WITHDRAW_WITHIN_S};

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

/// What one frame says of an open incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// It stands there, or it cannot be said.
    Stands,
    /// It became larger than was last reported.
    Grew,
    /// It is gone, or was none.
    Ended(IncidentState),
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
    /// Its place: its static regions at their largest. The report's box may hold more.
    stands_at: BBox,
    /// As it was last seen, with what belongs to it.
    last_thing: BBox,
    /// When it was cleared or withdrawn.
    pub(super) closed: Option<Moment>,
    pub(super) clear_after_s: f64,
    pub(super) repeat_s: f64,
    gone_s: f64,
    /// The box of what was last seen of it: less than its place once a part has gone.
    last_box: BBox,
    /// The box with which this appearance opened.
    first_box: BBox,
    pub(super) told: ToldEvidence,
    /// The id that outputs were told when they warned of it, and answer by.
    pub(super) warned_as: Option<String>,
    growth: Growth,
}

impl Incident {
    pub(super) fn new(report: Report, at: Mono, clear_after_s: f64, repeat_s: f64) -> Self {
        Incident {
            state: IncidentState::Open,
            case: CaseFile::default(),
            candidate: None,
            observable: true,
            opened: at,
            stands_at: report.bbox,
            last_thing: report.bbox,
            closed: None,
            clear_after_s,
            repeat_s,
            gone_s: 0.0,
            last_box: report.bbox,
            first_box: report.bbox,
            told: ToldEvidence::default(),
            warned_as: None,
            growth: Growth::new(at),
            report,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.report.incident_id
    }

    /// Its place.
    pub(super) fn bbox(&self) -> BBox {
        self.stands_at
    }

    /// As a patrol report lists it.
    pub(super) fn patrolled(&self) -> PatrolIncident {
        let Report { incident_id, kind, camera, bbox, zone, first_seen, last_seen, .. } = &self.report;
        PatrolIncident {
            id: incident_id.clone(),
            kind: *kind,
            camera: *camera,
            bbox: *bbox,
            zone: zone.clone(),
            from: *first_seen,
            to: *last_seen,
        }
    }

    /// Whether it is about this place: as it stood, as it began, or as it was last seen.
    pub(super) fn is_about(&self, bbox: &BBox) -> bool {
        [self.bbox(), self.first_box, self.last_box].iter().any(|own| is_same_place(own, bbox))
    }

    /// It was cleared, and its case is not ended: what comes back may be the same.
    pub(super) fn may_reappear(&self) -> bool {
        self.state == IncidentState::Cleared && !self.is_case_ended()
    }

    /// Whether what stands there now may be the same again: a thing comes back piece by piece, so a piece inside its place is
    /// enough.
    pub(super) fn may_return_at(&self, bbox: &BBox) -> bool {
        self.is_about(bbox) || lies_in(bbox, &self.bbox())
    }

    /// Whether a thing of this kind at this place, now, is the same again: within the repeat interval.
    pub(super) fn is_repeated(&self, kind: Kind, zone: &str, bbox: &BBox, now: Mono) -> bool {
        self.report.kind == kind
            && self.report.zone == zone
            && self.may_return_at(bbox)
            && self.closed.is_some_and(|closed| now.since_s(closed.mono) <= self.repeat_s)
    }

    /// It stands on this candidate from now on; also one that was cleared and reappears.
    pub(super) fn open_on(&mut self, candidate: &Candidate, at: Moment) {
        self.state = IncidentState::Open;
        self.observable = true;
        self.closed = None;
        self.gone_s = 0.0;
        self.opened = at.mono;
        self.candidate = Some(candidate.id);
        self.report.started = at.dating(candidate.appeared());
        self.report.dwell_s = 0.0;
        self.first_box = candidate.bbox();
        // A piece of it that is the first to come back does not make the place smaller.
        if !lies_in(&self.first_box, &self.stands_at) {
            (self.stands_at, self.report.bbox) = (self.first_box, self.first_box);
        }
        self.growth.reported(candidate.area_norm(), at.mono);
    }

    /// It was cleared, and looks find it at its place again: no candidate shows it. `found`: as it is now.
    pub(super) fn found_again(&mut self, found: Report, at: Mono) {
        let Report { incident_id, revision, first_seen, previous, .. } = self.report.clone();
        (self.state, self.closed, self.gone_s, self.opened) = (IncidentState::Open, None, 0.0, at);
        (self.stands_at, self.first_box) = (found.bbox, found.bbox);
        (self.last_box, self.last_thing) = (found.bbox, found.bbox);
        self.report = Report { incident_id, revision, first_seen, previous, ..found };
    }

    /// It is over.
    pub(super) fn end(&mut self, state: IncidentState, at: Moment) {
        self.state = state;
        self.closed = Some(at);
    }

    /// Its background was lost: whether it is gone cannot be said until its place is seen again.
    pub(super) fn lose_place(&mut self) {
        self.candidate = None;
        self.observable = false;
    }

    /// One frame: brings the report up to date and says what became of it.
    pub(super) fn follow(
        &mut self,
        candidate: Option<(&Candidate, &[ReportObject])>,
        at: Moment,
        dt_s: f64,
        movers: &[Mover],
        context: &StepContext<'_>,
    ) -> Followed {
        if let Some((candidate, attendants)) = candidate {
            self.gone_s = 0.0;
            self.observable = true;
            self.refresh(at, candidate, attendants, context.settings);
            if self.is_mistaken(candidate, at.mono) {
                return Followed::Ended(IncidentState::Withdrawn);
            }
            if self.growth.is_due(candidate.area_norm(), at.mono) {
                self.growth.reported(candidate.area_norm(), at.mono);
                return Followed::Grew;
            }
            return Followed::Stands;
        }
        // "Not seen" counts only where one could have seen it (invariant 13).
        if self.observable && covered_by(&self.last_box, movers).is_none() {
            self.gone_s += dt_s;
        }
        let is_gone = self.observable && self.gone_s >= self.clear_after_s;
        if is_gone { Followed::Ended(IncidentState::Cleared) } else { Followed::Stands }
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
        self.last_box = candidate.bbox();
        // What goes piece by piece keeps its place until all of it is gone.
        if self.last_box.area() > self.stands_at.area() {
            self.stands_at = self.last_box;
        }
        self.last_thing = candidate.thing_box(report.kind);
        if self.last_thing.area() > report.bbox.area() {
            report.bbox = self.last_thing;
        }
        report.objects = vec![object_of(candidate, report)];
        report.objects.extend(attendants.iter().take(MAX_OBJECTS).cloned());
        let seen = reasons::of(candidate, settings.size_m2(report.camera, self.last_box));
        reasons::renew(&mut report.reasons, seen);
    }

    /// Reports the next revision. It names no evidence.
    pub(super) fn report_revision(
        &mut self,
        at: Moment,
        phase: Phase,
        cause: Cause,
        context: &mut StepContext<'_>,
    ) {
        self.report_naming(at, (phase, cause), Vec::new(), Vec::new(), context);
    }

    /// Reports the next revision, which names these files and what is still to come with them.
    fn report_naming(
        &mut self,
        at: Moment,
        (phase, cause): (Phase, Cause),
        items: Vec<EvidenceItem>,
        pending: Vec<EvidenceRole>,
        context: &mut StepContext<'_>,
    ) {
        let report = &mut self.report;
        report.revision += 1;
        report.phase = phase;
        report.cause = cause;
        report.state = self.state;
        report.at = at;
        report.evidence = items;
        report.evidence_pending = pending;
        match phase {
            Phase::Opened => context.counters.opened += 1,
            Phase::Updated => context.counters.updated += 1,
            Phase::Cleared => context.counters.cleared += 1,
            Phase::Withdrawn => context.counters.withdrawn += 1,
            Phase::Recheck | Phase::Settled => {} // Counted where it is answered or settled.
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
        self.told.request(revision, roles);
        self.report_naming(at, (phase, cause), Vec::new(), roles.to_vec(), context);
        let (appeared, settings) = (self.report.started, context.settings);
        let requires = |role: EvidenceRole| roles.contains(&role);
        let report = &self.report;
        context.effects.push(Effect::Save(EvidenceRequest {
            subject: EvidenceSubject::Incident(report.incident_id.clone()),
            revision,
            kind: Some(report.kind),
            camera: report.camera,
            before_at: requires(EvidenceRole::Before).then(|| match self.state {
                IncidentState::Settled => standing_moment(appeared, settings),
                _ => before_moment(appeared, settings),
            }),
            trigger_at: at,
            clip: requires(EvidenceRole::Clip).then(|| clip_span(appeared, settings)),
            zone: report.zone.clone(),
            bbox: if self.state == IncidentState::Open { self.last_thing } else { report.bbox },
            objects: report.objects.clone(),
            roles: roles.to_vec(),
            facts: IncidentFacts {
                is_gone: self.state == IncidentState::Cleared,
                dwell_s: Some(report.dwell_s),
                case_no: self.case.case_no.clone(),
                sensor: report.sensor.as_ref().map(|sensor| sensor.id.clone()),
            },
        }));
    }

    /// Evidence is durable, or will not come: reports the revision that names it.
    pub(super) fn evidence(
        &mut self,
        at: Moment,
        mut outcome: EvidenceOutcome,
        context: &mut StepContext<'_>,
    ) {
        let Some(items) = self.told.settle(&mut outcome) else { return };
        let pending = self.told.pending_of(outcome.revision);
        reasons::set_shortfall(&mut self.report.reasons, outcome.shortfall);
        self.report_naming(at, (Phase::Updated, Cause::Evidence), items, pending, context);
    }

    /// Files whose dates were put right are named once more.
    pub(super) fn report_redated(
        &mut self,
        at: Moment,
        items: Vec<EvidenceItem>,
        context: &mut StepContext<'_>,
    ) {
        self.report_naming(at, (Phase::Updated, Cause::Clock), items, Vec::new(), context);
    }

    /// Revisions whose evidence is still to come; 0: of an earlier run.
    pub(super) fn pending_revisions(&self) -> Vec<u32> {
        let mut revisions: Vec<u32> = self.told.pending().iter().map(|p| p.revision).collect();
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
        self.case.officer_sent |= update.state.sends_somebody();
        self.case.state = Some(update.state);
        self.case.reason = update.reason;
    }

    /// The centre has ended its case: it is never continued.
    pub(super) fn is_case_ended(&self) -> bool {
        self.case.state.as_ref().is_some_and(CaseState::is_end)
    }

    /// The centre ended its case because it was handled, not because it was none.
    pub(super) fn is_case_handled(&self) -> bool {
        matches!(self.case.state, Some(CaseState::Closed | CaseState::FollowedUp))
    }
}

/// The object of the report: its name and its score are of one witness. What nobody named is what the box itself vouches for.
fn object_of(candidate: &Candidate, report: &Report) -> ReportObject {
    let (track, bbox) = (None, candidate.bbox());
    match candidate.labels.name(Some(report.kind)) {
        Some(Named { label, group, score }) => {
            let confidence = (score * 100.0).round() / 100.0;
            ReportObject { track, label, group, confidence, bbox }
        }
        None => {
            let (label, group) = ("static_object".into(), Group::Other);
            ReportObject { track, label, group, confidence: report.confidence, bbox }
        }
    }
}
