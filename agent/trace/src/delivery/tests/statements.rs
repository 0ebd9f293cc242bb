//! Receipts and case states: whose word counts, and what is known again.

use super::*;

const CASE: &str = "cg/v1/310112/mh-xz-017/case";

#[test]
fn where_the_site_demands_it_only_the_centres_signed_word_counts() {
    use kerbside_wire::testing::stated;
    let dir = tempfile::tempdir().unwrap();
    let keys = kerbside_wire::testing::keys();
    let must_sign = wire::MustSign { receipts: true, cases: true };
    let settings = DeliverySettings { keys, must_sign, ..DeliverySettings::new(dir.path(), true) };
    let synced = VirtualClock::new(1_795_221_065_120);
    let (mut ledger, _) = Ledger::open(settings, who(), synced).unwrap();
    ledger.commit(vec![message(1), message(2)]).unwrap();
    sent(&mut ledger);
    let of = |kind: &str, data: Value| stated(kind, data).into_bytes();
    let reports = |ledger: &Ledger| ledger.unfinished().unacknowledged.len();

    assert_eq!(ledger.incoming(RECEIPT, &receipt("INCIDENT001.0001"), false).unwrap(), None);
    let closed = serde_json::json!({"incident_id": "INCIDENT001", "state": "closed"});
    let unsigned =
        serde_json::json!({"specversion": "1.0", "id": "x", "type": wire::case::CASE_STATE, "data": closed});
    assert_eq!(ledger.incoming(CASE, unsigned.to_string().as_bytes(), false).unwrap(), None);
    assert_eq!((reports(&ledger), ledger.stats().refused, ledger.inputs().len()), (2, 2, 0));
    let why = &ledger.stats().refusals;
    assert_eq!(why[&wire::RefusalReason::NotSigned], 2, "{why:?}");
    let told = std::cell::Cell::new(0);
    ledger.each_record(|record| {
        told.set(told.get() + u32::from(record.body.contains("not the centre's word")))
    });
    assert_eq!(told.get(), 2, "and the journal says so");

    let data = serde_json::json!({"id": "INCIDENT001.0001", "result": "accepted"});
    let signed = of(wire::receipt::RECEIPT, data);
    let heard = ledger.incoming(RECEIPT, &signed, false).unwrap().unwrap().input;
    assert!(
        matches!(&heard, StageInput::Receipt(r) if r.signed_by.as_deref() == Some("ops-2026")),
        "{heard:?}"
    );
    assert_eq!(reports(&ledger), 1);
    // The end of a case counts once, whatever somebody writes around the signed text.
    let closed = of(wire::case::CASE_STATE, closed);
    let heard = ledger.incoming(CASE, &closed, false).unwrap().unwrap().input;
    assert!(matches!(&heard, StageInput::Case(c) if c.signed_by.is_some()), "{heard:?}");
    let around = String::from_utf8(closed).unwrap().replace("\"id\":\"s1\"", "\"id\":\"s2\"");
    assert_eq!(ledger.incoming(CASE, around.as_bytes(), false).unwrap(), None);
    assert_eq!(ledger.stats().refused, 2, "known, not refused");

    // A key that is withdrawn while the box runs signs nothing more.
    ledger.set_trust(Vec::new(), must_sign);
    assert_eq!(ledger.incoming(RECEIPT, &signed, false).unwrap(), None);
    assert_eq!(ledger.stats().refused, 3);
}

#[test]
fn a_receipt_that_overtook_the_acknowledgement_counts_with_it_also_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path(), true);
    ledger.commit(vec![message(1), message(2)]).unwrap();
    // Forged, or too early: the report goes out all the same.
    ledger.incoming(RECEIPT, &receipt("INCIDENT001.0001"), false).unwrap().unwrap();
    assert_eq!(
        ledger.incoming(RECEIPT, &receipt("INCIDENT001.0001"), false).unwrap(),
        None,
        "the same again"
    );
    drop(ledger);
    let (mut ledger, _) = open(dir.path(), true);
    assert_eq!(ledger.unfinished().unacknowledged.len(), 2);
    assert_eq!(sent(&mut ledger).len(), 2);
    assert_eq!(ledger.unfinished().unacknowledged.len(), 1, "the broker has it, and so has the centre");
    // What was acknowledged before its receipt is done with after a kill too.
    ledger.incoming(RECEIPT, &receipt("INCIDENT002.0001"), false).unwrap().unwrap();
    drop(ledger);
    let (mut ledger, _) = open(dir.path(), true);
    assert_eq!((ledger.unfinished().unacknowledged.len(), sent(&mut ledger).len()), (0, 0));
}

#[test]
fn what_the_centre_is_not_done_with_is_known_by_incident() {
    use kerbside_wire::testing::grant::{data, sealed};
    let dir = tempfile::tempdir().unwrap();
    let settings =
        DeliverySettings { keys: kerbside_wire::testing::keys(), ..DeliverySettings::new(dir.path(), true) };
    let (mut ledger, _) = Ledger::open(settings, who(), clock()).unwrap();
    ledger.commit(vec![message(1), message(2)]).unwrap();
    ledger.incoming("cg/v1/310112/mh-xz-017/grant", sealed(&data("g1")).as_bytes(), false).unwrap();
    let unfinished = |ledger: &Ledger| {
        let Unfinished { unacknowledged, granted, .. } = ledger.unfinished();
        [unacknowledged, granted].map(|ids| ids.into_iter().collect::<Vec<_>>().join(" "))
    };
    // PUBACK is the broker's word, not the centre's; births are nobody's evidence.
    sent(&mut ledger);
    assert_eq!(unfinished(&ledger), ["INCIDENT001 INCIDENT002", "01JINCIDENT"]);
    ledger.incoming(RECEIPT, &receipt("INCIDENT001.0001"), false).unwrap();
    assert_eq!(unfinished(&ledger), ["INCIDENT002", "01JINCIDENT"]);
}

/// The broker lost the acknowledgements with a connection, or the program was killed.
#[test]
fn what_was_journalled_is_known_again_and_only_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path(), true);
    let case = |i: u32, state: &str| {
        let data = serde_json::json!({"incident_id": format!("I{i}"), "state": state});
        let kind = "kerbside.case.state.v1";
        serde_json::json!({"specversion": "1.0", "id": format!("e{i}{state}"), "type": kind, "data": data})
    };
    let unnamed = || {
        let mut case = case(0, "filed");
        case.as_object_mut().unwrap().remove("id");
        case
    };
    let topic = "cg/v1/310112/mh-xz-017/case";
    let hear = |ledger: &mut Ledger, topic: &str, payload: &[u8]| {
        let stored = ledger.incoming(topic, payload, false).unwrap();
        if let Some(stored) = &stored {
            ledger.commit(vec![Item::Consumed(stored.n)]).unwrap();
        }
        stored.is_some()
    };
    // 400 case states, some incidents in several; receipts of rows that are there.
    ledger.commit((1..=20).map(message).collect()).unwrap();
    sent(&mut ledger);
    let states = ["filed", "dispatched", "filed"];
    let all = |ledger: &mut Ledger| {
        let mut news = 0;
        for i in 0..400 {
            news += u32::from(hear(
                ledger,
                topic,
                case(i % 200, states[i as usize / 200]).to_string().as_bytes(),
            ));
        }
        for i in 1..=20 {
            news += u32::from(hear(ledger, RECEIPT, &receipt(&format!("INCIDENT{i:03}.0001"))));
        }
        news
    };
    assert_eq!(all(&mut ledger), 420);
    let appended = ledger.stats().appended;
    assert_eq!((all(&mut ledger), ledger.stats().appended), (0, appended), "sent again");
    ledger.close().unwrap();
    drop(ledger);
    let (mut ledger, recovery) = open(dir.path(), true);
    assert_eq!((recovery.replayed, all(&mut ledger)), (0, 0), "over a restart");
    assert!(hear(&mut ledger, topic, case(1, "closed").to_string().as_bytes()));
    drop(ledger); // As after kill -9.
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let (mut ledger, recovery) = open(dir.path(), true);
    assert_eq!((recovery.rebuilt, all(&mut ledger)), (true, 0), "from the journal alone");
    assert!(!hear(&mut ledger, topic, case(1, "closed").to_string().as_bytes()));
    // News all the same: a state without an id that is entered a second time, a receipt for what was sent again.
    for _ in 0..2 {
        assert!(hear(&mut ledger, topic, unnamed().to_string().as_bytes()));
    }
    ledger.resend(1, 1).unwrap();
    assert!(hear(&mut ledger, RECEIPT, &receipt("INCIDENT001.0001")));
    sent(&mut ledger);
    assert_eq!(ledger.stats().outbox[0].queued, 0);
}
