//! Grants: each is followed once, and its end is said.

use super::*;

/// How many ends of that grant's upload go out on a new connection.
fn answers(ledger: &mut Ledger, grant: &str) -> usize {
    let is_answer = |outgoing: &Outgoing| {
        let event: Value = serde_json::from_slice(&outgoing.body).unwrap();
        event["data"]["grant_id"] == grant
    };
    sent(ledger).iter().filter(|o| is_answer(o)).count()
}

#[test]
fn a_grant_stays_until_its_upload_is_over() {
    use kerbside_wire::testing::grant::{data, sealed};
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let mut ledger = commanded(dir.path(), &clock);
    let topic = "cg/v1/310112/mh-xz-017/grant";
    let hear = |ledger: &mut Ledger, id: &str| {
        ledger.incoming(topic, sealed(&data(id)).as_bytes(), false).unwrap().map(|i| (i.n, i.input))
    };
    let (n, StageInput::Grant(first)) = hear(&mut ledger, "g1").unwrap() else { panic!("no grant") };
    assert!(hear(&mut ledger, "g1").is_none(), "the same again");
    hear(&mut ledger, "g2").unwrap();
    let far = serde_json::json!({"grant_id": "g2", "acked": 70_000});
    ledger.commit(vec![Item::Consumed(n + 10), Item::Note { kind: RecordKind::Upload, body: far }]).unwrap();
    drop(ledger); // As after kill -9.
    let mut ledger = commanded(dir.path(), &clock);
    assert_eq!(ledger.inputs().len(), 2, "the core has consumed them, the upload goes on");
    let ready = wire::evidence_ready(&first, 3, kerbside_wire::testing::at(0.0));
    ledger.commit(vec![Item::Message(Box::new(ready))]).unwrap();
    drop(ledger);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let mut ledger = commanded(dir.path(), &clock);
    let left: Vec<_> = ledger.inputs().into_iter().map(|i| i.input).collect();
    assert!(matches!(&left[..], [StageInput::Grant(g)] if g.id == "g2" && g.offset == 70_000), "{left:?}");
    let forged = sealed(&data("g3")).replace("centre.example", "thief.example");
    assert!(ledger.incoming(topic, forged.as_bytes(), false).unwrap().is_none());
    assert!(ledger.incoming(topic, sealed(&data("g4")).as_bytes(), true).unwrap().is_none(), "retained");
    assert_eq!((ledger.inputs().len(), ledger.stats().refused), (1, 2));
}

#[test]
fn a_grant_that_comes_again_is_answered_from_memory_and_brings_nothing() {
    use kerbside_wire::testing::grant::{data, sealed};
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let mut ledger = commanded(dir.path(), &clock);
    let topic = "cg/v1/310112/mh-xz-017/grant";
    let payload = sealed(&data("g1"));
    let hear =
        |ledger: &mut Ledger, payload: &str| ledger.incoming(topic, payload.as_bytes(), false).unwrap();
    let StageInput::Grant(grant) = hear(&mut ledger, &payload).unwrap().input else { panic!("no grant") };
    let ready = wire::evidence_ready(&grant, 3, kerbside_wire::testing::at(0.0));
    ledger.commit(vec![Item::Message(Box::new(ready))]).unwrap();
    assert_eq!(answers(&mut ledger, "g1"), 1);
    // At once; after kill -9; with the index lost: the answer comes again, the file does not.
    for end in ["at once", "kill", "index lost"] {
        if end != "at once" {
            drop(ledger);
            if end == "index lost" {
                std::fs::remove_dir_all(dir.path().join("index")).unwrap();
            }
            ledger = commanded(dir.path(), &clock);
            answers(&mut ledger, "g1");
        }
        assert_eq!(hear(&mut ledger, &payload), None, "{end}");
        assert_eq!((answers(&mut ledger, "g1"), ledger.inputs().len()), (1, 0), "{end}");
    }
    // A command of the same id is another thing.
    let recheck =
        kerbside_wire::testing::command::data("g1", "recheck", serde_json::json!({"incident_id": "I1"}));
    let command = kerbside_wire::testing::command::sealed(&recheck);
    let heard = ledger.incoming("cg/v1/310112/mh-xz-017/cmd/recheck", command.as_bytes(), false).unwrap();
    assert!(matches!(heard.map(|i| i.input), Some(StageInput::Command(_))));
}

#[test]
fn what_opens_the_centres_store_goes_out_with_no_log() {
    use kerbside_wire::testing::grant::{data, sealed};
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = commanded(dir.path(), &clock());
    ledger.incoming("cg/v1/310112/mh-xz-017/grant", sealed(&data("g1")).as_bytes(), false).unwrap();
    let pull = serde_json::json!({"kinds": ["grant"], "last": 5});
    order(&mut ledger, &kerbside_wire::testing::command::data("c1", "log.pull", pull));
    let said: String = sent(&mut ledger).into_iter().map(|o| String::from_utf8(o.body).unwrap()).collect();
    assert!(
        said.contains("bucket/clip") && !said.contains("X-Signature") && !said.contains("private"),
        "{said}"
    );
}

#[test]
fn a_grant_for_ever_is_refused_with_an_answer_that_says_so() {
    use kerbside_wire::testing::grant::{data, sealed};
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = commanded(dir.path(), &clock());
    let mut long = data("g1");
    long["expires_at"] = "9999-12-31T00:00:00Z".into();
    assert_eq!(
        ledger.incoming("cg/v1/310112/mh-xz-017/grant", sealed(&long).as_bytes(), false).unwrap(),
        None
    );
    let said = sent(&mut ledger);
    let [failed] = &said[..] else { panic!("{said:?}") };
    let event: Value = serde_json::from_slice(&failed.body).unwrap();
    assert_eq!(
        (&event["data"]["grant_id"], event["type"].as_str()),
        (&"g1".into(), Some("kerbside.evidence.failed.v1"))
    );
    assert_eq!(event["data"]["reason"], "valid for longer than 7 days");
    assert_eq!(ledger.inputs().len(), 0);
}

/// Reasons of `evidence.failed` that went out since the last call.
fn failures(ledger: &mut Ledger) -> Vec<String> {
    let events = sent(ledger).into_iter().map(|o| serde_json::from_slice::<Value>(&o.body).unwrap());
    let failed = events.filter(|e| e["type"] == "kerbside.evidence.failed.v1");
    failed.map(|e| e["data"]["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_refused_grant_is_answered_with_its_reason_and_a_forgers_only_now_and_then() {
    use kerbside_wire::testing::grant::{data, sealed};
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let mut ledger = commanded(dir.path(), &clock);
    let topic = "cg/v1/310112/mh-xz-017/grant";
    let refused = |ledger: &mut Ledger, payload: &str, retain: bool, why: &str| {
        assert_eq!(ledger.incoming(topic, payload.as_bytes(), retain).unwrap(), None, "{why}");
        let told = failures(ledger);
        assert!(told.len() == 1 && told[0].contains(why), "{why}: {told:?}");
    };
    for (key, value, why) in [
        ("path", "../../site.toml", "no file of the evidence folder"),
        ("url", "ftp://127.0.0.1/x", "only https"),
        ("target", "urn:kerbside:310112:mh-xz-018", "another box"),
        ("expires_at", "2026-11-20T00:00:00+08:00", "expired"),
        ("expires_at", "tomorrow", "expires_at"),
    ] {
        let mut data = data("g1");
        data[key] = Value::from(value);
        refused(&mut ledger, &sealed(&data), false, why);
    }
    refused(&mut ledger, &sealed(&data("g1")), true, "retained");
    refused(&mut ledger, &sealed(&data("g1")).replace("signature", "s"), false, "not signed");
    let forged = sealed(&data("g1")).replace("centre.example", "thief.example");
    refused(&mut ledger, &forged, false, "signature");
    clock.set_vouched(false);
    refused(&mut ledger, &sealed(&data("g9")), false, "clock");
    clock.set_vouched(true);

    // A true grant is there; a forger who uses its id ends it not, gets few answers, and takes none from the centre.
    assert!(ledger.incoming(topic, sealed(&data("g1")).as_bytes(), false).unwrap().is_some());
    let before = ledger.stats().unanswered;
    for _ in 0..200 {
        ledger.incoming(topic, forged.as_bytes(), false).unwrap();
    }
    let told = failures(&mut ledger);
    assert!((1..=30).contains(&told.len()), "{}", told.len());
    assert_eq!(ledger.stats().unanswered - before, 200 - told.len() as u64);
    assert_eq!(ledger.inputs().len(), 1, "the true grant still waits");
    let mut outside = data("g2");
    outside["path"] = "../../box.key".into();
    refused(&mut ledger, &sealed(&outside), false, "no file of the evidence folder");
}
