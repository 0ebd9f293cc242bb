//! Messages that cannot be sent, or have no room.

use super::*;

#[test]
fn a_message_the_broker_cannot_take_is_given_up_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path(), true);
    let mut big = wire::evidence_failed("ev1", "I", &"x".repeat(5000), kerbside_wire::testing::at(0.0));
    big.priority = Priority::Incident;
    ledger.commit(vec![Item::Message(Box::new(big)), message(1)]).unwrap();
    ledger.connected(1, true, 8).unwrap();
    let mut topics = Vec::new();
    while let Some(outgoing) = ledger.next(4000) {
        topics.push(outgoing.topic);
    }
    assert_eq!(topics, ["cg/v1/310112/mh-xz-017/state", "cg/v1/310112/mh-xz-017/matter/uncoded/opened"]);
    assert_eq!(ledger.stats().dead_lettered, 1);
    drop(ledger);
    // Given up for good.
    let (mut ledger, _) = open(dir.path(), true);
    assert_eq!(sent(&mut ledger).len(), 1);
}

#[test]
fn a_message_that_cannot_be_read_is_tried_again_before_it_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let (mut ledger, _) =
        Ledger::open(DeliverySettings::new(dir.path(), true), who(), clock.clone()).unwrap();
    ledger.commit(vec![message(1)]).unwrap();
    ledger.connected(1, true, 8).unwrap();
    let (journal, aside) = (dir.path().join("journal"), dir.path().join("aside"));
    std::fs::rename(&journal, &aside).unwrap();
    assert!(ledger.next(1 << 20).is_none());
    let read_errors = ledger.stats().read_errors;
    assert!(read_errors > 0);
    assert!(ledger.next(1 << 20).is_none());
    assert_eq!((ledger.stats().read_errors, ledger.stats().dead_lettered), (read_errors, 0), "not at once");
    std::fs::rename(&aside, &journal).unwrap();
    clock.advance_to(Mono::from_s(3.0));
    let topics: Vec<_> = std::iter::from_fn(|| ledger.next(1 << 20)).map(|p| p.topic).collect();
    assert_eq!(topics.len(), 2, "the error passed: {topics:?}");

    // However long the folder is away: that is the box's fault, and no message is given up for it.
    ledger.connected(2, true, 8).unwrap();
    std::fs::rename(&journal, &aside).unwrap();
    for i in 0..200 {
        clock.advance_to(Mono::from_s(10.0 + 70.0 * f64::from(i)));
        assert!(ledger.next(1 << 20).is_none());
    }
    assert_eq!(ledger.stats().dead_lettered, 0);
    std::fs::rename(&aside, &journal).unwrap();
    clock.advance_to(Mono::from_s(20_000.0));
    let again = std::iter::from_fn(|| ledger.next(1 << 20)).count();
    assert!(again >= 2, "{again}");

    // One record that is damaged among good ones is given up, and holds up nobody.
    ledger.connected(3, true, 8).unwrap();
    let segment = std::fs::read_dir(&journal).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&segment).unwrap();
    assert!(text.contains("INCIDENT001"));
    std::fs::write(&segment, text.replace("INCIDENT001", "INCIDENT666")).unwrap();
    for i in 0..20 {
        clock.advance_to(Mono::from_s(20_100.0 + 70.0 * f64::from(i)));
        while ledger.next(1 << 20).is_some() {}
    }
    assert_eq!(ledger.stats().dead_lettered, 1);
}

#[test]
fn what_its_budget_drives_out_counts_as_evicted() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = DeliverySettings::new(dir.path(), true);
    settings.outbox.budgets = [1, 1, 1, 1];
    let (mut ledger, _) = Ledger::open(settings, who(), clock()).unwrap();
    for (i, priority) in Priority::ALL.into_iter().take(3).enumerate() {
        let mut message =
            wire::evidence_failed(&format!("ev{i}"), "I", "no room", kerbside_wire::testing::at(0.0));
        message.priority = priority;
        ledger.commit(vec![Item::Message(Box::new(message))]).unwrap();
    }
    let stats = ledger.stats();
    assert_eq!((stats.evicted, stats.dead_lettered, stats.outbox[0].queued), (2, 0, 1));
}
