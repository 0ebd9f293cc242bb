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

#[cfg(test)]
mod tests {
    use kerbside_domain::time::VirtualClock;
    use kerbside_wire::testing::report;

    use super::*;
    use crate::app::tests::site;

    fn saved(id: &str, record: Option<serde_json::Value>) -> SavedIncident {
        let record = record.map(|record| serde_json::from_value(record).unwrap());
        SavedIncident { id: id.to_owned(), place: None, record }
    }

    #[test]
    fn open_incidents_come_back_with_the_evidence_that_will_not_come_and_what_is_unreadable_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let mut core = Core::new(&site(dir.path()));
        let record = serde_json::to_value(IncidentRecord::new(report("I1", 1))).unwrap();
        let all = vec![
            saved("I1", Some(record)),
            saved("I2", Some(serde_json::json!({"no": "record"}))),
            saved("I3", None),
        ];
        incidents(&mut core, all, &*VirtualClock::new(1_795_221_065_120));
        assert_eq!(core.open_incidents().map(|r| r.incident_id.as_str()).collect::<Vec<_>>(), ["I1"]);
        let lost = lost_evidence(&core);
        let [outcome] = lost.as_slice() else { panic!("one outcome, not {lost:?}") };
        assert_eq!((outcome.subject.incident_id(), outcome.items.len()), (Some("I1"), 0));
        assert!(outcome.answers.contains(&Clip), "{:?}", outcome.answers);
        assert!(outcome.shortfall.as_deref().is_some_and(|why| why.contains("restarted")));
    }
}
