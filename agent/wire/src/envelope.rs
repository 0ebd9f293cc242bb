//! The envelope: CloudEvents 1.0 in structured JSON, with a fixed order of fields.
//!
//! A draft becomes the body of a journal record ([`message_body`]) whose last field is the envelope without its
//! `data.journal`. What is published ([`published`]) is that text with number, previous hash and hash of the record
//! put in. So the journal proves what was said, and saying it again gives the same bytes.

use serde::{Deserialize, Serialize};

use super::Identity;
use kerbside_crypto::hash::Hash;
use kerbside_domain::time::{Moment, rfc3339};

pub const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
/// Longest body of a matter, bytes.
pub const MATTER_LIMIT: usize = 4096;
/// Room that sequence, recording time and journal part take, added when a draft is sent, bytes.
pub const ROOM_FOR_DELIVERY: usize = 360;

/// Everything of a message but what the delivery knows: sequence, recording time, journal record.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// CloudEvents id; `None`: made from the sequence number.
    pub id: Option<String>,
    /// Without the leading `kerbside.`, e.g. `matter.opened.v1`.
    pub kind: String,
    pub subject: Option<String>,
    pub at: Moment,
    pub correlation: Option<String>,
    /// Below the box's root.
    pub topic: String,
    /// 0 state and matters, 1 replies and patrol, 2 evidence, 3 observations and health.
    pub lane: u8,
    pub qos: u8,
    pub retain: bool,
    /// After that long the message is worth nothing; `None`: never.
    pub expiry_s: Option<u32>,
    /// A JSON object that is not empty.
    pub data: String,
    /// A message of the same slot replaces it while it waits (state, position, health).
    pub slot: Option<String>,
}

#[derive(Serialize)]
struct Head<'a> {
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

impl Message {
    /// CloudEvents id, with the sequence number where the draft has no own.
    pub fn event_id(&self, seq: u64) -> String {
        self.id.clone().unwrap_or_else(|| format!("s{seq:020}"))
    }

    /// The envelope without `data.journal`. `delivery`: sequence number and recording time; `None` for what is never
    /// journalled (the last will, a replay).
    pub fn envelope(&self, who: &Identity, delivery: Option<(u64, Moment)>) -> String {
        let seq = delivery.map(|(seq, _)| seq);
        let sequence = seq.map(|s| format!("{s:020}"));
        let recorded = delivery.map(|(_, at)| rfc3339(at.wall_ms, who.utc_offset_s));
        let head = Head {
            specversion: "1.0",
            id: &self.event_id(seq.unwrap_or(0)),
            source: &who.source(),
            kind: &format!("kerbside.{}", self.kind),
            subject: self.subject.as_deref(),
            time: &rfc3339(self.at.wall_ms, who.utc_offset_s),
            recordedtime: recorded.as_deref(),
            datacontenttype: "application/json",
            sequence: sequence.as_deref(),
            correlationid: self.correlation.as_deref(),
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
        format!("{}/{}", super::topic::root(&who.division, &who.edge_id), self.topic)
    }
}

/// What stands before the envelope in a `message` record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageHead {
    pub seq: u64,
    /// CloudEvents id.
    pub id: String,
    /// CloudEvents type.
    #[serde(rename = "type")]
    pub kind: String,
    pub lane: u8,
    pub qos: u8,
    pub retain: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    pub topic: String,
}

const SPLIT: &str = ",\"envelope\":";

/// Body of the journal record that makes a message durable.
pub fn message_body(draft: &Message, who: &Identity, seq: u64, recorded: Moment) -> String {
    let head = MessageHead {
        seq,
        id: draft.event_id(seq),
        kind: format!("kerbside.{}", draft.kind),
        lane: draft.lane,
        qos: draft.qos,
        retain: draft.retain,
        expiry_s: draft.expiry_s,
        slot: draft.slot.clone(),
        topic: draft.full_topic(who),
    };
    let mut text = to_json(&head);
    text.pop();
    text.push_str(SPLIT);
    text.push_str(&draft.envelope(who, Some((seq, recorded))));
    text.push('}');
    text
}

/// What the wire needs of the journal record that holds a message.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// The record's number.
    pub n: u64,
    /// Hash of the record before it.
    pub prev: Hash,
    /// Its own hash.
    pub hash: Hash,
    /// What [`message_body`] gave.
    pub body: &'a str,
}

/// Head and envelope of a body that [`message_body`] gave; `None` if it is something else.
pub fn parse_message(body: &str) -> Option<(MessageHead, &str)> {
    let (head, rest) = body.split_once(SPLIT)?;
    Some((serde_json::from_str(&format!("{head}}}")).ok()?, rest.strip_suffix('}')?))
}

/// What a parcel's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Event,
    /// See [`super::chunk`].
    Chunk,
}

impl Content {
    pub fn media_type(self) -> &'static str {
        match self {
            Content::Event => CONTENT_TYPE,
            Content::Chunk => "application/vnd.kerbside.chunk",
        }
    }
}

/// A message ready for a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub seq: u64,
    pub topic: String,
    pub qos: u8,
    pub retain: bool,
    /// What is left of its life.
    pub expiry_s: Option<u32>,
    /// MQTT 5 user properties `id`, `type`, `source`, `sequence`.
    pub properties: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub content: Content,
}

impl Outgoing {
    /// Upper bound of the MQTT packet's length, bytes.
    pub fn packet_len(&self) -> usize {
        let properties: usize = self.properties.iter().map(|(k, v)| k.len() + v.len() + 5).sum();
        self.body.len() + self.topic.len() + properties + CONTENT_TYPE.len() + 32
    }
}

/// The message of a `message` record as it is published: a pure function of the record, but for `expiry_s`, which the
/// caller sets to what is left.
pub fn published(record: Recorded<'_>, who: &Identity) -> Option<Outgoing> {
    let (head, envelope) = parse_message(record.body)?;
    let open = envelope.strip_suffix("}}")?;
    let journal = format!(
        ",\"journal\":{{\"n\":{},\"prev\":\"{}\",\"hash\":\"{}\"}}}}}}",
        record.n, record.prev, record.hash
    );
    let properties = [
        ("id", head.id.clone()),
        ("type", head.kind.clone()),
        ("source", who.source()),
        ("sequence", format!("{:020}", head.seq)),
    ];
    Some(Outgoing {
        seq: head.seq,
        topic: head.topic,
        qos: head.qos,
        retain: head.retain,
        expiry_s: head.expiry_s,
        properties: properties.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        body: [open.as_bytes(), journal.as_bytes()].concat(),
        content: Content::Event,
    })
}

/// Plain structs and maps with text keys always serialise; an empty object stands for what cannot happen.
pub fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}
