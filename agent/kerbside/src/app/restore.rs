//! What the last run left: its open incidents, and evidence that will not come.

use kerbside_domain::evidence::EvidenceRole::{After, Annotated, Before, Clip, Manifest, Snapshot, Trigger};
use kerbside_domain::evidence::{EvidenceOutcome, EvidenceSubject};
use kerbside_domain::time::Clock;
use kerbside_seeing::incident::{Core, IncidentRecord};
use kerbside_trace::delivery::SavedIncident;

/// Restores the incidents of the last run, so that what still stands there is not reported again.
pub(super) fn incidents(core: &mut Core, saved: Vec<SavedIncident>, clock: &dyn Clock) {
    let mut records: Vec<IncidentRecord> = Vec::new();
    for incident in saved {
        match incident.record.map(serde_json::from_value) {
            Some(Ok(record)) => records.push(record),
            Some(Err(error)) => {
                tracing::error!(incident = incident.id, %error, "a saved incident cannot be read")
            }
            None => {}
        }
    }
    let restored = records.len();
    let left_out = core.restore(records, clock.now());
    if restored > 0 {
        tracing::info!(restored, left_out, "incidents of the last run");
    }
}

/// Outcomes for evidence that the last run requested and did not make: its packets are gone with that run's memory.
pub(super) fn lost_evidence(core: &Core) -> Vec<EvidenceOutcome> {
    let lost = |(incident_id, revision)| EvidenceOutcome {
        subject: EvidenceSubject::Incident(incident_id),
        revision,
        answers: vec![Before, Trigger, Annotated, After, Snapshot, Clip, Manifest],
        items: Vec::new(),
        shortfall: Some("the program was restarted before it was made".to_owned()),
    };
    core.evidence_pending().into_iter().map(lost).collect()
}
