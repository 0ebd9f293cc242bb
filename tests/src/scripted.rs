//! A broker and a centre that misbehave as told: each connection follows the next line of a script.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use parking_lot::{Condvar, Mutex};
use serde_json::{Value, json};

use crate::mqtt::{self, Connack, Packet};
use crate::process::now;

/// How one connection goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fault {
    #[default]
    None,
    /// CONNACK says no.
    Refuse,
    /// After so many publishes the broker forgets everything it has not passed on, and the connection with it.
    Cut { after: u32 },
    /// After so many publishes it reads nothing more and answers nothing, but the connection stays.
    Deaf { after: u32 },
    /// This share of publishes is neither passed on nor acknowledged.
    Withhold { share: f64 },
    /// Closes the connection on a longer packet. MQTT 5 is told before if `told`.
    Cap { bytes: u32, told: bool },
}

/// What came, by CloudEvents id.
#[derive(Debug)]
pub struct Heard {
    pub first: Instant,
    pub times: u32,
    pub sequence: String,
    body: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Centre {
    pub matters: BTreeMap<String, Heard>,
    /// Messages under an id that was there before with other bytes.
    pub forged: u64,
    /// When a client connected, and whether it was let in.
    pub connects: Vec<(Instant, bool)>,
    /// When a connection went wrong by the script.
    pub faults: Vec<Instant>,
    /// Signed grants that a box hears when it subscribes, until their upload is over.
    grants: BTreeMap<String, Vec<u8>>,
    /// By grant: what has come over MQTT.
    pub files: BTreeMap<String, Vec<u8>>,
    /// `evidence.ready` and `evidence.failed`.
    pub ended: Vec<Value>,
    script: VecDeque<Fault>,
    otherwise: Fault,
    seen: u64,
}

#[derive(Debug)]
struct Shared {
    centre: Mutex<Centre>,
    changed: Condvar,
    rng: Mutex<fastrand::Rng>,
    streams: Mutex<Vec<TcpStream>>,
    receipts: bool,
}

/// Runs until it is dropped.
#[derive(Debug)]
pub struct Scripted {
    shared: Arc<Shared>,
    port: u16,
}

impl Scripted {
    /// Listens on `port` (0: a free one). Connections follow `script` in turn, later ones `otherwise`. With `receipts` the
    /// centre answers every matter.
    pub fn start(port: u16, script: Vec<Fault>, otherwise: Fault, receipts: bool) -> Result<Scripted> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let port = listener.local_addr()?.port();
        let centre = Centre { script: script.into(), otherwise, ..Centre::default() };
        let shared = Arc::new(Shared {
            centre: Mutex::new(centre),
            changed: Condvar::new(),
            rng: Mutex::new(fastrand::Rng::with_seed(7)),
            streams: Mutex::default(),
            receipts,
        });
        let weak = Arc::downgrade(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), Some(shared)) = (stream, weak.upgrade()) else { break };
                shared.streams.lock().extend(stream.try_clone());
                std::thread::spawn(move || {
                    // An error is a client that went away or talks nonsense: its own business.
                    if !matches!(serve(&stream, &shared), Ok(End::Deaf)) {
                        let _ = stream.shutdown(Shutdown::Both);
                    }
                });
            }
        });
        Ok(Scripted { shared, port })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until what the centre knows satisfies `enough`.
    pub fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut enough: impl FnMut(&Centre) -> Option<T>,
    ) -> Result<T> {
        let end = now() + limit;
        let mut centre = self.shared.centre.lock();
        loop {
            if let Some(found) = enough(&centre) {
                return Ok(found);
            }
            if self.shared.changed.wait_until(&mut centre, end).timed_out() {
                bail!(
                    "no {what} within {limit:?}: {} matters, {} connections",
                    centre.matters.len(),
                    centre.connects.len()
                );
            }
        }
    }

    /// The centre wants a file.
    pub fn grant(&self, id: &str, signed: Vec<u8>) {
        self.shared.change(|c| c.grants.insert(id.to_owned(), signed));
    }

    pub fn look<T>(&self, at: impl FnOnce(&Centre) -> T) -> T {
        at(&self.shared.centre.lock())
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        for stream in self.shared.streams.lock().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut Centre) -> T) -> T {
        let out = change(&mut self.centre.lock());
        self.changed.notify_all();
        out
    }

    /// A piece of a file goes where it belongs.
    fn piece(&self, payload: &[u8]) {
        let Some((head, bytes)) = kerbside_wire::chunk::read(payload) else { return };
        let (Some(id), Some(offset)) = (head["grant_id"].as_str(), head["offset"].as_u64()) else { return };
        self.change(|centre| {
            let file = centre.files.entry(id.to_owned()).or_default();
            file.resize(file.len().max(offset as usize + bytes.len()), 0);
            let place = file.get_mut(offset as usize..offset as usize + bytes.len());
            place.into_iter().for_each(|place| place.copy_from_slice(bytes));
        });
    }

    /// The centre files it; `Some`: the receipt's payload.
    fn file(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let event: Value = serde_json::from_slice(payload).ok()?;
        let id = event["id"].as_str()?;
        if event["type"].as_str()?.starts_with("kerbside.evidence.") {
            self.change(|centre| {
                centre.grants.retain(|id, _| event["data"]["grant_id"] != id.as_str());
                centre.ended.push(event.clone());
            });
        }
        if !event["type"].as_str()?.starts_with("kerbside.matter.") {
            return None;
        }
        self.change(|centre| {
            let sequence = event["sequence"].as_str().unwrap_or_default().to_owned();
            let fresh = Heard { first: now(), times: 0, sequence, body: payload.to_vec() };
            let heard = centre.matters.entry(id.to_owned()).or_insert(fresh);
            heard.times += 1;
            if heard.body != payload {
                centre.forged += 1;
            }
        });
        let data = json!({"id": id, "result": "accepted", "case_no": "2026-1"});
        let receipt = json!({"specversion": "1.0", "type": "kerbside.receipt.v1", "data": data});
        self.receipts.then(|| receipt.to_string().into_bytes())
    }
}

/// How a connection ended.
enum End {
    Over,
    /// Held open, never read again.
    Deaf,
}

fn serve(mut stream: &TcpStream, shared: &Shared) -> Result<End> {
    stream.set_nodelay(true)?;
    let first = mqtt::read(&mut stream, false)?.context("gone before CONNECT")?;
    let Packet::Connect { v5, client_id, .. } = first else { bail!("no CONNECT") };
    let (fault, known) = shared.change(|c| {
        let fault = c.script.pop_front().unwrap_or(c.otherwise);
        c.connects.push((now(), fault != Fault::Refuse));
        c.seen += 1;
        (fault, c.seen > 1)
    });
    let told = match fault {
        Fault::Cap { bytes, told: true } => Some(bytes),
        _ => None,
    };
    // A cut means a broker that lost its sessions.
    let session_present = known && !matches!(fault, Fault::Cut { .. });
    mqtt::connack(
        &mut stream,
        v5,
        Connack { session_present, refused: fault == Fault::Refuse, max_packet: told },
    )?;
    if fault == Fault::Refuse {
        return Ok(End::Over);
    }
    let root = format!("cg/v1/310112/{client_id}");
    let mut count = 0;
    while let Some(packet) = mqtt::read(&mut stream, v5)? {
        match packet {
            Packet::Publish { pkid, payload, len, .. } => {
                count += 1;
                match fault {
                    Fault::Cut { after } if count > after => break,
                    Fault::Deaf { after } if count > after => {
                        shared.change(|c| c.faults.push(now()));
                        return Ok(End::Deaf);
                    }
                    Fault::Cap { bytes, .. } if len > bytes as usize => break,
                    Fault::Withhold { share } if shared.rng.lock().f64() < share => continue,
                    _ => {}
                }
                shared.piece(&payload);
                let receipt = shared.file(&payload);
                if pkid > 0 {
                    mqtt::puback(&mut stream, pkid)?;
                }
                if let Some(receipt) = receipt {
                    mqtt::publish_down(
                        &mut stream,
                        v5,
                        &format!("{root}/receipt"),
                        (count % 65_535 + 1) as u16,
                        &receipt,
                    )?;
                }
            }
            Packet::Subscribe { pkid, filters } => {
                mqtt::suback(&mut stream, v5, pkid, filters.len())?;
                let grants: Vec<Vec<u8>> = shared.centre.lock().grants.values().cloned().collect();
                for (i, grant) in grants.iter().enumerate() {
                    mqtt::publish_down(&mut stream, v5, &format!("{root}/grant"), 60_000 + i as u16, grant)?;
                }
            }
            Packet::Ping => mqtt::pong(&mut stream)?,
            Packet::Disconnect => return Ok(End::Over),
            Packet::Connect { .. } | Packet::Other => {}
        }
    }
    shared.change(|c| c.faults.push(now()));
    Ok(End::Over)
}
