//! A message as it is published: the journalled envelope with number, previous hash and hash of its record put in.
//!
//! So the journal proves what was said, and saying it again gives the same bytes.

use kerbside_crypto::hash::Hash;

use crate::identity::Identity;
use crate::limits::RECORD_ROOM;
use crate::message::{Message, parse_message};

/// Media type of every message but the pieces of files.
pub const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// What the wire needs of the journal record that holds a message.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// The record's number.
    pub n: u64,
    /// Hash of the record before it.
    pub prev: Hash,
    /// Its own hash.
    pub hash: Hash,
    /// What [`crate::message_body`] gave.
    pub body: &'a str,
}

/// What the body of an [`Outgoing`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A CloudEvents envelope.
    Event,
    /// A piece of a file, see [`crate::chunk`].
    Chunk,
}

impl Content {
    /// MQTT 5 content type.
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
    /// Its sequence number.
    pub seq: u64,
    /// Full topic.
    pub topic: String,
    /// MQTT quality of service, 0 or 1.
    pub qos: u8,
    /// The broker keeps the newest of its topic.
    pub retain: bool,
    /// What is left of its life, s.
    pub expiry_s: Option<u32>,
    /// MQTT 5 user properties `id`, `type`, `source`, `sequence`.
    pub properties: Vec<(String, String)>,
    /// The bytes.
    pub body: Vec<u8>,
    /// What they are.
    pub content: Content,
}

impl Outgoing {
    /// Upper bound of the MQTT packet's length, bytes.
    pub fn packet_len(&self) -> usize {
        let properties: usize = self.properties.iter().map(|(k, v)| k.len() + v.len() + 5).sum();
        self.body.len() + self.topic.len() + properties + PACKET_ROOM
    }
}

/// Content type, fixed header and the property lengths of MQTT, bytes at most.
const PACKET_ROOM: usize = CONTENT_TYPE.len() + 32;

/// Upper bound of what [`Outgoing::packet_len`] will be for a message, without its topic, bytes.
pub(crate) fn packet_bound(message: &Message, who: &Identity) -> usize {
    let id = message.event_id(who, u64::MAX).len();
    let kind = "kerbside.".len() + message.kind.len();
    let properties = [("id", id), ("type", kind), ("source", who.source().len()), ("sequence", 20)];
    let properties: usize = properties.iter().map(|(key, length)| key.len() + length + 5).sum();
    message.envelope(who, None).len() + RECORD_ROOM + properties + PACKET_ROOM
}

/// The message of a `message` record as it is published: a pure function of the record, but for `expiry_s`, which the
/// caller sets to what is left. `None`: the record holds no message.
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
