//! A broker, and the centre behind it, that fail by a script: each connection follows the next line of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::mqtt::{self, Connack, Packet};
use crate::wait::{Missed, Watched, now};

/// How one connection goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum BrokerFault {
    #[default]
    None,
    /// CONNACK says no.
    Refuse,
    /// After so many publishes the broker forgets everything it has not passed on, and the connection with it.
    Forget { after: u32 },
    /// After so many publishes it reads nothing more and answers nothing, but the connection stays.
    StopReading { after: u32 },
    /// This share of publishes is neither passed on nor acknowledged.
    Withhold { share: f64 },
    /// Closes the connection on a longer packet. MQTT 5 clients are told the limit if it is `announced`.
    Limit { bytes: u32, announced: bool },
}

/// A matter that came, under its CloudEvents id.
#[derive(Debug)]
pub struct ReceivedMatter {
    pub first: Instant,
    pub times: u32,
    pub sequence: String,
    body: Vec<u8>,
}

/// All that came.
#[derive(Debug, Default)]
pub struct Received {
    pub matters: BTreeMap<String, ReceivedMatter>,
    /// Messages under an id that was there before with other bytes.
    pub forged: u64,
    /// When a client connected, and whether it was let in.
    pub connects: Vec<(Instant, bool)>,
    /// When a connection went wrong by the script.
    pub faults: Vec<Instant>,
    /// Signed grants that a box is sent when it subscribes, until their upload is over.
    grants: BTreeMap<String, Vec<u8>>,
    /// By grant: what has come over MQTT.
    pub files: BTreeMap<String, Vec<u8>>,
    /// `evidence.ready` and `evidence.failed`.
    pub uploads_ended: Vec<Value>,
    script: VecDeque<BrokerFault>,
    otherwise: BrokerFault,
}

#[derive(Debug)]
struct Shared {
    received: Watched<Received>,
    rng: Mutex<fastrand::Rng>,
    streams: Mutex<Vec<TcpStream>>,
    sends_receipts: bool,
}

/// Runs until it is dropped.
#[derive(Debug)]
pub struct ScriptedBroker {
    shared: Arc<Shared>,
    port: u16,
}

impl ScriptedBroker {
    /// Listens on `port` (0: a free one). Connections follow `script` in turn, later ones `otherwise`. With `sends_receipts`
    /// the centre answers every matter.
    pub fn start(
        port: u16,
        script: Vec<BrokerFault>,
        otherwise: BrokerFault,
        sends_receipts: bool,
    ) -> Result<ScriptedBroker> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let port = listener.local_addr()?.port();
        let received = Received { script: script.into(), otherwise, ..Received::default() };
        let shared = Arc::new(Shared {
            received: Watched::new(received),
            rng: Mutex::new(fastrand::Rng::with_seed(7)),
            streams: Mutex::default(),
            sends_receipts,
        });
        let weak = Arc::downgrade(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), Some(shared)) = (stream, weak.upgrade()) else { break };
                shared.streams.lock().extend(stream.try_clone());
                std::thread::spawn(move || {
                    // An error is a client that went away or talks nonsense: its own business.
                    if !matches!(serve(&stream, &shared), Ok(End::HeldOpen)) {
                        let _ = stream.shutdown(Shutdown::Both);
                    }
                });
            }
        });
        Ok(ScriptedBroker { shared, port })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until what was received satisfies `look`.
    pub fn until<T>(
        &self,
        awaited: &str,
        limit: Duration,
        look: impl FnMut(&Received) -> Option<T>,
    ) -> Result<T, Missed> {
        self.shared.received.until(awaited, limit, look, Received::summary)
    }

    /// The centre wants a file.
    pub fn grant(&self, id: &str, signed: Vec<u8>) {
        self.shared.received.change(|r| r.grants.insert(id.to_owned(), signed));
    }

    pub fn read<T>(&self, read: impl FnOnce(&Received) -> T) -> T {
        self.shared.received.read(read)
    }
}

impl Drop for ScriptedBroker {
    fn drop(&mut self) {
        for stream in self.shared.streams.lock().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Received {
    fn summary(&self) -> String {
        let let_in = self.connects.iter().filter(|(_, let_in)| *let_in).count();
        let files: Vec<String> =
            self.files.iter().map(|(id, bytes)| format!("{id}: {} bytes", bytes.len())).collect();
        format!(
            "{} matters (the last: {:?}), {} connections, {let_in} of them let in, {} faults of {:?} and {} to come, \
             files {files:?}, {} uploads ended",
            self.matters.len(),
            self.matters.keys().next_back(),
            self.connects.len(),
            self.faults.len(),
            self.otherwise,
            self.script.len(),
            self.uploads_ended.len()
        )
    }

    /// A piece of a file goes where it belongs: a line of JSON, then the bytes.
    fn piece(&mut self, payload: &[u8]) {
        let Some(head_len) = payload.iter().position(|b| *b == b'\n') else { return };
        let (head, bytes) = (&payload[..head_len], &payload[head_len + 1..]);
        let head: Value = serde_json::from_slice(head).unwrap_or_default();
        let (Some(id), Some(offset)) = (head["grant_id"].as_str(), head["offset"].as_u64()) else { return };
        let file = self.files.entry(id.to_owned()).or_default();
        file.resize(file.len().max(offset as usize + bytes.len()), 0);
        let place = file.get_mut(offset as usize..offset as usize + bytes.len());
        place.into_iter().for_each(|place| place.copy_from_slice(bytes));
    }

    /// The id of a matter that must be answered.
    fn file(&mut self, payload: &[u8]) -> Option<String> {
        let event: Value = serde_json::from_slice(payload).ok()?;
        let id = event["id"].as_str()?;
        let kind = event["type"].as_str()?;
        if kind.starts_with("kerbside.evidence.") {
            self.grants.retain(|id, _| event["data"]["grant_id"] != id.as_str());
            self.uploads_ended.push(event.clone());
        }
        if !kind.starts_with("kerbside.matter.") {
            return None;
        }
        let sequence = event["sequence"].as_str().unwrap_or_default().to_owned();
        let new = ReceivedMatter { first: now(), times: 0, sequence, body: payload.to_vec() };
        let matter = self.matters.entry(id.to_owned()).or_insert(new);
        matter.times += 1;
        self.forged += u64::from(matter.body != payload);
        Some(id.to_owned())
    }
}

/// The payload of a receipt.
fn receipt(id: &str) -> Vec<u8> {
    let data = json!({"id": id, "result": "accepted", "case_no": "2026-1"});
    json!({"specversion": "1.0", "type": "kerbside.receipt.v1", "data": data}).to_string().into_bytes()
}

/// How a connection ended.
enum End {
    Over,
    /// Held open, never read again.
    HeldOpen,
}

fn serve(mut stream: &TcpStream, shared: &Shared) -> Result<End> {
    stream.set_nodelay(true)?;
    let first = mqtt::read(&mut stream, false)?.context("gone before CONNECT")?;
    let Packet::Connect { v5, client_id, .. } = first else { bail!("no CONNECT") };
    let (fault, was_here) = shared.received.change(|r| {
        let fault = r.script.pop_front().unwrap_or(r.otherwise);
        r.connects.push((now(), fault != BrokerFault::Refuse));
        (fault, r.connects.len() > 1)
    });
    let max_packet = match fault {
        BrokerFault::Limit { bytes, announced: true } => Some(bytes),
        _ => None,
    };
    // A broker that forgets has no sessions.
    let session_present = was_here && !matches!(fault, BrokerFault::Forget { .. });
    let refused = fault == BrokerFault::Refuse;
    let answer = Connack { session_present, refused, max_packet, ..Connack::default() };
    mqtt::connack(&mut stream, v5, answer)?;
    if fault == BrokerFault::Refuse {
        return Ok(End::Over);
    }
    let end = attend(stream, shared, &Client { v5, root: format!("cg/v1/310112/{client_id}") }, fault)?;
    if let Some(end) = end {
        return Ok(end);
    }
    shared.received.change(|r| r.faults.push(now()));
    Ok(End::Over)
}

struct Client {
    v5: bool,
    /// Of its topics.
    root: String,
}

/// Answers until the client disconnects (`Some`) or the script, or the network, ends it.
fn attend(
    mut stream: &TcpStream,
    shared: &Shared,
    client: &Client,
    fault: BrokerFault,
) -> Result<Option<End>> {
    let Client { v5, root } = client;
    let mut count = 0;
    while let Some(packet) = mqtt::read(&mut stream, *v5)? {
        match packet {
            Packet::Publish { pkid, payload, len, .. } => {
                count += 1;
                match fault {
                    BrokerFault::Forget { after } if count > after => break,
                    BrokerFault::StopReading { after } if count > after => {
                        shared.received.change(|r| r.faults.push(now()));
                        return Ok(Some(End::HeldOpen));
                    }
                    BrokerFault::Limit { bytes, .. } if len > bytes as usize => break,
                    BrokerFault::Withhold { share } if shared.rng.lock().f64() < share => continue,
                    _ => {}
                }
                let matter = shared.received.change(|r| {
                    r.piece(&payload);
                    r.file(&payload)
                });
                if pkid > 0 {
                    mqtt::puback(&mut stream, pkid)?;
                }
                if let Some(id) = matter.filter(|_| shared.sends_receipts) {
                    let pkid = (count % 65_535 + 1) as u16;
                    mqtt::publish_down(&mut stream, *v5, &format!("{root}/receipt"), pkid, &receipt(&id))?;
                }
            }
            Packet::Subscribe { pkid, filters } => {
                mqtt::suback(&mut stream, *v5, pkid, filters.len())?;
                let grants: Vec<Vec<u8>> = shared.received.read(|r| r.grants.values().cloned().collect());
                for (i, grant) in grants.iter().enumerate() {
                    mqtt::publish_down(&mut stream, *v5, &format!("{root}/grant"), 60_000 + i as u16, grant)?;
                }
            }
            Packet::Ping => mqtt::pong(&mut stream)?,
            Packet::Disconnect => return Ok(Some(End::Over)),
            Packet::Connect { .. } | Packet::PubAck { .. } | Packet::Other => {}
        }
    }
    Ok(None)
}
