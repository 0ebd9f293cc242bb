//! What comes down: receipts, case states, commands. Hostile until parsed; refused with a reason, never a panic.

use serde::Deserialize;

use super::Identity;
use super::command::{self, Command};
use super::topic::{self, DownTopic};
use kerbside_domain::case::{CaseState, CaseUpdate, Receipt, ReceiptResult};

/// Longest message that is looked at, bytes.
pub const DOWN_LIMIT: usize = 16 * 1024;
const ID_LIMIT: usize = 128;
const TEXT_LIMIT: usize = 512;

/// A message that came down and was understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Down {
    Receipt(Receipt),
    Case(CaseUpdate),
    Command(Box<Command>),
    /// To be read with [`super::grant::read`].
    Grant,
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
    #[error("not a command of the centre: {0}")]
    Command(String),
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
            let state = CaseState::from(state);
            Ok(Down::Case(CaseUpdate { incident_id, case_no, state, reason }))
        }
        DownTopic::Command { .. } | DownTopic::Grant if retain => Err(Refusal::RetainedCommand),
        DownTopic::Grant => Ok(Down::Grant),
        DownTopic::Command { verb, to_all } => {
            command::read(verb, to_all, payload).map(|c| Down::Command(Box::new(c)))
        }
    }
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

pub(super) fn limited(what: &str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > limit {
        return Err(Refusal::Malformed(format!(
            "{what} with {} bytes; 1 to {limit} are allowed",
            text.len()
        )));
    }
    Ok(())
}

pub(super) fn instant(what: &str, text: &str) -> Result<i64, Refusal> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text);
    parsed.map(|t| t.timestamp_millis()).map_err(|e| Refusal::Malformed(format!("{what}: {e}")))
}

/// At most `bytes` of a text, cut at a character.
pub fn shortened(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// At most 160 characters, for logs and the journal.
pub fn clipped(text: &str) -> String {
    text.chars().take(160).collect()
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
                r#"Case(CaseUpdate { incident_id: "01J", case_no: None, state: Other("shelved_by_moonlight"), reason: None })"#
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
}
