//! The box's account against the centre's book: a scripted day of 1,000 cases.

use std::collections::BTreeMap;

use kerbside_domain::time::{Mono, VirtualClock, rfc3339};
use kerbside_wire::testing::{report, who};
use kerbside_wire::{self as wire};
use serde_json::{Value, json};

use super::*;

/// 2026-11-21T00:00:00+08:00.
const MIDNIGHT_MS: i64 = 1_795_190_400_000;
const DAY_S: u64 = 86_400;
const CASES: u64 = 1000;
const RULES: [(&str, &str); 3] =
    [("sidewalk-1", "no-vending"), ("sidewalk-1", "no-dumping"), ("gate", "no-dumping")];

/// The centre's book: by zone, rule and hour what it counts, in the order of the message's columns.
type Book = BTreeMap<(String, String, u64), [u64; 6]>;

/// What happens to a case after its report, with the seconds that it takes.
#[derive(Clone)]
struct Story {
    rejected: Option<&'static str>,
    states: Vec<(u64, &'static str, Option<&'static str>)>,
}

fn story(rng: &mut fastrand::Rng) -> Story {
    let later = rng.u64(60..20_000);
    let states = |states: &[(u64, &'static str, Option<&'static str>)]| states.to_vec();
    match rng.u8(0..10) {
        0 => Story { rejected: Some("false detection"), states: vec![] },
        1 => Story { rejected: Some("duplicate of 2026-3"), states: vec![] },
        2 => Story { rejected: None, states: states(&[(later, "voided", Some("误报"))]) },
        3 => Story {
            rejected: None,
            states: states(&[(60, "filed", None), (later, "voided", Some("permitted"))]),
        },
        4 => Story { rejected: None, states: states(&[(60, "shelved_by_moonlight", None)]) },
        5 => Story {
            rejected: None,
            states: states(&[(60, "filed", None), (later, "closed", None), (later + 60, "reopened", None)]),
        },
        6 => Story { rejected: None, states: states(&[(60, "accepted", None), (120, "filed", None)]) },
        _ => Story { rejected: None, states: states(&[(60, "filed", None), (later, "closed", None)]) },
    }
}

fn open(dir: &std::path::Path, clock: &std::sync::Arc<VirtualClock>) -> Ledger {
    let syncs = crate::journal::Syncs { file: |_| Ok(()), folder: |_| Ok(()) };
    let keys = kerbside_wire::testing::keys();
    let settings = DeliverySettings { syncs, keys, ..DeliverySettings::new(dir, true) };
    Ledger::open(settings, who(), clock.clone()).unwrap().0
}

/// The newest `device.statistics` among what waits, once nothing is being counted.
fn told(ledger: &mut Ledger) -> Value {
    ledger.finish_statistics();
    ledger.connected(1, false, 8).unwrap();
    let mut newest = None;
    while let Some(outgoing) = ledger.next(1 << 20) {
        ledger.puback(outgoing.seq);
        if outgoing.topic.ends_with("/statistics") {
            assert!(outgoing.retain && outgoing.qos == 1);
            newest = Some((outgoing.seq, serde_json::from_slice::<Value>(&outgoing.body).unwrap()));
        }
    }
    newest.map(|(_, event)| event["data"].clone()).unwrap()
}

/// The command `statistics`, as it comes down.
fn order(ledger: &mut Ledger, clock: &VirtualClock, id: &str) {
    let (topic, order) = signed_order(clock, id);
    assert_eq!(ledger.incoming(topic, order.as_bytes(), false).unwrap(), None);
}

/// Its topic and its bytes.
fn signed_order(clock: &VirtualClock, id: &str) -> (&'static str, String) {
    let now = kerbside_domain::time::Clock::now(clock).wall_ms;
    let mut order = kerbside_wire::testing::command::data(id, "statistics", Value::Null);
    order["issued_at"] = json!(rfc3339(now, 8 * 3600));
    order["expires_at"] = json!(rfc3339(now + 30_000, 8 * 3600));
    let order = kerbside_wire::testing::command::sealed(&order);
    ("cg/v1/310112/mh-xz-017/cmd/statistics", order)
}

/// Replies among what waits: command, result, reason.
fn replies(ledger: &mut Ledger) -> Vec<(String, String, String)> {
    ledger.connected(1, false, 64).unwrap();
    let mut replies = Vec::new();
    while let Some(outgoing) = ledger.next(1 << 20) {
        ledger.puback(outgoing.seq);
        let event: Value = serde_json::from_slice(&outgoing.body).unwrap();
        let text = |key: &str| event["data"][key].as_str().unwrap_or_default().to_owned();
        if outgoing.topic.ends_with("/reply") {
            replies.push((text("command_id"), text("result"), text("reason")));
        }
    }
    replies
}

#[test]
fn a_command_is_answered_when_they_are_made_and_after_a_restart_that_they_were_not() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(MIDNIGHT_MS);
    clock.advance_to(Mono::from_s(3600.0));
    let mut ledger = open(dir.path(), &clock);
    ledger.count_beside();
    order(&mut ledger, &clock, "c1");
    assert_eq!(replies(&mut ledger), [], "nothing waits for the reading");
    ledger.finish_statistics();
    assert_eq!(replies(&mut ledger), [("c1".into(), "done".into(), String::new())]);
    // More than are made and wait: the last is told so at once.
    let waiting = crate::tuning::ACCOUNTS_WAITING;
    (0..=waiting).for_each(|n| order(&mut ledger, &clock, &format!("many-{n}")));
    let (id, failed) = (format!("many-{waiting}"), "failed".to_owned());
    let why = "too many accounts wait to be made".to_owned();
    assert_eq!(replies(&mut ledger).last(), Some(&(id, failed, why)));
    drop(ledger);
    let mut ledger = open(dir.path(), &clock);
    let answered = replies(&mut ledger);
    let after_restart =
        answered.iter().filter(|(_, result, why)| result == "failed" && why.contains("restarted"));
    assert_eq!(after_restart.count(), waiting, "{answered:?}");
}

#[test]
fn a_disk_that_refuses_costs_no_second_account_and_no_wrong_number() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static REFUSES: AtomicBool = AtomicBool::new(false);
    let file = |_: &std::fs::File| match REFUSES.swap(false, Ordering::Relaxed) {
        true => Err(std::io::Error::other("no room")),
        false => Ok(()),
    };
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(MIDNIGHT_MS);
    clock.advance_to(Mono::from_s(3600.0));
    let keys = kerbside_wire::testing::keys();
    let syncs = crate::journal::Syncs { file, folder: |_| Ok(()) };
    let settings = DeliverySettings { syncs, keys, ..DeliverySettings::new(dir.path(), true) };
    let mut ledger = Ledger::open(settings, who(), clock.clone()).unwrap().0;
    ledger.count_beside();
    // The command itself is refused, comes again, and is then counted; its account is refused and told later.
    REFUSES.store(true, Ordering::Relaxed);
    let (topic, signed) = signed_order(&clock, "c1");
    ledger.incoming(topic, signed.as_bytes(), false).expect_err("the disk refused");
    assert_eq!(ledger.incoming(topic, signed.as_bytes(), false).unwrap(), None);
    ledger.finish_statistics_with(|| REFUSES.store(true, Ordering::Relaxed));
    let other = wire::evidence_failed("e", "I", "why", ledger.now());
    ledger.commit(vec![Item::Message(Box::new(other))]).unwrap();
    clock.advance_to(Mono::from_s(3700.0));
    ledger.upkeep().unwrap();
    ledger.connected(1, false, 64).unwrap();
    let (mut accounts, mut replies) = (Vec::new(), Vec::new());
    while let Some(outgoing) = ledger.next(1 << 20) {
        ledger.puback(outgoing.seq);
        let event: Value = serde_json::from_slice(&outgoing.body).unwrap();
        if outgoing.topic.ends_with("/reply") {
            replies.push(event["data"]["detail"]["sequence"].as_u64());
        } else if outgoing.topic.ends_with("/statistics") {
            accounts.push(Some(outgoing.seq));
        }
    }
    assert_eq!(replies.len(), 1, "one command, one answer");
    assert_eq!(accounts, replies, "the answer names its account");
}

fn book_of(data: &Value) -> Book {
    let mut book = Book::new();
    for rule in data["rules"].as_array().unwrap() {
        let name = |key: &str| rule[key].as_str().unwrap().to_owned();
        let mut total = [0; 6];
        for row in rule["rows"].as_array().unwrap() {
            let row: Vec<u64> = row.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
            let counts: [u64; 6] = row[1..].try_into().unwrap();
            total.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            book.insert((name("zone"), name("rule"), row[0]), counts);
        }
        assert_eq!(rule["total"], json!(total));
    }
    book
}

#[test]
fn a_day_of_a_thousand_cases_is_counted_as_the_centre_counts_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(MIDNIGHT_MS);
    let mut ledger = open(dir.path(), &clock);
    let mut rng = fastrand::Rng::with_seed(11);
    let mut book = Book::new();
    // Everything that will happen, by the second.
    let mut script: BTreeMap<(u64, u64), (String, Value)> = BTreeMap::new();
    let mut opened: Vec<(u64, u64)> = (0..CASES).map(|n| (rng.u64(0..DAY_S - 30_000), n)).collect();
    opened.sort_unstable();
    for (at_s, n) in &opened {
        let (id, (zone, rule), story) =
            (format!("01CASE{n:05}"), RULES[*n as usize % RULES.len()], story(&mut rng));
        let row = book.entry((zone.into(), rule.into(), at_s / 3600)).or_default();
        let last = |state: &str| story.states.iter().any(|(_, s, _)| *s == state);
        let is_false =
            story.rejected == Some("false detection") || story.states.iter().any(|s| s.2 == Some("误报"));
        let counts = [
            true,
            story.rejected.is_none(),
            last("filed"),
            last("closed") && !last("reopened"),
            is_false,
            false,
        ];
        row.iter_mut().zip(counts).for_each(|(sum, counts)| *sum += u64::from(counts));
        script.insert((*at_s, n * 10), ("report".into(), json!({"id": id, "zone": zone, "rule": rule})));
        let result = if story.rejected.is_some() { "rejected" } else { "accepted" };
        let receipt = json!({"id": format!("{id}.0001"), "result": result, "reason": story.rejected});
        script.insert((at_s + 5, n * 10 + 1), ("receipt".into(), receipt));
        for (step, (after_s, state, reason)) in story.states.iter().enumerate() {
            let case = json!({"incident_id": id, "state": state, "reason": reason});
            script.insert((at_s + 5 + after_s, n * 10 + 2 + step as u64), ("case".into(), case));
        }
    }
    let end_s = script.keys().next_back().unwrap().0;
    assert!(end_s < DAY_S);
    for (count, ((at_s, _), (what, data))) in script.into_iter().enumerate() {
        clock.advance_to(Mono::from_s(at_s as f64));
        if what == "report" {
            let text = |key: &str| data[key].as_str().unwrap().to_owned();
            let now = kerbside_domain::time::Clock::now(&*clock);
            let report = kerbside_domain::report::Report {
                at: now,
                zone: text("zone"),
                rule: text("rule"),
                ..report(&text("id"), 1)
            };
            let message = wire::matter(&who(), &report, None, None);
            ledger.commit(vec![Item::Message(Box::new(message.into()))]).unwrap();
        } else {
            let kind = if what == "receipt" { wire::receipt::RECEIPT } else { wire::case::CASE_STATE };
            let event = json!({"specversion": "1.0", "type": kind, "id": format!("e{count}"), "data": data});
            let topic = format!("cg/v1/310112/mh-xz-017/{what}");
            // Each comes twice, as from a broker that lost an acknowledgement.
            for _ in 0..2 {
                if let Some(input) = ledger.incoming(&topic, event.to_string().as_bytes(), false).unwrap() {
                    ledger.commit(vec![Item::Consumed(input.n)]).unwrap();
                }
            }
        }
        if count == 1500 {
            // As after kill -9, with the index lost.
            drop(ledger);
            std::fs::remove_dir_all(dir.path().join("index")).unwrap();
            ledger = open(dir.path(), &clock);
        }
    }
    // On command, at the end of the day: from its begin to now.
    clock.advance_to(Mono::from_s(DAY_S as f64 - 60.0));
    order(&mut ledger, &clock, "c1");
    let data = told(&mut ledger);
    assert_eq!(book_of(&data), book, "the box's account is the centre's book");
    assert_eq!((&data["complete"], &data["from"]), (&json!(true), &json!("2026-11-21T00:00:00.000+08:00")));
    let reported: u64 = book.values().map(|row| row[0]).sum();
    assert_eq!(reported, CASES);
    // After midnight by itself: the whole day before.
    clock.advance_to(Mono::from_s(DAY_S as f64 + 120.0));
    ledger.upkeep().unwrap();
    let data = told(&mut ledger);
    assert_eq!(book_of(&data), book);
    assert_eq!(data["to"], json!("2026-11-22T00:00:00.000+08:00"));
}
