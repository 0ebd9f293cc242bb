//! Answers to commands and grants that are not the centre's word, or that cannot be read: who sent one in good faith learns why
//! nothing comes. They have no correlation, so that they never pass for the answer to a true message with the same id.

use kerbside_domain::time::Moment;
use serde_json::{Value, json};

use crate::limits;
use crate::message::Message;
use crate::priority::Priority;
use crate::reply::{ReplyResult, reply};
use crate::text::{clipped, to_json};
use crate::topic::{self, InboundTopic};
use crate::{Identity, Refusal};

/// The answer to a command or grant that was refused before anybody could believe it. `None`: it names no id to answer to, it is
/// neither, or it is not for this box.
pub fn refused(
    who: &Identity,
    topic: &str,
    payload: &[u8],
    refusal: &Refusal,
    at: Moment,
) -> Option<Message> {
    let place = topic::parse_inbound(topic, &who.division, &who.edge_id)?;
    if payload.len() > limits::INBOUND {
        return None;
    }
    let data = match serde_json::from_slice::<Value>(payload).ok()? {
        Value::Object(mut event) => event.remove("data")?,
        _ => return None,
    };
    let text = |name: &str| data.get(name).and_then(Value::as_str).map(clipped).filter(|t| !t.is_empty());
    let reason = clipped(&refusal.to_string());
    let mut message = match place {
        InboundTopic::Command { verb, .. } => {
            reply(&text("id")?, &clipped(verb), ReplyResult::Refused, Some(&reason), Value::Null, at)
        }
        InboundTopic::Grant => failed(&text("id")?, text("path"), &reason, at),
        InboundTopic::Receipt | InboundTopic::Case => return None,
    };
    message.correlation_id = None;
    Some(message)
}

/// `evidence.failed` for a grant that nobody vouches for: it names the grant, and the file as far as that says one.
fn failed(grant_id: &str, path: Option<String>, reason: &str, at: Moment) -> Message {
    let file = path.as_deref().unwrap_or(grant_id).rsplit('/').next().unwrap_or(grant_id);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let id = if stem.is_empty() { grant_id } else { stem };
    // Not `grant_id`: that would end a true grant with this id.
    let mut data = json!({"id": id, "unverified_grant_id": grant_id, "reason": reason});
    if let Some(path) = &path {
        data["path"] = json!(path);
    }
    let topic = format!("evidence/{}/ready", topic::word(&grant_id.to_lowercase()));
    Message::new("evidence.failed.v1", topic, Priority::Evidence, at, to_json(&data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NotGenuine;
    use crate::testing::{at, who};
    use crate::tests::schemas;

    fn answered(topic: &str, payload: &str) -> Option<Value> {
        let refusal = Refusal::NotGenuine(NotGenuine::NotSigned);
        let topic = format!("cg/v1/310112/mh-xz-017/{topic}");
        let message = refused(&who(), &topic, payload.as_bytes(), &refusal, at(0.0))?;
        assert_eq!(message.correlation_id, None);
        let envelope: Value = serde_json::from_str(&message.envelope(&who(), Some((1, at(0.0))))).unwrap();
        schemas().check(&envelope).unwrap();
        Some(envelope)
    }

    #[test]
    fn what_names_an_id_is_answered_by_the_contract_and_nothing_else_is() {
        let grant = answered("grant", r#"{"data":{"id":"g1","path":"2026-11-21/01J/r1-clip.mp4"}}"#).unwrap();
        assert_eq!(grant["type"], "kerbside.evidence.failed.v1");
        assert_eq!(
            (&grant["data"]["id"], &grant["data"]["unverified_grant_id"]),
            (&json!("r1-clip"), &json!("g1"))
        );
        assert!(grant["data"].get("grant_id").is_none(), "it ends no true grant");
        let outside = answered("grant", r#"{"data":{"id":"g2","path":"../../site.toml"}}"#).unwrap();
        assert_eq!(outside["data"]["path"], "../../site.toml");
        answered("grant", r#"{"data":{"id":"g/+#","path":"/"}}"#).unwrap();
        let command = answered("cmd/restart", r#"{"data":{"id":"c1"}}"#).unwrap();
        assert_eq!(
            (&command["data"]["verb"], &command["data"]["result"]),
            (&json!("restart"), &json!("refused"))
        );
        for (topic, payload) in [
            ("grant", r#"{"data":{"path":"x"}}"#),
            ("grant", r#"{"data":7}"#),
            ("grant", "[[["),
            ("cmd/restart", r#"{"data":{"id":""}}"#),
            ("receipt", r#"{"data":{"id":"m1"}}"#),
            ("case", r#"{"data":{"id":"m1"}}"#),
            ("nonsense", r#"{"data":{"id":"m1"}}"#),
        ] {
            assert_eq!(answered(topic, payload), None, "{topic} {payload}");
        }
        let long = format!(r#"{{"data":{{"id":"c1"}},"x":"{}"}}"#, "y".repeat(limits::INBOUND));
        assert_eq!(answered("cmd/restart", &long), None);
    }
}
