//! What comes down: receipts, case states, commands. Hostile until parsed; refused with a reason, never a panic.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Identity;
use super::topic::{self, DownTopic};
use crate::incident::{CaseState, Receipt, ReceiptResult};
use crate::time::{ClockQuality, Moment};

/// Longest message that is looked at, bytes.
pub const DOWN_LIMIT: usize = 16 * 1024;
const ID_LIMIT: usize = 128;
const TEXT_LIMIT: usize = 512;

/// A message that came down and was understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Down {
    Receipt(Receipt),
    Case(CaseState),
    Command(Command),
}

/// An order from the centre, not yet judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub id: String,
    pub verb: String,
    pub actor: Option<String>,
    pub issued_at_ms: i64,
    pub expires_at_ms: i64,
    pub args: Value,
    /// Sent to all boxes of a division.
    pub to_all: bool,
}

/// Why a message from above counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("not for this box: topic {0:?}")]
    Topic(String),
    #[error("{bytes} bytes; the limit is {limit}")]
    TooLong { bytes: usize, limit: usize },
    #[error("a retained command is never obeyed")]
    RetainedCommand,
    #[error("not a message of the contract: {0}")]
    Malformed(String),
}

/// CloudEvents of which the box reads only type and data; unknown fields are the centre's own business.
#[derive(Deserialize)]
struct Event<T> {
    specversion: String,
    #[serde(rename = "type")]
    kind: String,
    data: T,
}

#[derive(Deserialize)]
struct ReceiptData {
    id: String,
    result: ReceiptResult,
    case_no: Option<String>,
    due_at: Option<String>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct CaseData {
    incident_id: String,
    case_no: Option<String>,
    state: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct CommandData {
    id: String,
    actor: Option<String>,
    issued_at: String,
    expires_at: String,
    #[serde(default)]
    args: Value,
}

/// Reads one message from above.
pub fn parse(who: &Identity, topic: &str, payload: &[u8], retain: bool) -> Result<Down, Refusal> {
    let place = topic::parse_down(topic, &who.division, &who.edge_id);
    let place = place.ok_or_else(|| Refusal::Topic(clipped(topic)))?;
    if payload.len() > DOWN_LIMIT {
        return Err(Refusal::TooLong { bytes: payload.len(), limit: DOWN_LIMIT });
    }
    match place {
        DownTopic::Receipt => {
            let data: ReceiptData = event(payload, "kerbside.receipt.v1")?;
            limited("id", &data.id, ID_LIMIT)?;
            for text in [&data.case_no, &data.due_at, &data.reason].into_iter().flatten() {
                limited("text", text, TEXT_LIMIT)?;
            }
            let ReceiptData { id, result, case_no, due_at, reason } = data;
            Ok(Down::Receipt(Receipt { id, result, case_no, due_at, reason }))
        }
        DownTopic::Case => {
            let data: CaseData = event(payload, "kerbside.case.state.v1")?;
            limited("incident_id", &data.incident_id, ID_LIMIT)?;
            limited("state", &data.state, ID_LIMIT)?;
            for text in [&data.case_no, &data.reason].into_iter().flatten() {
                limited("text", text, TEXT_LIMIT)?;
            }
            let CaseData { incident_id, case_no, state, reason } = data;
            Ok(Down::Case(CaseState { incident_id, case_no, state, reason }))
        }
        DownTopic::Command { .. } if retain => Err(Refusal::RetainedCommand),
        DownTopic::Command { verb, to_all } => command(verb, to_all, event(payload, "kerbside.command.v1")?),
    }
}

fn command(verb: &str, to_all: bool, data: CommandData) -> Result<Down, Refusal> {
    limited("id", &data.id, ID_LIMIT)?;
    if let Some(actor) = &data.actor {
        limited("actor", actor, ID_LIMIT)?;
    }
    let (issued_at_ms, expires_at_ms) =
        (instant("issued_at", &data.issued_at)?, instant("expires_at", &data.expires_at)?);
    let CommandData { id, actor, args, .. } = data;
    Ok(Down::Command(Command { id, verb: verb.to_owned(), actor, issued_at_ms, expires_at_ms, args, to_all }))
}

fn event<T: serde::de::DeserializeOwned>(payload: &[u8], kind: &str) -> Result<T, Refusal> {
    let event: Event<T> =
        serde_json::from_slice(payload).map_err(|e| Refusal::Malformed(clipped(&e.to_string())))?;
    if event.specversion != "1.0" || event.kind != kind {
        let told = format!("type {:?} on the topic of {kind}", event.kind);
        return Err(Refusal::Malformed(clipped(&told)));
    }
    Ok(event.data)
}

fn limited(what: &str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > limit {
        return Err(Refusal::Malformed(format!(
            "{what} with {} bytes; 1 to {limit} are allowed",
            text.len()
        )));
    }
    Ok(())
}

fn instant(what: &str, text: &str) -> Result<i64, Refusal> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text);
    parsed.map(|t| t.timestamp_millis()).map_err(|e| Refusal::Malformed(format!("{what}: {e}")))
}

/// At most 160 characters, for logs and the journal.
pub(crate) fn clipped(text: &str) -> String {
    text.chars().take(160).collect()
}

/// What the box does about a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// Say again what was said with these sequence numbers.
    Resend {
        from: u64,
        to: u64,
    },
    Refused(String),
}

/// Most messages one `resend` may ask for.
pub const RESEND_LIMIT: u64 = 1000;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ResendArgs {
    from: u64,
    to: u64,
}

/// Judges a command. Until signatures are verified only `resend` is obeyed: it makes the box repeat to its own centre
/// what it said before, and changes nothing. Everything else is refused.
pub fn judge(command: &Command, now: Moment) -> Judgement {
    let refused = |why: String| Judgement::Refused(why);
    if now.quality == ClockQuality::None {
        return refused(
            "the clock is not synchronised: it cannot be judged whether the command has expired".into(),
        );
    }
    if command.expires_at_ms <= now.wall_ms {
        return refused("expired".into());
    }
    match command.verb.as_str() {
        "resend" if command.to_all => refused("resend is not taken from the topic of all boxes".into()),
        "resend" => match serde_json::from_value::<ResendArgs>(command.args.clone()) {
            Ok(ResendArgs { from, to }) if from <= to && to - from < RESEND_LIMIT => {
                Judgement::Resend { from, to }
            }
            Ok(_) => refused(format!("from..to must be at most {RESEND_LIMIT} sequence numbers, in order")),
            Err(e) => refused(format!("args: {e}")),
        },
        "snapshot" | "clip" | "recheck" | "detector.pause" | "log.pull" | "restart" => refused(format!(
            "{}: commands that need a signature are not supported by this version",
            command.verb
        )),
        other => refused(format!("unknown verb {:?}", clipped(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn who() -> Identity {
        Identity { division: "310112".into(), edge_id: "mh-xz-017".into(), ..Identity::default() }
    }

    fn check(topic: &str, payload: &str, retain: bool, expected: expect_test::Expect) {
        let text = match parse(&who(), &format!("cg/v1/310112/mh-xz-017/{topic}"), payload.as_bytes(), retain)
        {
            Ok(down) => format!("{down:?}"),
            Err(refusal) => format!("refused: {refusal}"),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn what_is_understood_and_what_is_refused() {
        check(
            "receipt",
            r#"{"specversion":"1.0","type":"kerbside.receipt.v1","id":"x","data":{"id":"01J.0001","result":"accepted","case_no":"2026-7","more":1}}"#,
            false,
            expect![[
                r#"Receipt(Receipt { id: "01J.0001", result: Accepted, case_no: Some("2026-7"), due_at: None, reason: None })"#
            ]],
        );
        check(
            "case",
            r#"{"specversion":"1.0","type":"kerbside.case.state.v1","data":{"incident_id":"01J","state":"shelved_by_moonlight"}}"#,
            true,
            expect![[
                r#"Case(CaseState { incident_id: "01J", case_no: None, state: "shelved_by_moonlight", reason: None })"#
            ]],
        );
        check("cmd/restart", "{}", true, expect!["refused: a retained command is never obeyed"]);
        check(
            "receipt",
            r#"{"specversion":"1.0","type":"kerbside.case.state.v1","data":{"id":"a","result":"accepted"}}"#,
            false,
            expect![[
                r#"refused: not a message of the contract: type "kerbside.case.state.v1" on the topic of kerbside.receipt.v1"#
            ]],
        );
        check(
            "receipt",
            r#"{"specversion":"1.0","type":"kerbside.receipt.v1","data":{"id":"","result":"accepted"}}"#,
            false,
            expect!["refused: not a message of the contract: id with 0 bytes; 1 to 128 are allowed"],
        );
        check(
            "receipt",
            "\u{0}[[[",
            false,
            expect!["refused: not a message of the contract: expected value at line 1 column 1"],
        );
        check("receipt", &"x".repeat(20_000), false, expect!["refused: 20000 bytes; the limit is 16384"]);
        check(
            "cmd/../x",
            "{}",
            false,
            expect![[r#"refused: not for this box: topic "cg/v1/310112/mh-xz-017/cmd/../x""#]],
        );
    }

    #[test]
    fn only_a_timely_resend_to_this_box_is_obeyed() {
        let now = Moment { wall_ms: 1_000_000, quality: ClockQuality::Ntp, ..Moment::default() };
        let command = |verb: &str, args: Value| Command {
            id: "c1".into(),
            verb: verb.into(),
            actor: None,
            issued_at_ms: 0,
            expires_at_ms: 2_000_000,
            args,
            to_all: false,
        };
        let range = serde_json::json!({"from": 3, "to": 9});
        assert_eq!(judge(&command("resend", range.clone()), now), Judgement::Resend { from: 3, to: 9 });
        let refused = |c: Command, now| assert!(matches!(judge(&c, now), Judgement::Refused(_)), "{c:?}");
        refused(command("restart", Value::Null), now);
        refused(command("format.disk", Value::Null), now);
        refused(command("resend", serde_json::json!({"from": 9, "to": 3})), now);
        refused(command("resend", serde_json::json!({"from": 1, "to": u64::MAX})), now);
        refused(command("resend", Value::Null), now);
        refused(Command { to_all: true, ..command("resend", range.clone()) }, now);
        refused(Command { expires_at_ms: 1_000_000, ..command("resend", range.clone()) }, now);
        refused(command("resend", range), Moment { quality: ClockQuality::None, ..now });
    }
}
