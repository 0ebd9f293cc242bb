//! A broker with thousands of messages for the box, that sends all of them at once whatever the box said of Receive Maximum:
//! receipts, case states, junk, and commands and grants that somebody forged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::mqtt::{self, Connack, Packet};
use crate::served::Served;
use crate::wait::{Watched, now};

/// What waits for the box.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flood {
    pub messages: u16,
    /// The first connection breaks after so many acknowledgements.
    pub breaks_after: Option<usize>,
    /// The broker takes no more without acknowledgement, and acknowledges behind all that it sends (MQTT 5).
    pub receive_max: Option<u16>,
}

impl Flood {
    /// How many of them are true: each must be journalled, once.
    pub fn receipts(self) -> usize {
        (1..=self.messages).filter(|i| matches!(kind(*i), Kind::Receipt)).count()
    }

    pub fn cases(self) -> usize {
        (1..=self.messages).filter(|i| matches!(kind(*i), Kind::Case)).count()
    }
}

enum Kind {
    Receipt,
    Case,
    Junk,
    Command,
    Grant,
}

fn kind(i: u16) -> Kind {
    match i % 20 {
        0..=12 => Kind::Receipt,
        13..=15 => Kind::Case,
        16..=17 => Kind::Junk,
        18 => Kind::Command,
        _ => Kind::Grant,
    }
}

/// Topic, below the box's root, and payload.
fn message(i: u16) -> (&'static str, Vec<u8>) {
    let event = |kind: &str, data: Value| {
        let id = format!("flood-{i}");
        json!({"specversion": "1.0", "id": id, "type": kind, "data": data}).to_string().into_bytes()
    };
    match kind(i) {
        Kind::Receipt => {
            let data = json!({"id": format!("OLD{i}.0001"), "result": "accepted"});
            ("receipt", event("kerbside.receipt.v1", data))
        }
        Kind::Case => {
            let data =
                json!({"case_no": format!("2026-{i}"), "incident_id": format!("OLD{i}"), "state": "filed"});
            ("case", event("kerbside.case.state.v1", data))
        }
        Kind::Junk => ("case", vec![b'{'; usize::from(i % 4000)]),
        Kind::Command => {
            let data = json!({"id": format!("c{i}"), "verb": "snapshot", "args": {}});
            ("cmd/snapshot", event("kerbside.command.v1", data))
        }
        Kind::Grant => {
            let data = json!({"id": format!("g{i}"), "url": "https://thief.example/", "path": "x"});
            ("grant", event("kerbside.evidence.grant.v1", data))
        }
    }
}

/// What it has seen.
#[derive(Debug, Default)]
pub struct SeenInFlood {
    pub connections: usize,
    /// Packet ids that were acknowledged on this connection.
    pub acknowledged: BTreeSet<u16>,
    /// Reports by the id of their event, and when they came first.
    pub reports: BTreeMap<String, Instant>,
    /// How much was acknowledged when each of them came first.
    pub acknowledged_before: BTreeMap<String, usize>,
    /// Publishes that are not acknowledged, and the most that were.
    pub unanswered: usize,
    pub most_unanswered: usize,
    /// When the first message was sent, and when the last was acknowledged.
    pub began: Option<Instant>,
    pub drained: Option<Instant>,
}

impl std::fmt::Display for SeenInFlood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (acks, reports) = (self.acknowledged.len(), self.reports.len());
        write!(f, "{} connections, {acks} acknowledged, {reports} reports", self.connections)
    }
}

/// A broker that drowns the box.
pub type FloodBroker = Served<SeenInFlood>;

impl FloodBroker {
    pub fn start(flood: Flood) -> Result<FloodBroker> {
        Served::by(move |stream, seen| serve(stream, flood, seen))
    }
}

/// The way down to the box.
struct Down {
    stream: Mutex<TcpStream>,
    /// PUBACKs that stand behind the flood, as long as it lasts.
    late: Mutex<Option<Vec<u16>>>,
}

impl Down {
    /// Acknowledges, at once or behind what is on its way.
    fn puback(&self, pkid: u16, seen: &Watched<SeenInFlood>) -> Result<()> {
        match &mut *self.late.lock() {
            Some(late) => late.push(pkid),
            None => {
                seen.change(|s| s.unanswered = s.unanswered.saturating_sub(1));
                mqtt::puback(&mut *self.stream.lock(), pkid)?;
            }
        }
        Ok(())
    }

    fn flood(&self, flood: Flood, v5: bool, root: &str, seen: &Watched<SeenInFlood>) -> Result<()> {
        seen.change(|s| s.began = s.began.or(Some(now())));
        for i in 1..=flood.messages {
            let (topic, payload) = message(i);
            let topic = format!("{root}/{topic}");
            mqtt::publish_down(&mut *self.stream.lock(), v5, &topic, i, &payload)?;
        }
        let late = self.late.lock().take();
        for pkid in late.into_iter().flatten() {
            self.puback(pkid, seen)?;
        }
        Ok(())
    }
}

fn serve(stream: &TcpStream, flood: Flood, seen: &Arc<Watched<SeenInFlood>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reads = stream;
    let first = mqtt::read(&mut reads, false)?.context("gone before CONNECT")?;
    let Packet::Connect { v5, client_id, .. } = first else { bail!("no CONNECT") };
    let connection = seen.change(|s| {
        s.connections += 1;
        s.acknowledged.clear();
        s.unanswered = 0;
        s.connections
    });
    let receive_max = flood.receive_max;
    let late = Mutex::new(receive_max.map(|_| Vec::new()));
    let down = Arc::new(Down { stream: Mutex::new(stream.try_clone()?), late });
    let says = Connack { session_present: true, receive_max, ..Connack::default() };
    mqtt::connack(&mut *down.stream.lock(), v5, says)?;
    while let Some(packet) = mqtt::read(&mut reads, v5)? {
        match packet {
            Packet::Subscribe { pkid, filters } => {
                mqtt::suback(&mut *down.stream.lock(), v5, pkid, filters.len())?;
                let (down, seen, root) = (down.clone(), seen.clone(), format!("cg/v1/310112/{client_id}"));
                // An error is a client that went away.
                std::thread::spawn(move || down.flood(flood, v5, &root, &seen));
            }
            Packet::Publish { topic, pkid, payload, .. } => {
                if pkid > 0 {
                    seen.change(|s| {
                        s.unanswered += 1;
                        s.most_unanswered = s.most_unanswered.max(s.unanswered);
                    });
                }
                if topic.contains("/matter/") {
                    let event: Value = serde_json::from_slice(&payload)?;
                    let id = event["id"].as_str().unwrap_or_default().to_owned();
                    seen.change(|s| {
                        s.acknowledged_before.entry(id.clone()).or_insert(s.acknowledged.len());
                        s.reports.entry(id).or_insert_with(now);
                    });
                }
                if pkid > 0 {
                    down.puback(pkid, seen)?;
                }
            }
            Packet::Ping => mqtt::pong(&mut *down.stream.lock())?,
            Packet::Disconnect => break,
            Packet::PubAck { pkid } => {
                let acknowledged = seen.change(|s| {
                    s.acknowledged.insert(pkid);
                    if s.acknowledged.len() == usize::from(flood.messages) {
                        s.drained = s.drained.or(Some(now()));
                    }
                    s.acknowledged.len()
                });
                if connection == 1 && flood.breaks_after == Some(acknowledged) {
                    break;
                }
            }
            Packet::Connect { .. } | Packet::Other => {}
        }
    }
    Ok(())
}
