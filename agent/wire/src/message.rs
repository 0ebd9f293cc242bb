//! A message of the box: CloudEvents 1.0 in structured JSON, with a fixed order of fields, and the journal record that
//! makes it durable.

use kerbside_domain::time::{Moment, rfc3339};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::priority::Priority;
use crate::text::to_json;
use crate::topic;

/// Everything of a message but what the trace knows: sequence number, recording time, journal record.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// CloudEvents id; `None`: made from the sequence number.
    pub id: Option<String>,
    /// CloudEvents type without the leading `kerbside.`, e.g. `matter.opened.v1`.
    pub kind: String,
    /// CloudEvents subject.
    pub subject: Option<String>,
    /// When that was, which the message says.
    pub at: Moment,
    /// The incident or command that it belongs to.
    pub correlation_id: Option<String>,
    /// Below the box's root.
    pub topic: String,
    /// Who yields to whom.
    pub priority: Priority,
    /// MQTT quality of service, 0 or 1.
    pub qos: u8,
    /// The broker keeps the newest of its topic.
    pub retain: bool,
    /// After that long the message is worth nothing, s; `None`: never.
    pub expiry_s: Option<u32>,
    /// A JSON object that is not empty.
    pub data: String,
    /// A newer message of the same key replaces it while it waits (state, position, health).
    pub conflation_key: Option<String>,
}

#[derive(Serialize)]
struct EnvelopeHead<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recordedtime: Option<&'a str>,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlationid: Option<&'a str>,
}

/// Whether the box sends a message again until the centre says that it has it (where it says so at all). What a newer message replaces
/// needs no receipt: the newer one says the same. AsyncAPI says it of each type, in `reply` of its operation.
pub fn awaits_receipt(priority: Priority, qos: u8, is_replaceable: bool) -> bool {
    matches!(priority, Priority::Incident | Priority::Reply) && qos > 0 && !is_replaceable
}

impl Message {
    /// A message with the commonest choices: QoS 1, not retained, never expires, replaced by none.
    pub(crate) fn new(
        kind: &str,
        topic: impl Into<String>,
        priority: Priority,
        at: Moment,
        data: String,
    ) -> Message {
        Message {
            id: None,
            kind: kind.to_owned(),
            subject: None,
            at,
            correlation_id: None,
            topic: topic.into(),
            priority,
            qos: 1,
            retain: false,
            expiry_s: None,
            data,
            conflation_key: None,
        }
    }

    /// CloudEvents id: made from the sequence number, and the journal that it counts in, where the message has none of its own.
    pub fn event_id(&self, who: &Identity, seq: u64) -> String {
        let numbered = || match &who.journal_id {
            Some(journal) => format!("s{seq:020}.{journal}"),
            None => format!("s{seq:020}"),
        };
        self.id.clone().unwrap_or_else(numbered)
    }

    /// The envelope without `data.journal`. `recorded`: sequence number and recording time; `None` for what is never
    /// journalled (the last will, a replay).
    pub fn envelope(&self, who: &Identity, recorded: Option<(u64, Moment)>) -> String {
        let seq = recorded.map(|(seq, _)| seq);
        let sequence = seq.map(|s| format!("{s:020}"));
        let recorded = recorded.map(|(_, at)| rfc3339(at.wall_ms, who.utc_offset_s));
        let head = EnvelopeHead {
            specversion: "1.0",
            id: &self.event_id(who, seq.unwrap_or(0)),
            source: &who.source(),
            kind: &format!("kerbside.{}", self.kind),
            subject: self.subject.as_deref(),
            time: &rfc3339(self.at.wall_ms, who.utc_offset_s),
            recordedtime: recorded.as_deref(),
            datacontenttype: "application/json",
            sequence: sequence.as_deref(),
            correlationid: self.correlation_id.as_deref(),
        };
        let mut text = to_json(&head);
        text.pop();
        text.push_str(",\"data\":");
        text.push_str(&self.data);
        text.push('}');
        text
    }

    /// Full topic.
    pub fn full_topic(&self, who: &Identity) -> String {
        format!("{}/{}", topic::root(&who.division, &who.edge_id), self.topic)
    }
}

/// What stands before the envelope in a `message` record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageHead {
    /// Its sequence number, which rises by one a message over the life of the box.
    pub seq: u64,
    /// CloudEvents id.
    pub id: String,
    /// CloudEvents type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who yields to whom.
    #[serde(rename = "lane")]
    pub priority: Priority,
    /// MQTT quality of service, 0 or 1.
    pub qos: u8,
    /// The broker keeps the newest of its topic.
    pub retain: bool,
    /// After that long the message is worth nothing, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_s: Option<u32>,
    /// A newer message of the same key replaces it while it waits.
    #[serde(rename = "slot", default, skip_serializing_if = "Option::is_none")]
    pub conflation_key: Option<String>,
    /// Full topic.
    pub topic: String,
}

const ENVELOPE_KEY: &str = ",\"envelope\":";

/// Body of the journal record that makes a message durable. Its last field is the envelope without `data.journal`.
pub fn message_body(message: &Message, who: &Identity, seq: u64, recorded: Moment) -> String {
    let head = MessageHead {
        seq,
        id: message.event_id(who, seq),
        kind: format!("kerbside.{}", message.kind),
        priority: message.priority,
        qos: message.qos,
        retain: message.retain,
        expiry_s: message.expiry_s,
        conflation_key: message.conflation_key.clone(),
        topic: message.full_topic(who),
    };
    let mut text = to_json(&head);
    text.pop();
    text.push_str(ENVELOPE_KEY);
    text.push_str(&message.envelope(who, Some((seq, recorded))));
    text.push('}');
    text
}

/// Head and envelope of a body that [`message_body`] gave; `None` if it is something else.
pub fn parse_message(body: &str) -> Option<(MessageHead, &str)> {
    let (head, rest) = body.split_once(ENVELOPE_KEY)?;
    Some((serde_json::from_str(&format!("{head}}}")).ok()?, rest.strip_suffix('}')?))
}
