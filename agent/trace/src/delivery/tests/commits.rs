//! Items into records: all together or none.

use super::*;

#[test]
fn a_refused_entry_fails_the_whole_commit_and_nothing_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path(), true);
    ledger.commit(vec![message(1)]).unwrap();
    let no_kind = Item::Note { kind: RecordKind::from("No Kind"), body: Value::Null };
    assert!(matches!(ledger.commit(vec![message(2), no_kind]), Err(DeliveryError::Journal(_))));
    assert_eq!(ledger.stats().append_errors, 1);
    assert_eq!(ledger.last_seq(), 1);
    assert_eq!(ledger.commit(vec![message(2)]).unwrap()[0].seq, Some(2));
    assert_eq!(sent(&mut ledger).len(), 2);
}

#[test]
fn what_is_too_long_for_the_journal_holds_up_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path(), true);
    let too_long = Item::Note { kind: RecordKind::Note, body: Value::from("x".repeat(300_000)) };
    let endless = wire::evidence_failed("ev1", "I", &"x".repeat(300_000), kerbside_wire::testing::at(0.0));
    let items = vec![message(1), too_long, Item::Message(Box::new(endless)), message(2)];
    let seqs: Vec<_> = ledger.commit(items).unwrap().into_iter().map(|c| c.seq).collect();
    assert_eq!(seqs, [Some(1), None, None, Some(2)]);
    assert_eq!(sent(&mut ledger).len(), 2);
    let mut left_out = Vec::new();
    ledger.each_record(|r| left_out.extend((r.kind == RecordKind::Oversized).then_some(r.body.len())));
    assert!(left_out.len() == 2 && left_out.iter().all(|bytes| *bytes < 1000), "{left_out:?}");
}

#[test]
fn of_a_snapshot_only_what_changed_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path(), true);
    let saved = |id: &str, phase: &str| SavedIncident {
        id: id.into(),
        place: None,
        record: Some(Value::from(phase)),
    };
    let mut written = |all: Vec<SavedIncident>| {
        let before = ledger.stats().appended;
        ledger.commit(vec![Item::AllIncidents(all)]).unwrap();
        (ledger.stats().appended - before, ledger.incidents().len())
    };
    assert_eq!(written(vec![saved("A", "open"), saved("B", "open")]), (2, 2));
    assert_eq!(written(vec![saved("A", "open"), saved("B", "open")]), (0, 2));
    assert_eq!(written(vec![saved("B", "cleared"), saved("C", "open")]), (3, 2));
}
