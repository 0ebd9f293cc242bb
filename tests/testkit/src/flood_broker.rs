//! A broker with thousands of messages for the box, that sends all of them at once whatever the box said of Receive Maximum:
//! receipts, case states, junk, and commands and grants that somebody forged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::mqtt::{self, Connack, Packet};
use crate::wait::{Missed, Watched, now};

/// What waits for the box.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    pub messages: u16,
    /// The first connection breaks after so many acknowledgements.
    pub breaks_after: Option<usize>,
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
    /// How much was acknowledged when the first of them came.
    pub first_report_after: Option<usize>,
    /// When the first message was sent, and when the last was acknowledged.
    pub began: Option<Instant>,
    pub drained: Option<Instant>,
}

/// Runs until it is dropped.
#[derive(Debug)]
pub struct FloodBroker {
    port: u16,
    seen: Arc<Watched<SeenInFlood>>,
}

impl FloodBroker {
    pub fn start(flood: Flood) -> Result<FloodBroker> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Watched::new(SeenInFlood::default()));
        let weak = Arc::downgrade(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(seen) = weak.upgrade() else { break };
                std::thread::spawn(move || {
                    // An error is a client that went away.
                    let _ = serve(&stream, flood, &seen);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Ok(FloodBroker { port, seen })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until what was seen satisfies `look`.
    pub fn until<T>(
        &self,
        awaited: &str,
        limit: Duration,
        look: impl FnMut(&SeenInFlood) -> Option<T>,
    ) -> Result<T, Missed> {
        self.seen.until(awaited, limit, look, |s| {
            let (acks, reports) = (s.acknowledged.len(), s.reports.len());
            format!("{} connections, {acks} acknowledged, {reports} reports", s.connections)
        })
    }

    pub fn read<T>(&self, read: impl FnOnce(&SeenInFlood) -> T) -> T {
        self.seen.read(read)
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
        s.connections
    });
    let writes = Arc::new(Mutex::new(stream.try_clone()?));
    mqtt::connack(&mut *writes.lock(), v5, Connack { session_present: true, ..Connack::default() })?;
    while let Some(packet) = mqtt::read(&mut reads, v5)? {
        match packet {
            Packet::Subscribe { pkid, filters } => {
                mqtt::suback(&mut *writes.lock(), v5, pkid, filters.len())?;
                let (writes, seen, root) =
                    (writes.clone(), seen.clone(), format!("cg/v1/310112/{client_id}"));
                std::thread::spawn(move || {
                    seen.change(|s| s.began = s.began.or(Some(now())));
                    for i in 1..=flood.messages {
                        let (topic, payload) = message(i);
                        let topic = format!("{root}/{topic}");
                        if mqtt::publish_down(&mut *writes.lock(), v5, &topic, i, &payload).is_err() {
                            break;
                        }
                    }
                });
            }
            Packet::Publish { topic, pkid, payload, .. } => {
                if topic.contains("/matter/") {
                    let event: Value = serde_json::from_slice(&payload)?;
                    let id = event["id"].as_str().unwrap_or_default().to_owned();
                    seen.change(|s| {
                        s.reports.entry(id).or_insert_with(now);
                        s.first_report_after = s.first_report_after.or(Some(s.acknowledged.len()));
                    });
                }
                if pkid > 0 {
                    mqtt::puback(&mut *writes.lock(), pkid)?;
                }
            }
            Packet::Ping => mqtt::pong(&mut *writes.lock())?,
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
