//! Bytes to packets and back, for both versions. The only file that names rumqttc's types.
//!
//! Acknowledgements and answers are read here byte by byte: rumqttc takes a reason code that it does not know for a broken
//! packet, and brokers make up new ones.

use bytes::{Buf as _, BufMut as _, BytesMut};
use kerbside_site::config::Protocol;
use kerbside_wire::{CONTENT_TYPE, Content, Outgoing};
use rumqttc::mqttbytes::{self as b4, v4 as p4};
use rumqttc::v5::mqttbytes::{self as b5, v5 as p5};

use super::reasons;
use crate::error::LinkError;
use crate::machine::{Accepted, Dismissal};
use crate::tuning::{INBOUND_LIMIT, PACKET_LIMIT, RECEIVE_MAX, SESSION_EXPIRY_S};

const MALFORMED: &str = "the broker sent a packet that cannot be read";

/// What a CONNECT says.
pub(super) struct Hello {
    pub(super) client_id: String,
    pub(super) keep_alive_s: u16,
    pub(super) will: Will,
    pub(super) login: Option<Login>,
}

pub(super) struct Will {
    pub(super) topic: String,
    pub(super) body: Vec<u8>,
    pub(super) retain: bool,
    pub(super) qos: u8,
}

pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

/// What the broker said.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    Accepted(Accepted),
    /// CONNACK says no, or DISCONNECT.
    Dismissed {
        because: Dismissal,
        why: String,
    },
    Publish {
        topic: String,
        payload: Vec<u8>,
        retain: bool,
        qos: u8,
        pkid: u16,
    },
    PubAck {
        pkid: u16,
        code: u8,
    },
    PubRel {
        pkid: u16,
    },
    SubAck {
        pkid: u16,
        codes: Vec<u8>,
    },
    Other,
}

/// Reads and writes packets of one version.
#[derive(Debug)]
pub(super) struct Codec {
    protocol: Protocol,
    /// So many bytes belong to a message that is too long, and are thrown away as they come.
    skipped: usize,
}

/// A packet's head: its first byte, the length of the head, the length behind it.
type Head = (u8, usize, usize);

impl Codec {
    pub(super) fn new(protocol: Protocol) -> Self {
        Codec { protocol, skipped: 0 }
    }

    fn is_v5(&self) -> bool {
        self.protocol == Protocol::V5
    }

    /// The next packet of these bytes, if it is there whole. A message that is too long is given cut short: the store refuses it
    /// with its reason, and it is acknowledged like any other, so that it does not come for ever.
    pub(super) fn read(&mut self, bytes: &mut BytesMut) -> Result<Option<Incoming>, LinkError> {
        let skipped = self.skipped.min(bytes.len());
        bytes.advance(skipped);
        self.skipped -= skipped;
        if self.skipped > 0 {
            return Ok(None);
        }
        let Some((first, head, len)) = head(bytes)? else { return Ok(None) };
        let is_publish = first >> 4 == 3;
        if len > PACKET_LIMIT && !is_publish {
            return Err(LinkError::Connection(format!("the broker sent a packet of {len} bytes")));
        }
        let kept = len.min(PACKET_LIMIT);
        if bytes.len() < head + kept {
            return Ok(None);
        }
        let mut packet = bytes.split_to(head + kept);
        self.skipped = len - kept;
        if kept < len {
            packet.advance(head);
            let mut short = BytesMut::with_capacity(kept + 5);
            put_head(&mut short, first, kept);
            short.extend_from_slice(&packet);
            packet = short;
        }
        self.packet(first, head.min(packet.len()), packet).map(Some)
    }

    fn packet(&self, first: u8, head: usize, packet: BytesMut) -> Result<Incoming, LinkError> {
        let body = packet.get(head..).unwrap_or_default();
        match first >> 4 {
            2 => {
                let &[flags, code, ..] = body else { return Err(malformed()) };
                let is_short = body.len() == 2;
                if code != 0 {
                    let (because, why) = reasons::of_connack(code);
                    return Ok(Incoming::Dismissed { because, why: format!("the broker refuses: {why}") });
                }
                if self.is_v5() && !is_short {
                    return connack5(packet);
                }
                Ok(Incoming::Accepted(Accepted { session_present: flags & 1 == 1, ..Accepted::default() }))
            }
            3 => self.publish_read(packet),
            4 => Ok(Incoming::PubAck { pkid: u16_of(body)?, code: body.get(2).copied().unwrap_or(0) }),
            6 => Ok(Incoming::PubRel { pkid: u16_of(body)? }),
            9 => {
                let pkid = u16_of(body)?;
                let mut codes = body.get(2..).unwrap_or_default();
                if self.is_v5() {
                    let (len, properties) = varint(codes)?.ok_or_else(malformed)?;
                    codes = codes.get(len + properties..).ok_or_else(malformed)?;
                }
                Ok(Incoming::SubAck { pkid, codes: codes.to_vec() })
            }
            14 => {
                let code = body.first().copied().unwrap_or(0);
                let why = match code {
                    0 => "the broker disconnected".to_owned(),
                    code => format!("the broker disconnected: {}", reasons::name(code)),
                };
                Ok(Incoming::Dismissed { because: reasons::of_disconnect(code), why })
            }
            _ => Ok(Incoming::Other),
        }
    }

    fn publish_read(&self, mut packet: BytesMut) -> Result<Incoming, LinkError> {
        let (topic, payload, retain, qos, pkid) = if self.is_v5() {
            match p5::Packet::read(&mut packet, None).map_err(unreadable)? {
                p5::Packet::Publish(p) => {
                    let topic = String::from_utf8_lossy(&p.topic).into_owned();
                    (topic, p.payload.to_vec(), p.retain, p.qos as u8, p.pkid)
                }
                _ => return Err(malformed()),
            }
        } else {
            match p4::Packet::read(&mut packet, usize::MAX).map_err(unreadable)? {
                p4::Packet::Publish(p) => (p.topic, p.payload.to_vec(), p.retain, p.qos as u8, p.pkid),
                _ => return Err(malformed()),
            }
        };
        Ok(Incoming::Publish { topic, payload, retain, qos, pkid })
    }

    pub(super) fn connect(&self, hello: &Hello, out: &mut BytesMut) -> Result<(), LinkError> {
        if self.is_v5() { connect5(hello, out) } else { connect4(hello, out) }
    }

    pub(super) fn publish(&self, outgoing: Outgoing, pkid: u16, out: &mut BytesMut) -> Result<(), LinkError> {
        let Outgoing { topic, qos, retain, expiry_s, properties, body, content, .. } = outgoing;
        let written = if self.is_v5() {
            let qos = if qos == 0 { b5::QoS::AtMostOnce } else { b5::QoS::AtLeastOnce };
            let properties = p5::PublishProperties {
                payload_format_indicator: Some(u8::from(content == Content::Event)),
                message_expiry_interval: expiry_s,
                content_type: Some(content.media_type().to_owned()),
                user_properties: properties,
                ..Default::default()
            };
            let mut publish = p5::Publish::new(topic, qos, body, Some(properties));
            (publish.retain, publish.pkid) = (retain, pkid);
            p5::Packet::Publish(publish).write(out, None).map_err(|e| e.to_string())
        } else {
            let qos = if qos == 0 { b4::QoS::AtMostOnce } else { b4::QoS::AtLeastOnce };
            let mut publish = p4::Publish::new(topic, qos, body);
            (publish.retain, publish.pkid) = (retain, pkid);
            p4::Packet::Publish(publish).write(out, usize::MAX).map_err(|e| e.to_string())
        };
        written.map(drop).map_err(LinkError::Connection)
    }

    pub(super) fn subscribe(
        &self,
        filters: &[String],
        pkid: u16,
        out: &mut BytesMut,
    ) -> Result<(), LinkError> {
        let written = if self.is_v5() {
            // A retained command is refused also when it comes at once.
            let filter = |f: &String| p5::Filter {
                preserve_retain: true,
                ..p5::Filter::new(f.clone(), b5::QoS::AtLeastOnce)
            };
            let filters = filters.iter().map(filter).collect();
            let subscribe = p5::Subscribe { pkid, filters, properties: None };
            p5::Packet::Subscribe(subscribe).write(out, None).map_err(|e| e.to_string())
        } else {
            let filter = |f: &String| p4::SubscribeFilter::new(f.clone(), b4::QoS::AtLeastOnce);
            let subscribe = p4::Subscribe { pkid, filters: filters.iter().map(filter).collect() };
            p4::Packet::Subscribe(subscribe).write(out, usize::MAX).map_err(|e| e.to_string())
        };
        written.map(drop).map_err(LinkError::Connection)
    }
}

/// PUBACK, or PUBREC of a message that came with QoS 2.
pub(super) fn acknowledge(qos: u8, pkid: u16, out: &mut BytesMut) {
    out.put_slice(&[if qos == 1 { 0x40 } else { 0x50 }, 2]);
    out.put_u16(pkid);
}

pub(super) fn pubcomp(pkid: u16, out: &mut BytesMut) {
    out.put_slice(&[0x70, 2]);
    out.put_u16(pkid);
}

pub(super) fn ping(out: &mut BytesMut) {
    out.put_slice(&[0xC0, 0]);
}

pub(super) fn disconnect(out: &mut BytesMut) {
    out.put_slice(&[0xE0, 0]);
}

fn connect5(hello: &Hello, out: &mut BytesMut) -> Result<(), LinkError> {
    let properties = p5::ConnectProperties {
        session_expiry_interval: Some(SESSION_EXPIRY_S),
        receive_maximum: Some(RECEIVE_MAX),
        max_packet_size: Some(INBOUND_LIMIT),
        topic_alias_max: None,
        request_response_info: None,
        request_problem_info: None,
        user_properties: Vec::new(),
        authentication_method: None,
        authentication_data: None,
    };
    let of_will = p5::LastWillProperties {
        delay_interval: None,
        payload_format_indicator: Some(1),
        message_expiry_interval: None,
        content_type: Some(CONTENT_TYPE.to_owned()),
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    };
    let Will { topic, body, retain, qos } = &hello.will;
    let qos = if *qos == 0 { b5::QoS::AtMostOnce } else { b5::QoS::AtLeastOnce };
    let will = p5::LastWill::new(topic.clone(), body.clone(), qos, *retain, Some(of_will));
    let login = hello.login.as_ref();
    let login = login.map(|l| p5::Login { username: l.user.clone(), password: l.password.clone() });
    let connect = p5::Connect {
        keep_alive: hello.keep_alive_s,
        client_id: hello.client_id.clone(),
        clean_start: false,
        properties: Some(properties),
    };
    let packet = p5::Packet::Connect(connect, Some(will), login);
    packet.write(out, None).map(drop).map_err(|e| LinkError::Connection(e.to_string()))
}

fn connect4(hello: &Hello, out: &mut BytesMut) -> Result<(), LinkError> {
    let mut connect = p4::Connect::new(hello.client_id.clone());
    connect.keep_alive = hello.keep_alive_s;
    connect.clean_session = false;
    let Will { topic, body, retain, qos } = &hello.will;
    let qos = if *qos == 0 { b4::QoS::AtMostOnce } else { b4::QoS::AtLeastOnce };
    connect.last_will = Some(p4::LastWill::new(topic.clone(), body.clone(), qos, *retain));
    if let Some(login) = &hello.login {
        connect.set_login(login.user.clone(), login.password.clone());
    }
    let packet = p4::Packet::Connect(connect);
    packet.write(out, usize::MAX).map(drop).map_err(|e| LinkError::Connection(e.to_string()))
}

fn connack5(mut packet: BytesMut) -> Result<Incoming, LinkError> {
    let p5::Packet::ConnAck(ack) = p5::Packet::read(&mut packet, None).map_err(unreadable)? else {
        return Err(malformed());
    };
    let properties = ack.properties.as_ref();
    Ok(Incoming::Accepted(Accepted {
        session_present: ack.session_present,
        receive_max: properties.and_then(|p| p.receive_max),
        max_packet: properties.and_then(|p| p.max_packet_size),
        no_retain: properties.and_then(|p| p.retain_available) == Some(0),
        max_qos: properties.and_then(|p| p.max_qos),
        keep_alive_s: properties.and_then(|p| p.server_keep_alive),
    }))
}

fn malformed() -> LinkError {
    LinkError::Connection(MALFORMED.to_owned())
}

fn unreadable(error: impl std::fmt::Display) -> LinkError {
    LinkError::Connection(format!("{MALFORMED}: {error}"))
}

fn u16_of(body: &[u8]) -> Result<u16, LinkError> {
    let &[high, low, ..] = body else { return Err(malformed()) };
    Ok(u16::from_be_bytes([high, low]))
}

/// `None`: more bytes are needed.
fn head(bytes: &[u8]) -> Result<Option<Head>, LinkError> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    Ok(varint(rest)?.map(|(len, value)| (*first, 1 + len, value)))
}

/// A variable byte integer: how long it is, and its value. `None`: more bytes are needed.
fn varint(bytes: &[u8]) -> Result<Option<(usize, usize)>, LinkError> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((i + 1, value)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(malformed()) }
}

fn put_head(out: &mut BytesMut, first: u8, len: usize) {
    out.put_u8(first);
    let mut rest = len;
    loop {
        let more = rest > 0x7F;
        out.put_u8((rest & 0x7F) as u8 | if more { 0x80 } else { 0 });
        rest >>= 7;
        if !more {
            break;
        }
    }
}
