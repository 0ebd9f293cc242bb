//! MQTT packets, the few that a scripted broker needs, for 3.1.1 and 5: written from the standard, so that the box's library is
//! not tested against itself.

use std::io::{Read, Write};

use anyhow::{Context as _, Result, bail, ensure};

/// Longest packet that is read, bytes.
const LIMIT: usize = 1 << 20;

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Connect {
        v5: bool,
        clean: bool,
        keep_alive_s: u16,
        client_id: String,
        /// Of the will.
        will_retain: bool,
        will_qos: u8,
    },
    Publish {
        topic: String,
        qos: u8,
        pkid: u16,
        retain: bool,
        payload: Vec<u8>,
        len: usize,
    },
    Subscribe {
        pkid: u16,
        filters: Vec<String>,
    },
    PubAck {
        pkid: u16,
    },
    Ping,
    Disconnect,
    /// What needs no answer.
    Other,
}

/// What a CONNACK says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connack {
    pub session_present: bool,
    pub refused: bool,
    /// Refused with this code.
    pub code: Option<u8>,
    /// MQTT 5 only, as all that follow.
    pub max_packet: Option<u32>,
    pub receive_max: Option<u16>,
    pub no_retain: bool,
    pub qos0_only: bool,
    pub keep_alive_s: Option<u16>,
}

/// Reads one packet; `None`: the peer is gone. `v5` is known from the CONNECT.
pub fn read(stream: &mut impl Read, v5: bool) -> Result<Option<Packet>> {
    let mut first = [0; 1];
    if stream.read(&mut first).unwrap_or(0) == 0 {
        return Ok(None);
    }
    let (mut len, mut shift) = (0, 0);
    loop {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte)?;
        len |= usize::from(byte[0] & 0x7F) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
        ensure!(shift < 28, "a length of more than four bytes");
    }
    ensure!(len <= LIMIT, "a packet of {len} bytes");
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    let mut fields = Fields(&body);
    Ok(Some(match first[0] >> 4 {
        1 => connect(&mut fields)?,
        3 => publish(first[0], &mut fields, v5, len)?,
        4 => Packet::PubAck { pkid: fields.u16()? },
        8 => subscribe(&mut fields, v5)?,
        12 => Packet::Ping,
        14 => Packet::Disconnect,
        _ => Packet::Other,
    }))
}

fn connect(fields: &mut Fields<'_>) -> Result<Packet> {
    ensure!(fields.text()? == "MQTT", "not MQTT");
    let v5 = fields.byte()? == 5;
    let flags = fields.byte()?;
    let (clean, will_retain, will_qos) = (flags & 2 != 0, flags & 0x20 != 0, flags >> 3 & 3);
    let keep_alive_s = fields.u16()?;
    if v5 {
        fields.properties()?;
    }
    Ok(Packet::Connect { v5, clean, keep_alive_s, client_id: fields.text()?, will_retain, will_qos })
}

fn publish(first: u8, fields: &mut Fields<'_>, v5: bool, len: usize) -> Result<Packet> {
    let qos = first >> 1 & 3;
    let topic = fields.text()?;
    let pkid = if qos > 0 { fields.u16()? } else { 0 };
    if v5 {
        fields.properties()?;
    }
    let retain = first & 1 != 0;
    Ok(Packet::Publish { topic, qos, pkid, retain, payload: fields.0.to_vec(), len })
}

fn subscribe(fields: &mut Fields<'_>, v5: bool) -> Result<Packet> {
    let pkid = fields.u16()?;
    if v5 {
        fields.properties()?;
    }
    let mut filters = Vec::new();
    while !fields.0.is_empty() {
        filters.push(fields.text()?);
        fields.byte()?;
    }
    Ok(Packet::Subscribe { pkid, filters })
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n).context("the packet is too short")?;
        self.0 = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn text(&mut self) -> Result<String> {
        let len = self.u16()?;
        Ok(String::from_utf8(self.take(usize::from(len))?.to_vec())?)
    }

    /// Skipped: nothing here depends on them.
    fn properties(&mut self) -> Result<()> {
        let (mut len, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            len |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift >= 28 {
                bail!("a length of more than four bytes");
            }
        }
        self.take(len).map(drop)
    }
}

fn send(stream: &mut impl Write, first: u8, body: &[u8]) -> Result<()> {
    let mut packet = vec![first];
    let mut len = body.len();
    loop {
        let more = len > 0x7F;
        packet.push((len & 0x7F) as u8 | if more { 0x80 } else { 0 });
        len >>= 7;
        if !more {
            break;
        }
    }
    packet.extend_from_slice(body);
    Ok(stream.write_all(&packet)?)
}

pub fn connack(stream: &mut impl Write, v5: bool, says: Connack) -> Result<()> {
    let code = match (says.code, says.refused, v5) {
        (Some(code), _, _) => code,
        (None, false, _) => 0,
        // Server unavailable.
        (None, true, true) => 0x88,
        (None, true, false) => 3,
    };
    let mut body = vec![u8::from(says.session_present && code == 0), code];
    if v5 {
        let mut properties = Vec::new();
        if let Some(max) = says.max_packet {
            properties.push(0x27);
            properties.extend(max.to_be_bytes());
        }
        if let Some(max) = says.receive_max {
            properties.push(0x21);
            properties.extend(max.to_be_bytes());
        }
        if says.no_retain {
            properties.extend([0x25, 0]);
        }
        if says.qos0_only {
            properties.extend([0x24, 0]);
        }
        if let Some(s) = says.keep_alive_s {
            properties.push(0x13);
            properties.extend(s.to_be_bytes());
        }
        body.push(properties.len() as u8);
        body.extend(properties);
    }
    send(stream, 0x20, &body)
}

pub fn puback(stream: &mut impl Write, pkid: u16) -> Result<()> {
    send(stream, 0x40, &pkid.to_be_bytes())
}

/// MQTT 5 alone.
pub fn puback_code(stream: &mut impl Write, pkid: u16, code: u8) -> Result<()> {
    let [high, low] = pkid.to_be_bytes();
    send(stream, 0x40, &[high, low, code])
}

/// MQTT 5 alone.
pub fn disconnect(stream: &mut impl Write, code: u8) -> Result<()> {
    send(stream, 0xE0, &[code, 0])
}

pub fn suback(stream: &mut impl Write, v5: bool, pkid: u16, filters: usize) -> Result<()> {
    suback_codes(stream, v5, pkid, &vec![1; filters])
}

/// One code a filter.
pub fn suback_codes(stream: &mut impl Write, v5: bool, pkid: u16, codes: &[u8]) -> Result<()> {
    let mut body = pkid.to_be_bytes().to_vec();
    if v5 {
        body.push(0);
    }
    body.extend_from_slice(codes);
    send(stream, 0x90, &body)
}

pub fn pong(stream: &mut impl Write) -> Result<()> {
    send(stream, 0xD0, &[])
}

/// Down to the client, quality of service 1.
pub fn publish_down(stream: &mut impl Write, v5: bool, topic: &str, pkid: u16, payload: &[u8]) -> Result<()> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    body.extend(pkid.to_be_bytes());
    if v5 {
        body.push(0);
    }
    body.extend_from_slice(payload);
    send(stream, 0x32, &body)
}
