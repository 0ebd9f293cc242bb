//! Vectors of signed commands, and every way in which one can be wrong.

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::testing::command::{data, sealed};
use crate::testing::{NOW_MS, keys, who};
use crate::{Inbound, inbound, signed};
use kerbside_crypto::testing::key;
use kerbside_domain::time::ClockQuality;

fn topic(verb: &str) -> String {
    format!("cg/v1/310112/mh-xz-017/cmd/{verb}")
}

/// What becomes of a payload on a topic.
fn judged(topic: &str, payload: &str, now: Moment) -> String {
    let command = match inbound::parse(&who(), topic, payload.as_bytes(), false) {
        Ok(Inbound::Command(command)) => command,
        Ok(other) => return format!("{other:?}"),
        Err(refusal) => return format!("refused: {refusal}"),
    };
    match command.signer(&who(), &keys(), now) {
        Err(why) => format!("forged: {why}"),
        Ok(_) => match command.action(now, false) {
            Ok(CommandAction::Stage(action)) => format!("{action:?}"),
            Ok(CommandAction::Store(action)) => format!("{action:?}"),
            Err(why) => format!("refused: {why}"),
        },
    }
}

fn now() -> Moment {
    Moment { wall_ms: NOW_MS, quality: ClockQuality::Ntp, ..Moment::default() }
}

#[test]
fn a_vector_that_any_ed25519_can_check() {
    let text = r#"{"id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E","target":"urn:kerbside:310112:mh-xz-017","verb":"recheck","issued_at":"2026-11-21T08:30:00+08:00","expires_at":"2026-11-21T08:40:00+08:00","actor":"desk-3","args":{"incident_id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E"}}"#;
    let sent = signed::envelope(
        COMMAND,
        "01JD7Z6T6V8Q0M5N3K2H1G9F8E",
        "2026-11-21T08:30:00+08:00",
        "ops-2026",
        &key(),
        text,
    );
    expect![[r#"{"specversion":"1.0","id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E","source":"urn:kerbside:centre","type":"kerbside.command.v1","time":"2026-11-21T08:30:00+08:00","datacontenttype":"application/json","keyid":"ops-2026","signature":"bf4bc1185dab19f93c612936db553693202445fff01a830576f27ff6e44aed12357c819967aa8fb35f726f7c984ae68f4d73d74419105b7536c14e00dca4150a","data":{"id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E","target":"urn:kerbside:310112:mh-xz-017","verb":"recheck","issued_at":"2026-11-21T08:30:00+08:00","expires_at":"2026-11-21T08:40:00+08:00","actor":"desk-3","args":{"incident_id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E"}}}"#]].assert_eq(&sent);
    expect![[r#"Recheck { incident_id: "01JD7Z6T6V8Q0M5N3K2H1G9F8E" }"#]].assert_eq(&judged(
        &topic("recheck"),
        &sent,
        now(),
    ));
    // The bytes count, not what they mean: a blank more is another text.
    let spaced = sent.replace("\"actor\":", "\"actor\": ");
    expect![[r#"forged: the signature is not that of key "ops-2026" over these bytes"#]].assert_eq(&judged(
        &topic("recheck"),
        &spaced,
        now(),
    ));
}

#[test]
fn what_the_centre_did_not_say_is_no_command() {
    let check = |topic: &str, payload: &str, expected: Expect| {
        expected.assert_eq(&judged(topic, payload, now()));
    };
    let good = sealed(&data("c1", "restart", json!({})));
    let unsigned = json!({"specversion": "1.0", "type": COMMAND, "data": data("c1", "restart", json!({}))});
    check(&topic("restart"), &unsigned.to_string(), expect!["forged: not signed"]);
    check(
        &topic("restart"),
        &good.replace("ops-2026", "ops-2027"),
        expect![[r#"forged: key "ops-2027" is not configured"#]],
    );
    check(
        &topic("restart"),
        &good.replace("\"signature\":\"", "\"signature\":\"0"),
        expect![[r#"forged: the signature is not that of key "ops-2026" over these bytes"#]],
    );
    check(
        &topic("restart"),
        &good.replace("08:40:00", "09:40:00"),
        expect![[r#"forged: the signature is not that of key "ops-2026" over these bytes"#]],
    );
    check(
        &topic("snapshot"),
        &good,
        expect![[r#"forged: "restart" was signed, "snapshot" is the topic's verb"#]],
    );
    check(
        "cg/v1/310112/all/cmd/restart",
        &good,
        expect![[r#"forged: for another box: "urn:kerbside:310112:mh-xz-017""#]],
    );
    let other = json!({"target": "urn:kerbside:310112:mh-xz-018"});
    let mut misled = data("c1", "restart", json!({}));
    misled.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    check(
        &topic("restart"),
        &sealed(&misled),
        expect![[r#"forged: for another box: "urn:kerbside:310112:mh-xz-018""#]],
    );
    check(
        &topic("restart"),
        "{\"a\":",
        expect!["refused: not a message of the contract: EOF while parsing a value at line 1 column 5"],
    );
    check(
        &topic("restart"),
        &sealed(&json!({"id": "c1"})),
        expect!["refused: not a message of the contract: missing field `target` at line 1 column 11"],
    );
    let Ok(Inbound::Command(command)) = inbound::parse(&who(), &topic("restart"), good.as_bytes(), false)
    else {
        panic!("not read")
    };
    assert!(command.signer(&who(), &[], now()).unwrap_err().to_string().contains("[[centre.key]]"));
    assert!(matches!(
        inbound::parse(&who(), &topic("restart"), good.as_bytes(), true),
        Err(Refusal::Retained)
    ));
}

#[test]
fn what_the_centre_said_may_still_be_refused() {
    let check = |verb: &str, args: Value, expected: Expect| {
        expected.assert_eq(&judged(&topic(verb), &sealed(&data("c1", verb, args)), now()));
    };
    check("resend", json!({"from": 3, "to": 9}), expect!["Resend { from: 3, to: 9 }"]);
    check(
        "resend",
        json!({"from": 9, "to": 3}),
        expect!["refused: args: from..to must be at most 1000 sequence numbers, in order"],
    );
    check(
        "resend",
        json!({"from": 1, "to": u64::MAX}),
        expect!["refused: args: from..to must be at most 1000 sequence numbers, in order"],
    );
    check(
        "log.pull",
        json!({"last": 20, "kinds": ["refused"]}),
        expect![[r#"LogPull { kinds: ["refused"], last: 20 }"#]],
    );
    check("log.pull", json!({"last": 0}), expect!["refused: args: last must be 1 to 100, kinds at most 16"]);
    check("snapshot", Value::Null, expect!["Snapshot { camera_id: None }"]);
    check(
        "snapshot",
        json!({"camera": "cam1"}),
        expect!["refused: args: unknown field `camera`, expected `camera_id`"],
    );
    let span = |from: &str, to: &str| json!({"camera_id": "cam1", "from": from, "to": to});
    check(
        "clip",
        span("2026-11-21T08:30:50+08:00", "2026-11-21T08:31:00+08:00"),
        expect![[r#"Clip { camera_id: "cam1", from_ms: 1795221050000, to_ms: 1795221060000 }"#]],
    );
    check(
        "clip",
        span("2026-11-21T08:30:50+08:00", "2026-11-21T08:30:50+08:00"),
        expect!["refused: args: from..to must be at most 120 s, in order"],
    );
    check(
        "clip",
        span("yesterday", "2026-11-21T08:30:50+08:00"),
        expect!["refused: args: not a message of the contract: from: premature end of input"],
    );
    check("detector.pause", json!({"for_s": 600}), expect!["Pause { camera_id: None, for_s: 600.0 }"]);
    check("detector.pause", json!({"for_s": 1e9}), expect!["refused: args: for_s must be 0 to 86400"]);
    check("restart", Value::Null, expect!["Restart"]);
    check("shell", json!({"run": "rm -r /"}), expect![[r#"refused: unknown verb "shell""#]]);
}

#[test]
fn a_command_has_its_time_and_some_are_for_one_box_only() {
    let sent = sealed(&data("c1", "restart", Value::Null));
    let at = |wall_ms, quality| judged(&topic("restart"), &sent, Moment { wall_ms, quality, ..now() });
    let minutes = |m: i64| NOW_MS + m * 60_000;
    assert_eq!(at(NOW_MS, ClockQuality::Gnss), "Restart");
    assert!(at(NOW_MS, ClockQuality::None).contains("not synchronised"));
    assert!(at(minutes(9), ClockQuality::Ntp).ends_with("expired"));
    assert!(at(minutes(-10), ClockQuality::Ntp).contains("future"));
    let mut long = data("c1", "restart", Value::Null);
    long["expires_at"] = json!("2026-12-21T08:30:00+08:00");
    assert!(judged(&topic("restart"), &sealed(&long), now()).contains("7 days"));
    let for_all = |verb: &str, args: Value| {
        let mut data = data("c1", verb, args);
        data["target"] = json!("urn:kerbside:310112:all");
        judged(&format!("cg/v1/310112/all/cmd/{verb}"), &sealed(&data), now())
    };
    assert!(for_all("restart", Value::Null).contains("topic of all boxes"));
    assert!(for_all("resend", json!({"from": 1, "to": 2})).contains("topic of all boxes"));
    assert_eq!(for_all("detector.pause", json!({"for_s": 0})), "Pause { camera_id: None, for_s: 0.0 }");
}

/// Records of version 0.1 hold what was ordered by its verb alone.
#[test]
fn in_the_journal_an_action_is_known_by_its_verb() {
    for (text, of_stage) in [
        (r#"{"verb":"recheck","incident_id":"I"}"#, true),
        (r#"{"verb":"snapshot","camera_id":null}"#, true),
        (r#"{"verb":"clip","camera_id":"cam1","from_ms":1,"to_ms":2}"#, true),
        (r#"{"verb":"detector.pause","camera_id":null,"for_s":60.0}"#, true),
        (r#"{"verb":"restart"}"#, true),
        (r#"{"verb":"resend","from":1,"to":2}"#, false),
        (r#"{"verb":"log.pull","kinds":[],"last":20}"#, false),
    ] {
        let action: CommandAction = serde_json::from_str(text).unwrap();
        assert_eq!(matches!(action, CommandAction::Stage(_)), of_stage, "{text}");
        assert_eq!(serde_json::to_string(&action).unwrap(), text);
    }
}
