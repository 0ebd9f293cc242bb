//! The ledger over a real journal: what survives a restart, a lost index, a refused entry.

use std::path::Path;
use std::sync::Arc;

use kerbside_domain::time::{Mono, VirtualClock};
use kerbside_wire::testing::{report, who};
use kerbside_wire::{self as wire, Outgoing, Priority};
use serde_json::Value;

use super::*;
use crate::index::MemoryStore;
use crate::journal::RecordKind;

fn clock() -> Arc<VirtualClock> {
    VirtualClock::new(1_795_221_065_120)
}

fn open(dir: &Path, receipts: bool) -> (Ledger, Recovery) {
    let settings = DeliverySettings { segment_bytes: 8192, ..DeliverySettings::new(dir, receipts) };
    Ledger::open(settings, who(), clock()).unwrap()
}

fn message(i: u64) -> Item {
    Item::Message(Box::new(wire::matter(&who(), &report(&format!("INCIDENT{i:03}"), 1), None, None)))
}

fn receipt(id: &str) -> Vec<u8> {
    let data = serde_json::json!({"id": id, "result": "accepted", "case_no": "2026-1"});
    serde_json::json!({"specversion": "1.0", "type": "kerbside.receipt.v1", "data": data})
        .to_string()
        .into_bytes()
}

const RECEIPT: &str = "cg/v1/310112/mh-xz-017/receipt";

/// All that would be sent on a fresh connection, PUBACKed at once; births and checkpoints left out.
fn sent(ledger: &mut Ledger) -> Vec<Outgoing> {
    ledger.connected(1, false, 8).unwrap();
    let mut all = Vec::new();
    while let Some(outgoing) = ledger.next(1 << 20) {
        ledger.puback(outgoing.seq);
        all.push(outgoing);
    }
    all.retain(|p| !p.topic.ends_with("/state") && !p.topic.ends_with("/audit"));
    all.sort_by_key(|p| p.seq);
    all
}

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

#[test]
fn one_process_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (_ledger, _) = open(dir.path(), true);
    let settings = DeliverySettings::new(dir.path(), true);
    assert!(matches!(Ledger::open(settings, who(), clock()), Err(DeliveryError::InUse { .. })));
}

fn commanded(dir: &Path, clock: &Arc<VirtualClock>) -> Ledger {
    let keys = kerbside_wire::testing::keys();
    let settings = DeliverySettings { segment_bytes: 8192, keys, ..DeliverySettings::new(dir, false) };
    Ledger::open(settings, who(), clock.clone()).unwrap().0
}

fn order(ledger: &mut Ledger, data: &Value) -> Option<StoredInput> {
    let topic = format!("cg/v1/310112/mh-xz-017/cmd/{}", data["verb"].as_str().unwrap());
    let payload = kerbside_wire::testing::command::sealed(data);
    ledger.incoming(&topic, payload.as_bytes(), false).unwrap()
}

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

/// How many ends of that grant's upload go out on a new connection.
fn answers(ledger: &mut Ledger, grant: &str) -> usize {
    let is_answer = |outgoing: &Outgoing| {
        let event: Value = serde_json::from_slice(&outgoing.body).unwrap();
        event["data"]["grant_id"] == grant
    };
    sent(ledger).iter().filter(|o| is_answer(o)).count()
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
    assert!(replies(&mut ledger).0.is_empty(), "to whom?");
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

#[test]
fn the_handle_serves_many_threads_and_closes() {
    let dir = tempfile::tempdir().unwrap();
    let (delivery, opened) = Delivery::open(DeliverySettings::new(dir.path(), true), who(), clock()).unwrap();
    assert!(opened.incidents.is_empty());
    let mut seqs: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|t| {
                let delivery = delivery.clone();
                scope.spawn(move || -> Vec<u64> {
                    let send = |i: u64| {
                        delivery
                            .send(wire::matter(&who(), &report(&format!("T{t}I{i}"), 1), None, None))
                            .unwrap()
                    };
                    (0..25).map(send).collect()
                })
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
    assert_eq!(delivery.stats().unwrap().outbox[0].queued, 100);
    delivery.close().unwrap();
    assert!(matches!(delivery.note(RecordKind::Note, Value::Null), Err(DeliveryError::Closed)));
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

/// Syncs that wait until the test lets them: a test is a process of its own.
mod gated {
    use std::fs::File;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Condvar, Mutex};

    static CLOSED: Mutex<bool> = Mutex::new(false);
    static CHANGED: Condvar = Condvar::new();

    pub(super) fn close(closed: bool) {
        *CLOSED.lock().unwrap() = closed;
        CHANGED.notify_all();
    }

    pub(super) static SYNCS: AtomicU64 = AtomicU64::new(0);

    pub(super) fn sync(file: &File) -> std::io::Result<()> {
        SYNCS.fetch_add(1, Ordering::Relaxed);
        drop(CHANGED.wait_while(CLOSED.lock().unwrap(), |closed| *closed).unwrap());
        file.sync_data()
    }

    pub(super) fn syncs() -> crate::journal::Syncs {
        crate::journal::Syncs { file: sync, ..Default::default() }
    }
}

#[test]
fn the_link_waits_for_room_and_nothing_it_reports_is_lost() {
    use std::task::{Context, Poll, Waker};
    let dir = tempfile::tempdir().unwrap();
    let settings = DeliverySettings { syncs: gated::syncs(), ..DeliverySettings::new(dir.path(), true) };
    let (delivery, opened) = Delivery::open(settings, who(), clock()).unwrap();
    let mut port = opened.link;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let up =
        LinkReport::Connected { epoch: 1, session: 1, session_present: true, window: 8, max_packet: 1 << 20 };
    assert!(runtime.block_on(port.report(up)));
    assert!(matches!(port.requests.blocking_recv(), Some(LinkRequest::Publish { .. })), "the birth");

    gated::close(true);
    let received = |token: u64| LinkReport::Received {
        epoch: 1,
        token,
        topic: RECEIPT.to_owned(),
        payload: receipt(&format!("I{token}.0001")),
        retain: false,
    };
    let mut cx = Context::from_waker(Waker::noop());
    let mut taken = 0;
    let mut waiting = loop {
        let mut report = Box::pin(port.report(received(taken)));
        match report.as_mut().poll(&mut cx) {
            Poll::Ready(is_taken) => assert!(is_taken),
            Poll::Pending => break report,
        }
        taken += 1;
        assert!(taken < 100_000, "no end of room");
    };
    gated::close(false);
    assert!(runtime.block_on(&mut waiting));
    drop(waiting);
    let mut acknowledged = Vec::new();
    while acknowledged.len() as u64 <= taken {
        match port.requests.blocking_recv().expect("the store thread") {
            LinkRequest::Acknowledge { token, .. } => acknowledged.push(token),
            // A checkpoint.
            LinkRequest::Publish { .. } => {}
        }
    }
    assert_eq!(acknowledged, (0..=taken).collect::<Vec<_>>());
    assert_eq!(delivery.stats().unwrap().receipts, taken + 1);
    delivery.close().unwrap();
    assert!(!runtime.block_on(port.report(received(0))), "nobody there");
}

/// 100 commands, 100 grants, junk and receipts come while the disk syncs.
#[test]
fn all_that_waits_shares_one_sync() {
    use kerbside_wire::testing::{command, grant};
    use std::sync::atomic::Ordering::Relaxed;
    let dir = tempfile::tempdir().unwrap();
    let keys = kerbside_wire::testing::keys();
    let settings =
        DeliverySettings { syncs: gated::syncs(), keys, ..DeliverySettings::new(dir.path(), false) };
    let (delivery, opened) = Delivery::open(settings, who(), clock()).unwrap();
    let mut port = opened.link;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (epoch, session, session_present, window, max_packet) = (1, 1, true, 8, 1 << 20);
    let up = LinkReport::Connected { epoch, session, session_present, window, max_packet };
    assert!(runtime.block_on(port.report(up)));
    assert!(matches!(port.requests.blocking_recv(), Some(LinkRequest::Publish { .. })), "the birth");

    let recheck = |id: &str| {
        let data = command::data(id, "recheck", serde_json::json!({"incident_id": "I1"}));
        ("cmd/recheck", command::sealed(&data).into_bytes())
    };
    let wanted = |id: &str| ("grant", grant::sealed(&grant::data(id)).into_bytes());
    let mut messages = vec![("receipt", receipt("I0.0001"))];
    for i in 0..100 {
        messages.push(recheck(&format!("c{i}")));
        messages.push(wanted(&format!("g{i}")));
        messages.push(("cmd/restart", format!("junk {i}").into_bytes()));
        messages.push(("receipt", receipt(&format!("I{i}.0002"))));
    }
    // The same again is the same.
    messages.push(recheck("c7"));
    messages.push(wanted("g7"));

    gated::close(true);
    let before = gated::SYNCS.load(Relaxed);
    let count = messages.len();
    for (token, (topic, payload)) in messages.into_iter().enumerate() {
        let (topic, token) = (format!("cg/v1/310112/mh-xz-017/{topic}"), token as u64);
        let received = LinkReport::Received { epoch, token, topic, payload, retain: false };
        assert!(runtime.block_on(port.report(received)));
    }
    gated::close(false);
    let mut acknowledged = Vec::new();
    while acknowledged.len() < count {
        match port.requests.blocking_recv().expect("the store thread") {
            LinkRequest::Acknowledge { token, .. } => acknowledged.push(token),
            LinkRequest::Publish { .. } => {}
        }
    }
    // What was taken before the gate closed, the rest, what must know of the rest (twice), the upkeep.
    let syncs = gated::SYNCS.load(Relaxed) - before;
    assert!(syncs <= 8, "{syncs} syncs");
    assert_eq!(acknowledged, (0..count as u64).collect::<Vec<_>>(), "in order");
    let stats = delivery.stats().unwrap();
    assert_eq!((stats.commands, stats.receipts, stats.refused), (100, 101, 100));
    delivery.close().unwrap();
    drop(delivery);
    let (ledger, _) = open(dir.path(), false);
    let grants = ledger.inputs().iter().filter(|i| matches!(i.input, StageInput::Grant(_))).count();
    assert_eq!(grants, 100);
}

/// Not a channel's worth each time that the thread looks around.
#[test]
fn what_waits_for_the_stages_goes_as_fast_as_they_take_it() {
    const WAITING: usize = 3000;
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path(), false);
    let inbound = |i| match ledger.parse(RECEIPT, &receipt(&format!("OLD{i}.0001")), false) {
        Ok(wire::Inbound::Receipt(receipt)) => {
            Item::Inbound { input: StageInput::Receipt(receipt.said), received: None }
        }
        other => panic!("{other:?}"),
    };
    let items = (0..WAITING).map(inbound).collect();
    ledger.commit(items).unwrap();
    ledger.close().unwrap();
    drop(ledger);
    let settings = DeliverySettings::new(dir.path(), false);
    let (delivery, opened) = Delivery::open(settings, who(), clock()).unwrap();
    let (mut taken, mut pauses) = (0, 0);
    while taken < WAITING && pauses < WAITING / 100 {
        match opened.inputs.recv_timeout(std::time::Duration::from_millis(200)) {
            Ok(_) => taken += 1,
            Err(_) => pauses += 1,
        }
    }
    // A loaded machine pauses now and then.
    assert!(taken == WAITING && pauses <= 3, "{taken} taken, {pauses} pauses");
    delivery.close().unwrap();
}
