//! Delivery: the facade of journal, index, outbox and link for the rest of the program.
//!
//! One thread owns the [`Ledger`]; whoever wants something durable asks and waits ([`Delivery::commit`]). Requests that
//! wait together share one sync. The link talks to the same thread through [`LinkPort`]. Nothing here knows MQTT.

mod ballast;
mod chunks;
mod desk;
pub mod ledger;
#[cfg(test)]
mod old_journal;
pub mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::journal::{Damage, JournalError};
use crate::outbox::{LANES, LaneStats};
use kerbside_crypto::sign::CentreKey;
use kerbside_domain::time::Clock;
use kerbside_wire::grant::Grant;
use kerbside_wire::{self as wire, Identity, Message, Outgoing};

pub use chunks::Sent;
pub use ledger::{Committed, Item, Ledger};
pub use state::{Commanded, DownInput, Inbound, SavedIncident};

#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("delivery folder {path}: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("delivery folder {path} is in use by another kerbside")]
    InUse { path: PathBuf },
    #[error("the delivery thread could not be started: {0}")]
    Thread(std::io::Error),
    /// A request that was grouped with others failed with them.
    #[error("not durable: {0}")]
    NotDurable(String),
    #[error("the delivery is closed")]
    Closed,
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// Holds `journal/`, `index/` and `lock`.
    pub dir: PathBuf,
    pub segment_bytes: u64,
    pub syncs: crate::journal::Syncs,
    /// Segments younger than that stay though everything in them is done with.
    pub keep_days: u32,
    pub outbox: crate::outbox::Settings,
    /// Whose commands count.
    pub keys: Vec<CentreKey>,
}

impl Settings {
    pub fn new(dir: impl Into<PathBuf>, receipts: bool) -> Self {
        let outbox = crate::outbox::Settings { receipts, ..Default::default() };
        Settings {
            dir: dir.into(),
            segment_bytes: 4 << 20,
            syncs: Default::default(),
            keep_days: 30,
            outbox,
            keys: Vec::new(),
        }
    }
}

/// What opening found. Report it when `damage` is not none or `index_doubt` is some; it is journalled already.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Recovery {
    pub damage: Damage,
    /// Why the old index was moved aside.
    pub index_doubt: Option<String>,
    /// The index was made again from the journal.
    pub rebuilt: bool,
    /// Journal records applied behind the index's cursor.
    pub replayed: u64,
}

/// Figures for metrics and `device.health`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    pub lanes: [LaneStats; LANES],
    pub in_flight: usize,
    pub last_seq: u64,
    pub last_n: u64,
    pub journal_bytes: u64,
    pub incidents: usize,
    pub appended: u64,
    pub append_errors: u64,
    /// Messages that ended with PUBACK (no receipt expected).
    pub done: u64,
    pub receipts: u64,
    /// Messages buried with a reason; a person should look.
    pub buried: u64,
    /// Rows beyond their lane's budget, telemetry expired, and state replaced by newer state.
    pub evicted: u64,
    /// Messages whose record could not be read when they were due; each is tried again some times.
    pub read_errors: u64,
    /// Input from above that was refused.
    pub refused: u64,
    pub commands: u64,
    pub segments_dropped: u64,
    pub index_failed: bool,
    pub connected: bool,
}

/// What the centre is not done with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Incidents with a report that it has not acknowledged.
    pub unacknowledged: BTreeSet<String>,
    /// Incidents, or commands, with a file that it has granted and not got.
    pub granted: BTreeSet<String>,
}

/// What the link tells the delivery. `epoch` counts connections; what comes late from an old one counts for nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum FromLink {
    Up {
        epoch: u64,
        session: u64,
        session_present: bool,
        window: usize,
        max_packet: usize,
    },
    Lost {
        epoch: u64,
        why: String,
    },
    /// PUBACK, or written for QoS 0.
    Acked {
        epoch: u64,
        seq: u64,
    },
    /// The broker will never take it.
    Unwanted {
        epoch: u64,
        seq: u64,
        reason: String,
    },
    Incoming {
        epoch: u64,
        token: u64,
        topic: String,
        payload: Vec<u8>,
        retain: bool,
    },
    /// Send what waits for at most so long, then `offline`.
    Stopping {
        epoch: u64,
        session: u64,
        drain_s: f64,
    },
}

/// What the delivery tells the link.
#[derive(Clone, Debug, PartialEq)]
pub enum ToLink {
    /// `last`: disconnect after its acknowledgement.
    Outgoing { epoch: u64, parcel: Outgoing, last: bool },
    /// The message with that token is journalled: acknowledge it.
    Stored { epoch: u64, token: u64 },
}

#[derive(Debug)]
enum Request {
    Commit(Vec<Item>, Sender<Result<Vec<Committed>, DeliveryError>>),
    Link(FromLink),
    Chunk(chunks::Piece),
    Stats(Sender<Stats>),
    Unfinished(Sender<Unfinished>),
    Close(Sender<Result<(), DeliveryError>>),
}

/// The link's end of the line.
#[derive(Debug)]
pub struct LinkPort {
    pub who: Identity,
    /// Sessions are numbered from here; higher than in every start before.
    pub session_base: u64,
    requests: Sender<Request>,
    pub orders: tokio::sync::mpsc::Receiver<ToLink>,
}

impl LinkPort {
    /// False: the delivery does not keep up or is gone; the connection is to be dropped.
    pub fn tell(&self, event: FromLink) -> bool {
        self.requests.try_send(Request::Link(event)).is_ok()
    }
}

/// Everything that [`Delivery::open`] hands out besides the handle.
#[derive(Debug)]
pub struct Opened {
    pub recovery: Recovery,
    /// The core's records as they were saved last.
    pub incidents: Vec<SavedIncident>,
    /// Receipts and case states for the core, those not yet consumed first. Say [`Item::Consumed`] when the core's
    /// records are saved with them.
    pub inbound: Receiver<Inbound>,
    pub link: LinkPort,
}

/// The box's own private key, in its data folder; made at the first start.
pub const KEY_FILE: &str = "box.key";
/// Requests that wait for the delivery thread; senders beyond wait.
const REQUESTS: usize = 256;
/// Receipts and case states on their way to the core; the rest waits in the ledger.
const INBOUND: usize = 64;
/// More than parcels in the window and acknowledgements together can be.
const ORDERS: usize = 1024;

/// Who waits looks that often whether the thread still lives.
const STILL_THERE: std::time::Duration = std::time::Duration::from_secs(1);

/// Handle for all threads. Calls block until the disk has it: not for tasks of an async runtime that must not wait.
#[derive(Clone, Debug)]
pub struct Delivery {
    requests: Sender<Request>,
    who: Arc<Identity>,
    thread: Arc<std::thread::JoinHandle<()>>,
}

impl Delivery {
    pub fn open(
        settings: Settings,
        who: Identity,
        clock: Arc<dyn Clock>,
    ) -> Result<(Delivery, Opened), DeliveryError> {
        let (ledger, recovery) = Ledger::open(settings, who.clone(), clock)?;
        Delivery::start(ledger, recovery)
    }

    /// The same over a ledger that is open already.
    pub fn start(ledger: Ledger, recovery: Recovery) -> Result<(Delivery, Opened), DeliveryError> {
        let (requests, inbox) = bounded(REQUESTS);
        let (to_core, inbound) = bounded(INBOUND);
        let (to_link, orders) = tokio::sync::mpsc::channel(ORDERS);
        let who = ledger.identity().clone();
        let link = LinkPort {
            who: who.clone(),
            session_base: ledger.session_base(),
            requests: requests.clone(),
            orders,
        };
        let opened = Opened { recovery, incidents: ledger.incidents(), inbound, link };
        let desk = desk::Desk::new(ledger, inbox, to_core, to_link);
        let thread = std::thread::Builder::new()
            .name("delivery".into())
            .spawn(move || desk.run())
            .map_err(DeliveryError::Thread)?;
        Ok((Delivery { requests, who: Arc::new(who), thread: Arc::new(thread) }, opened))
    }

    pub fn identity(&self) -> &Identity {
        &self.who
    }

    /// Makes all items durable together, or none. After an error nothing has changed; try again.
    pub fn commit(&self, items: Vec<Item>) -> Result<Vec<Committed>, DeliveryError> {
        self.ask(|reply| Request::Commit(items, reply))?
    }

    /// One message; its sequence number.
    pub fn send(&self, draft: Message) -> Result<u64, DeliveryError> {
        let committed = self.commit(vec![Item::Message(Box::new(draft))])?;
        committed.first().and_then(|c| c.seq).ok_or(DeliveryError::Closed)
    }

    /// A record for the trace only.
    pub fn note(&self, kind: &'static str, body: Value) -> Result<(), DeliveryError> {
        self.commit(vec![Item::Note { kind, body }]).map(drop)
    }

    /// The core has heard, and saved what came of it, up to the inbound message of journal number `upto`.
    pub fn consumed(&self, upto: u64) -> Result<(), DeliveryError> {
        self.commit(vec![Item::Consumed(upto)]).map(drop)
    }

    pub fn stats(&self) -> Result<Stats, DeliveryError> {
        self.ask(Request::Stats)
    }

    /// What must not be deleted yet.
    pub fn unfinished(&self) -> Result<Unfinished, DeliveryError> {
        self.ask(Request::Unfinished)
    }

    /// A piece of a granted file, from `offset` on, behind all reports. What became of it comes later, when the link is down much later.
    pub fn send_chunk(
        &self,
        grant: &Grant,
        total: u64,
        offset: u64,
        bytes: &[u8],
    ) -> Result<oneshot::Receiver<Sent>, DeliveryError> {
        let parcel = wire::chunk::chunk(&self.who, grant, total, offset, bytes);
        let (told, sent) = oneshot::channel();
        let piece = chunks::Piece { parcel, told };
        self.requests.send(Request::Chunk(piece)).map_err(|_| DeliveryError::Closed)?;
        Ok(sent)
    }

    /// Everything durable, the index too; the thread ends. The link is to be stopped before.
    pub fn close(&self) -> Result<(), DeliveryError> {
        self.ask(Request::Close)?
    }

    fn ask<T>(&self, request: impl FnOnce(Sender<T>) -> Request) -> Result<T, DeliveryError> {
        let (reply, answer) = bounded(1);
        self.requests.send(request(reply)).map_err(|_| DeliveryError::Closed)?;
        loop {
            match answer.recv_timeout(STILL_THERE) {
                Ok(answer) => return Ok(answer),
                // Asked just as it closed: the request lies in a channel that nobody reads any more.
                Err(RecvTimeoutError::Timeout) if self.thread.is_finished() => {
                    return answer.try_recv().map_err(|_| DeliveryError::Closed);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(DeliveryError::Closed),
            }
        }
    }
}
