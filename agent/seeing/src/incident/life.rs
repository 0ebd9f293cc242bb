//! The life of one incident: `open -> cleared | withdrawn`, its revisions and what the centre said of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::{Moment, Mono};

use super::keeping::{before, span};
use super::spot::Spot;
use super::{
    CaseState, Counters, Effect, EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole, Phase,
    Receipt, Report, ReportObject, Settings, ends_case,
};

/// Where an incident stands, whatever its latest revision was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Open,
    Cleared,
    Withdrawn,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Open => "open",
            Standing::Cleared => "cleared",
            Standing::Withdrawn => "withdrawn",
        }
    }
}

/// What the centre answered: its case number and the latest state of its case, as text it may extend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFile {
    pub case_no: Option<String>,
    pub due_at: Option<String>,
    pub state: Option<String>,
    pub reason: Option<String>,
    /// Highest revision with a receipt, and whether the centre rejected it (with its reason above).
    pub receipted_revision: u32,
    pub rejected: bool,
    /// The centre says it was handled and the place was not looked at yet.
    #[serde(default)]
    pub recheck_due: bool,
}

/// Everything the centre can say, said with these.
pub(super) struct StepContext<'a> {
    pub(super) settings: &'a Settings,
    pub(super) counters: &'a mut Counters,
    pub(super) effects: &'a mut Vec<Effect>,
}

/// Between two `grew` revisions.
const GREW_EVERY_S: f64 = 60.0;
/// Larger by this factor has grown ...
const GREW_FACTOR: f32 = 1.5;
/// ... if it stays so for this long.
const GREW_FOR_S: f64 = 10.0;
/// Attendants and vehicles named beside the thing itself.
const MAX_OBJECTS: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Incident {
    /// The latest revision, as it was said.
    pub(super) report: Report,
    pub(super) standing: Standing,
    pub(super) case: CaseFile,
    /// The spot it stands on; none while it is looked for again.
    pub(super) spot: Option<u32>,
    /// Its place can be judged: false after the background was lost, until it is seen again.
    pub(super) observable: bool,
    pub(super) opened: Mono,
    /// When what stands there now appeared: later than first seen for what reappeared.
    pub(super) appeared: Moment,
    /// When it was cleared or withdrawn.
    pub(super) closed: Option<Moment>,
    pub(super) clear_after_s: f64,
    pub(super) repeat_s: f64,
    pub(super) gone_s: f64,
    /// Evidence asked for and not yet answered: revision and role. Revision 0: asked before a restart.
    pub(super) asked_for: Vec<(u32, EvidenceRole)>,
    said_area: f32,
    grown_since: Option<Mono>,
    grew_at: Mono,
}

impl Incident {
    pub(super) fn new(report: Report, at: Mono, clear_after_s: f64, repeat_s: f64) -> Self {
        let asked_for = report.evidence_pending.iter().map(|role| (0, *role)).collect();
        Incident {
            standing: Standing::Open,
            case: CaseFile::default(),
            spot: None,
            observable: true,
            opened: at,
            appeared: report.first_seen,
            report,
            closed: None,
            clear_after_s,
            repeat_s,
            gone_s: 0.0,
            asked_for,
            said_area: 0.0,
            grown_since: None,
            grew_at: at,
        }
    }

    pub(super) fn bbox(&self) -> BBox {
        self.report.bbox
    }

    /// Brings the report up to date with what the spot knows; says nothing.
    pub(super) fn refresh(&mut self, at: Moment, spot: &Spot, company: &[ReportObject], settings: &Settings) {
        let report = &mut self.report;
        report.last_seen = at;
        report.dwell_s = tenths(spot.dwell_s()).max(report.dwell_s);
        report.count = spot.parts.len() as u32;
        report.bbox = spot.bbox();
        let (label, group) = match spot.labels.last() {
            Some((label, group)) => (label.clone(), *group),
            None => ("static_object".into(), Group::Other),
        };
        let track = None;
        let thing = ReportObject { track, label, group, confidence: report.confidence, bbox: report.bbox };
        report.objects = vec![thing];
        report.objects.extend(company.iter().take(MAX_OBJECTS).cloned());
        report.reasons = reasons(spot, settings.size_m2(report.camera, report.bbox));
    }

    /// The next revision, out loud.
    pub(super) fn say(&mut self, at: Moment, phase: Phase, cause: &str, voice: &mut StepContext<'_>) {
        let report = &mut self.report;
        report.revision += 1;
        report.phase = phase;
        report.cause = cause.to_owned();
        report.at = at;
        report.reasons.retain(|r| r.0 != "standing");
        report.reasons.insert(0, ("standing".to_owned(), json!(self.standing.as_str())));
        report.evidence_pending = self.asked_for.iter().map(|a| a.1).collect();
        match phase {
            Phase::Opened => voice.counters.opened += 1,
            Phase::Updated => voice.counters.updated += 1,
            Phase::Cleared => voice.counters.cleared += 1,
            Phase::Withdrawn => voice.counters.withdrawn += 1,
            Phase::Recheck => {} // Counted where it is answered.
        }
        voice.effects.push(Effect::Report(Box::new(report.clone())));
    }

    /// Says the next revision and asks for its evidence; the report names the roles as pending.
    pub(super) fn say_with_evidence(
        &mut self,
        at: Moment,
        phase: Phase,
        cause: &str,
        roles: &[EvidenceRole],
        voice: &mut StepContext<'_>,
    ) {
        let revision = self.report.revision + 1;
        self.asked_for.extend(roles.iter().map(|role| (revision, *role)));
        self.say(at, phase, cause, voice);
        let appeared = self.appeared;
        let wants = |role: EvidenceRole| roles.contains(&role);
        let report = &self.report;
        voice.effects.push(Effect::Save(EvidenceRequest {
            incident_id: report.incident_id.clone(),
            revision,
            kind: Some(report.kind),
            camera: report.camera,
            before_at: wants(EvidenceRole::Before).then(|| before(appeared, voice)),
            trigger_at: at,
            clip: wants(EvidenceRole::Clip).then(|| span(appeared, voice)),
            zone: report.zone.clone(),
            bbox: report.bbox,
            objects: report.objects.clone(),
            roles: roles.to_vec(),
        }));
    }

    /// Says so if the thing has grown for a while.
    pub(super) fn watch_growth(&mut self, at: Moment, spot: &Spot, voice: &mut StepContext<'_>) {
        let area = spot.area_norm();
        if self.said_area <= 0.0 {
            self.said_area = area; // A restored incident: the first sight is the measure.
        }
        if area < self.said_area * GREW_FACTOR {
            self.grown_since = None;
            return;
        }
        let since = *self.grown_since.get_or_insert(at.mono);
        if at.mono.since_s(since) >= GREW_FOR_S && at.mono.since_s(self.grew_at) >= GREW_EVERY_S {
            self.note_size(at.mono, spot);
            self.say(at, Phase::Updated, "grew", voice);
        }
    }

    pub(super) fn note_size(&mut self, at: Mono, spot: &Spot) {
        self.said_area = spot.area_norm();
        self.grew_at = at;
        self.grown_since = None;
    }

    /// Evidence is durable, or will not come: the revision that names it.
    pub(super) fn evidence(&mut self, at: Moment, outcome: EvidenceOutcome, voice: &mut StepContext<'_>) {
        // Revision 0: asked before a restart, which forgot by which revision.
        let answered = |asked: &(u32, EvidenceRole)| {
            (asked.0 == outcome.revision || asked.0 == 0) && outcome.answers.contains(&asked.1)
        };
        let was_asked = self.asked_for.iter().any(answered);
        self.asked_for.retain(|asked| !answered(asked));
        let known = &self.report.evidence;
        let fresh: Vec<_> = outcome.items.into_iter().filter(|i| !known.contains(i)).collect();
        if fresh.is_empty() && !was_asked {
            return; // Told twice.
        }
        // A later manifest of the same revision names all that the earlier one did.
        let revision = format!("r{}-", outcome.revision);
        if fresh.iter().any(|i| i.role == EvidenceRole::Manifest) {
            let superseded =
                |i: &EvidenceItem| i.role == EvidenceRole::Manifest && i.id.starts_with(&revision);
            self.report.evidence.retain(|i| !superseded(i));
        }
        self.report.evidence.extend(fresh);
        self.report.reasons.retain(|r| r.0 != "evidence_shortfall");
        if let Some(shortfall) = outcome.shortfall {
            self.report.reasons.push(("evidence_shortfall".to_owned(), json!(shortfall)));
        }
        self.say(at, Phase::Updated, "evidence", voice);
    }

    pub(super) fn receipt(&mut self, revision: u32, receipt: Receipt) {
        let case = &mut self.case;
        case.receipted_revision = case.receipted_revision.max(revision);
        case.case_no = receipt.case_no.or(case.case_no.take());
        case.due_at = receipt.due_at.or(case.due_at.take());
        case.rejected = receipt.result == super::ReceiptResult::Rejected;
        if case.rejected {
            case.reason = receipt.reason;
        }
    }

    pub(super) fn case_state(&mut self, said: CaseState) {
        self.case.case_no = said.case_no.or(self.case.case_no.take());
        self.case.recheck_due |= matches!(said.state.as_str(), "disposed" | "verifying");
        self.case.state = Some(said.state);
        self.case.reason = said.reason;
    }

    /// The centre has ended its case: what cannot be seen any more need not be kept.
    pub(super) fn case_ended(&self) -> bool {
        self.case.state.as_deref().is_some_and(ends_case)
    }
}

/// What was seen, in a fixed order, rounded: for the officer who reads, and the same in every replay.
fn reasons(spot: &Spot, size_m2: Option<f64>) -> Vec<(String, Value)> {
    let appeared_with = match spot.witness().map(|w| w.group) {
        Some(Group::Vehicle) => "vehicle",
        Some(_) => "person",
        None => "nobody",
    };
    let labels = spot.labels.scores();
    let mut said = vec![
        ("dwell_s", json!(tenths(spot.dwell_s()))),
        ("alone_s", json!(tenths(spot.company.alone_s()))),
        ("area_norm", json!((f64::from(spot.area_norm()) * 1e5).round() / 1e5)),
        ("similarity", json!(hundredths(spot.similarity()))),
        ("attendant_share", json!(hundredths(spot.company.attendant_share()))),
        ("visits", json!(spot.company.visits())),
        ("appeared_with", json!(appeared_with)),
    ];
    let scores = [
        ("waste_score", labels.waste),
        ("overflow_score", labels.overflow),
        ("bin_score", labels.bin),
        ("stall_score", labels.stall),
        ("goods_score", labels.goods),
    ];
    said.extend(scores.into_iter().filter(|s| s.1 > 0.0).map(|s| (s.0, json!(hundredths(s.1)))));
    said.extend(spot.past.told().map(|told| ("looked_back", json!(told))));
    said.extend(size_m2.map(|size| ("size_m2", json!(tenths(size)))));
    said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn hundredths(share: f32) -> f64 {
    (f64::from(share) * 100.0).round() / 100.0
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
