//! What survives a restart, a lost index, lost records; what goes when it is old.

use super::*;

#[test]
fn rows_incidents_and_inbound_survive_a_restart_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, recovery) = open(dir.path(), true);
    assert_eq!(recovery, Recovery { rebuilt: false, ..Recovery::default() });
    let saved = SavedIncident {
        id: "INCIDENT001".into(),
        place: Some("cam1/sidewalk-1/3".into()),
        record: Some(serde_json::json!({"phase": "open"})),
    };
    let items = vec![message(1), Item::Incident(saved.clone()), message(2), message(3)];
    let committed = ledger.commit(items).unwrap();
    assert_eq!(committed.iter().map(|c| c.seq).collect::<Vec<_>>(), [Some(1), None, Some(2), Some(3)]);
    let before = sent(&mut ledger);
    assert_eq!(before.len(), 3);
    let inbound = ledger.incoming(RECEIPT, &receipt("INCIDENT002.0001"), false).unwrap().unwrap();
    drop(ledger); // No close: as after kill -9.

    let (mut ledger, recovery) = open(dir.path(), true);
    assert!(recovery.damage.is_none() && recovery.index_doubt.is_none());
    assert!(recovery.replayed > 0, "the index lags behind the journal");
    assert_eq!(ledger.incidents(), [saved]);
    assert_eq!(ledger.inputs(), std::slice::from_ref(&inbound));
    let again = sent(&mut ledger);
    // 2 is receipted; the others go again as the same bytes.
    assert_eq!(again.iter().map(|p| p.seq).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(again[0].body, before[0].body);
    ledger.commit(vec![Item::Consumed(inbound.n)]).unwrap();
    let next = ledger.commit(vec![message(4)]).unwrap()[0].seq.unwrap();
    assert!(next > before[2].seq + 1, "births took numbers in between; none is given twice");
    ledger.close().unwrap();
    drop(ledger);

    let (ledger, recovery) = open(dir.path(), true);
    assert_eq!(recovery.replayed, 0);
    assert!(ledger.inputs().is_empty());
}

#[test]
fn a_lost_or_doubtful_index_is_made_again_from_the_journal() {
    type Hurt = fn(&Path);
    let table: [(&str, Hurt); 3] = [
        ("removed", |index| std::fs::remove_dir_all(index).unwrap()),
        ("garbage", |index| {
            std::fs::remove_dir_all(index).unwrap();
            std::fs::create_dir(index).unwrap();
            std::fs::write(index.join("conf"), b"rubbish").unwrap();
        }),
        ("of another journal", |index| {
            let other = tempfile::tempdir().unwrap();
            let (mut ledger, _) = open(other.path(), true);
            ledger.commit((50..60).map(message).collect()).unwrap();
            ledger.close().unwrap();
            drop(ledger);
            std::fs::remove_dir_all(index).unwrap();
            std::fs::rename(other.path().join("index"), index).unwrap();
        }),
    ];
    for (name, hurt) in table {
        let dir = tempfile::tempdir().unwrap();
        let (mut ledger, _) = open(dir.path(), true);
        ledger.commit((1..40).map(message).collect()).unwrap();
        sent(&mut ledger);
        ledger.incoming(RECEIPT, &receipt("INCIDENT007.0001"), false).unwrap();
        ledger.close().unwrap();
        drop(ledger);
        hurt(&dir.path().join("index"));
        let (mut ledger, recovery) = open(dir.path(), true);
        assert!(recovery.rebuilt, "{name}: {recovery:?}");
        assert!(recovery.damage.is_none(), "{name}: {recovery:?}");
        let seqs: Vec<_> = sent(&mut ledger).iter().map(|p| p.seq).collect();
        assert_eq!(seqs, (1..40).filter(|s| *s != 7).collect::<Vec<_>>(), "{name}");
        // And what was rebuilt is kept.
        ledger.close().unwrap();
        drop(ledger);
        let (_, recovery) = open(dir.path(), true);
        assert!(!recovery.rebuilt, "{name}: {recovery:?}");
    }
}

#[test]
fn numbers_of_lost_records_are_never_given_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path(), true);
    ledger.commit((1..4).map(message).collect()).unwrap();
    ledger.close().unwrap();
    let base = ledger.session_base();
    ledger.commit(vec![message(4), message(5)]).unwrap();
    let last = ledger.last_seq();
    drop(ledger);
    // The newest record loses a bit.
    let newest =
        std::fs::read_dir(dir.path().join("journal")).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    let at = bytes.len() - 200;
    bytes[at] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
    let (mut ledger, recovery) = open(dir.path(), true);
    assert_eq!(recovery.damage.missing_count(), 1);
    assert!(ledger.commit(vec![message(6)]).unwrap()[0].seq.unwrap() > last);
    assert!(ledger.session_base() > base);
}

#[test]
fn one_process_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (_ledger, _) = open(dir.path(), true);
    let settings = DeliverySettings::new(dir.path(), true);
    assert!(matches!(Ledger::open(settings, who(), clock()), Err(DeliveryError::InUse { .. })));
}

#[test]
fn old_segments_go_when_nothing_in_them_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let settings =
        DeliverySettings { segment_bytes: 4096, keep_days: 1, ..DeliverySettings::new(dir.path(), false) };
    let store = Some(Box::new(MemoryStore::default()) as Box<dyn crate::index::Store>);
    let (mut ledger, _) = Ledger::open_with(settings.clone(), who(), clock.clone(), store).unwrap();
    let saved = SavedIncident { id: "I1".into(), place: None, record: Some(Value::from("open")) };
    ledger.commit(vec![Item::Incident(saved.clone())]).unwrap();
    for i in 0..20 {
        ledger.commit(vec![message(i)]).unwrap();
    }
    clock.advance_to(Mono::from_s(3.0 * 86_400.0));
    ledger.upkeep().unwrap();
    assert_eq!(ledger.stats().segments_dropped, 0, "their messages wait");
    sent(&mut ledger);
    for i in 0..20 {
        clock.advance_to(Mono::from_s(3.0 * 86_400.0 + 10.0 * f64::from(i)));
        ledger.upkeep().unwrap();
    }
    assert!(ledger.stats().segments_dropped > 3, "{:?}", ledger.stats());
    let seq = ledger.last_seq();
    drop(ledger);
    // Counters and the open incident outlive the segments they were born in.
    let (ledger, recovery) = Ledger::open_with(settings, who(), clock, None).unwrap();
    assert!(recovery.damage.is_none(), "{recovery:?}");
    assert_eq!((ledger.last_seq(), ledger.incidents()), (seq, vec![saved]));
}
