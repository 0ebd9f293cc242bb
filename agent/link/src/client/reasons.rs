//! Reason codes of both versions in words, and what they mean for the next connection.

use crate::machine::{Dismissal, Verdict};

/// The name that MQTT 5 gives a reason code (chapter 2.4).
pub(super) fn name(code: u8) -> String {
    let name = match code {
        0x80 => "unspecified error",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x83 => "implementation specific error",
        0x84 => "unsupported protocol version",
        0x85 => "client identifier not valid",
        0x86 => "bad user name or password",
        0x87 => "not authorized",
        0x88 => "server unavailable",
        0x89 => "server busy",
        0x8A => "banned",
        0x8B => "server shutting down",
        0x8C => "bad authentication method",
        0x8D => "keep alive timeout",
        0x8E => "session taken over",
        0x8F => "topic filter invalid",
        0x90 => "topic name invalid",
        0x91 => "packet identifier in use",
        0x93 => "receive maximum exceeded",
        0x94 => "topic alias invalid",
        0x95 => "packet too large",
        0x96 => "message rate too high",
        0x97 => "quota exceeded",
        0x98 => "administrative action",
        0x99 => "payload format invalid",
        0x9A => "retain not supported",
        0x9B => "QoS not supported",
        0x9C => "use another server",
        0x9D => "server moved",
        0x9E => "shared subscriptions not supported",
        0x9F => "connection rate exceeded",
        0xA0 => "maximum connect time",
        0xA1 => "subscription identifiers not supported",
        0xA2 => "wildcard subscriptions not supported",
        _ => return format!("reason code {code:#04x}"),
    };
    name.to_owned()
}

/// Why CONNECT was refused: what to do, and the words. Codes below 0x80 are those of 3.1.1, which old brokers answer also to
/// a CONNECT of MQTT 5.
pub(super) fn of_connack(code: u8) -> (Dismissal, String) {
    match code {
        1 => (Dismissal::Protocol, "unsupported protocol version".to_owned()),
        2 => (Dismissal::Other, "client identifier not valid".to_owned()),
        3 => (Dismissal::Other, "server unavailable".to_owned()),
        4 => (Dismissal::Other, "bad user name or password".to_owned()),
        5 => (Dismissal::Other, "not authorized".to_owned()),
        code => (of_disconnect(code), name(code)),
    }
}

/// What a DISCONNECT of the broker is about.
pub(super) fn of_disconnect(code: u8) -> Dismissal {
    match code {
        0x84 => Dismissal::Protocol,
        0x8E => Dismissal::SessionTaken,
        0x9A => Dismissal::Retain,
        0x9B => Dismissal::Qos,
        // About a packet of ours: it shows which when it goes alone.
        0x81 | 0x82 | 0x83 | 0x87 | 0x90 | 0x93 | 0x94 | 0x95 | 0x99 => Dismissal::Message,
        _ => Dismissal::Other,
    }
}

/// What a PUBACK says.
pub(super) fn of_puback(code: u8) -> Verdict {
    match code {
        0x00..0x80 => Verdict::Taken,
        // The message itself is wrong.
        0x90 | 0x99 => Verdict::Refused { reason: name(code), never: true },
        _ => Verdict::Refused { reason: name(code), never: false },
    }
}
