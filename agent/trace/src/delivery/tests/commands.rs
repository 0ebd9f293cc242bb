//! Commands: obeyed once, answered the same again.

use super::*;

/// Sequence number, result and reason of each reply that goes out now, and how many messages go with them.
fn replies(ledger: &mut Ledger) -> (Vec<(u64, String, String)>, usize) {
    let all = sent(ledger);
    let reply = |p: &Outgoing| {
        let body: Value = serde_json::from_slice(&p.body).unwrap();
        let text = |key: &str| body["data"][key].as_str().unwrap_or_default().to_owned();
        (p.seq, text("result"), text("reason"))
    };
    let replies: Vec<_> = all.iter().filter(|p| p.topic.ends_with("/reply")).map(reply).collect();
    (replies, all.len())
}

#[test]
fn a_command_is_obeyed_once_and_answered_the_same_again() {
    use kerbside_wire::testing::command::data;
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let mut ledger = commanded(dir.path(), &clock);
    ledger.commit(vec![message(1), message(2)]).unwrap();
    assert_eq!(sent(&mut ledger).len(), 2);
    let resend = data("c1", "resend", serde_json::json!({"from": 1, "to": 2}));
    assert_eq!(order(&mut ledger, &resend), None);
    let (first, all) = replies(&mut ledger);
    assert_eq!((first[0].1.as_str(), first.len(), all), ("done", 1, 3), "both messages and the reply");
    order(&mut ledger, &resend);
    assert_eq!(replies(&mut ledger), (first.clone(), 1), "the stored reply again, and nothing is done again");
    let unknown = data("c2", "shell", Value::Null);
    order(&mut ledger, &unknown);
    let (refused, _) = replies(&mut ledger);
    assert_eq!(refused[0].1, "refused");

    // For the stages: given to them once, and again only after a restart that lost it.
    let recheck = data("c3", "recheck", serde_json::json!({"incident_id": "I1"}));
    let stored = order(&mut ledger, &recheck).unwrap();
    assert_eq!(order(&mut ledger, &recheck), None);
    assert!(replies(&mut ledger).0.is_empty(), "nothing to say yet");
    drop(ledger); // As after kill -9.
    let mut ledger = commanded(dir.path(), &clock);
    let [StoredInput { n, input: StageInput::Command(command) }] = &ledger.inputs()[..] else {
        panic!("not one")
    };
    assert_eq!((*n, command.id.as_str(), command.until), (stored.n, "c3", None));
    for again in [&resend, &unknown, &recheck] {
        assert_eq!(order(&mut ledger, again), None);
    }
    assert_eq!(replies(&mut ledger).0, [first, refused].concat(), "over kill -9 too");

    // Begun, then lost with the program's memory: the centre hears that.
    ledger.commit(vec![Item::Consumed(stored.n)]).unwrap();
    ledger.close().unwrap();
    drop(ledger);
    let mut ledger = commanded(dir.path(), &clock);
    let (failed, _) = replies(&mut ledger);
    assert_eq!((failed.len(), failed[0].1.as_str()), (1, "failed"));
    // The same from the journal alone.
    ledger.close().unwrap();
    drop(ledger);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let mut ledger = commanded(dir.path(), &clock);
    order(&mut ledger, &recheck);
    assert_eq!(replies(&mut ledger).0, failed);
}

#[test]
fn forged_retained_and_junk_commands_are_journalled_and_change_nothing() {
    use kerbside_wire::testing::command::{data, sealed};
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = commanded(dir.path(), &clock());
    let topic = "cg/v1/310112/mh-xz-017/cmd/restart";
    let good = sealed(&data("c1", "restart", Value::Null));
    let forged = good.replace("desk-3", "desk-4");
    assert_eq!(ledger.incoming(topic, forged.as_bytes(), false).unwrap(), None);
    let (refused, _) = replies(&mut ledger);
    assert!(refused[0].1 == "refused" && refused[0].2.contains("signature"), "{refused:?}");
    ledger.incoming(topic, good.as_bytes(), true).unwrap();
    ledger.incoming(topic, b"\xff\xfe", false).unwrap();
    ledger.incoming(RECEIPT, &vec![b' '; 100_000], false).unwrap();
    assert_eq!(ledger.stats().refused, 4);
    // What says no id gets no answer: to whom? A retained one learns why nothing comes.
    let (told, _) = replies(&mut ledger);
    assert!(told.len() == 1 && told[0].2.contains("retained"), "{told:?}");
    assert_eq!(ledger.stats().unanswered, 1);
    // The forger did not use up the true command's id, nor answered for it.
    let inbound = ledger.incoming(topic, good.as_bytes(), false).unwrap();
    assert!(inbound.is_some());
    for _ in 0..100 {
        ledger.incoming(topic, forged.as_bytes(), false).unwrap();
    }
    assert!(replies(&mut ledger).0.len() < 40, "a flood is not answered");
    assert_eq!(ledger.stats().refused, 104);
    let noted = std::cell::Cell::new(0);
    ledger.each_record(|record| noted.set(noted.get() + u32::from(record.kind == RecordKind::Refused)));
    assert!((5..40).contains(&noted.get()), "{}", noted.get());
}

#[test]
fn a_command_that_was_forgotten_cannot_be_played_again() {
    let mut state = state::LedgerState::new(crate::outbox::OutboxSettings::default());
    let at = kerbside_wire::testing::at(0.0);
    let mut hear = |n: u64, expires_at_ms: i64| {
        let body = serde_json::json!({"id": format!("c{n}"), "verb": "restart", "issued_at_ms": n, "expires_at_ms": expires_at_ms});
        let (prev, hash) = Default::default();
        let (kind, body) = (RecordKind::Command, body.to_string());
        let record = crate::journal::Record { n, prev, hash, boot: String::new(), at, kind, body };
        state.apply(&record, crate::journal::RecordLocation { segment: 1, offset: 0, len: 1 }, at.mono);
        let counters = &state.counters;
        (state.remembered_command("c1", "restart").is_some(), [1, 2, 3].map(|ms| counters.has_forgotten(ms)))
    };
    // The first is valid for long, the second has expired.
    hear(1, i64::MAX);
    hear(2, 0);
    for n in 3..1000 {
        hear(n, 0);
    }
    assert_eq!(hear(1000, 0), (true, [false; 3]));
    assert_eq!(hear(1001, 0), (false, [true, false, false]), "what was issued then is not obeyed again");
    assert_eq!(hear(1002, 0).1, [true, true, false], "nor what has expired: the clock may go back");
}
