//! What comes down: receipts, case states, commands, grants. Hostile until parsed; refused with a reason, never a panic.

use kerbside_domain::case::{CaseUpdate, Receipt};

use crate::command::SignedCommand;
use crate::grant::SignedGrant;
use crate::identity::Identity;
use crate::refusal::Refusal;
use crate::statement::Statement;
use crate::text::clipped;
use crate::topic::{self, InboundTopic};
use crate::{case, limits, receipt};

/// A message of the centre that was understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Inbound {
    /// The centre has one of our messages; not yet believed.
    Receipt(Statement<Receipt>),
    /// A step in the life of its own case, not yet believed.
    Case(Statement<CaseUpdate>),
    /// An order, not yet believed.
    Command(Box<SignedCommand>),
    /// A file that it wants, not yet believed.
    Grant(SignedGrant),
}

/// Reads one message of the centre.
pub fn parse(who: &Identity, topic: &str, payload: &[u8], retain: bool) -> Result<Inbound, Refusal> {
    let place = topic::parse_inbound(topic, &who.division, &who.edge_id);
    let place = place.ok_or_else(|| Refusal::Topic(clipped(topic)))?;
    if payload.len() > limits::INBOUND {
        return Err(Refusal::TooLong { bytes: payload.len(), limit: limits::INBOUND });
    }
    match place {
        InboundTopic::Receipt => receipt::read(payload).map(Inbound::Receipt),
        InboundTopic::Case => case::read(payload).map(Inbound::Case),
        InboundTopic::Command { .. } | InboundTopic::Grant if retain => Err(Refusal::Retained),
        InboundTopic::Grant => SignedGrant::read(payload).map(Inbound::Grant),
        InboundTopic::Command { verb, to_all } => {
            SignedCommand::read(verb, to_all, payload).map(|c| Inbound::Command(Box::new(c)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::who;
    use expect_test::expect;

    fn check(topic: &str, payload: &str, retain: bool, expected: expect_test::Expect) {
        let text = match parse(&who(), &format!("cg/v1/310112/mh-xz-017/{topic}"), payload.as_bytes(), retain)
        {
            Ok(Inbound::Receipt(statement)) => format!("{:?}", statement.said),
            Ok(Inbound::Case(statement)) => format!("{:?}", statement.said),
            Ok(inbound) => format!("{inbound:?}"),
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
                r#"Receipt { id: "01J.0001", result: Accepted, case_no: Some("2026-7"), due_at: None, reason: None, signed_by: None }"#
            ]],
        );
        check(
            "case",
            r#"{"specversion":"1.0","type":"kerbside.case.state.v1","data":{"incident_id":"01J","state":"shelved_by_moonlight"}}"#,
            true,
            expect![[
                r#"CaseUpdate { incident_id: "01J", case_no: None, state: Other("shelved_by_moonlight"), reason: None, signed_by: None }"#
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
