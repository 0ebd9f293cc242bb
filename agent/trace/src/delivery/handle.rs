//! The handle that every thread has of the delivery.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use kerbside_crypto::sign::CentreKey;
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::time::Clock;
use kerbside_wire::{Grant, Identity, Message, MustSign, chunk};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::chunk_queue::{ChunkFate, PendingChunk};
use super::error::{DeliveryError, Result};
use super::item::{Committed, Item};
use super::ledger::Ledger;
use super::link_port::{LinkPort, Reporter};
use super::records::{SavedIncident, StoredInput};
use super::request::Request;
use super::settings::DeliverySettings;
use super::stats::{DeliveryStats, Recovery, Unfinished};
use super::store_thread::StoreThread;
use crate::journal::RecordKind;
use crate::tuning::{ALIVE_PERIOD, CONTROL_ROOM, LINK_ROOM, REQUESTS, TO_LINK, TO_STAGES};

/// Everything that [`Delivery::open`] hands out besides the handle.
#[derive(Debug)]
pub struct OpenedDelivery {
    pub recovery: Recovery,
    /// The core's records as they were saved last.
    pub incidents: Vec<SavedIncident>,
    /// Receipts, case states, commands and grants for the stages, those not yet consumed first. Say [`Item::Consumed`]
    /// when the core's records are saved with them.
    pub inputs: Receiver<StoredInput>,
    pub link: LinkPort,
}

/// Handle for all threads. Calls block until the disk has it: not for tasks of an async runtime that must not wait.
#[derive(Clone, Debug)]
pub struct Delivery {
    requests: Sender<Request>,
    who: Arc<Identity>,
    key: Option<Arc<SigningKey>>,
    /// Files that are granted and not sent, kept by the store thread.
    granted: Arc<AtomicUsize>,
    thread: Arc<std::thread::JoinHandle<()>>,
}

impl Delivery {
    pub fn open(
        settings: DeliverySettings,
        who: Identity,
        clock: Arc<dyn Clock>,
    ) -> Result<(Delivery, OpenedDelivery)> {
        let (ledger, recovery) = Ledger::open(settings, who, clock)?;
        Delivery::start(ledger, recovery)
    }

    /// The same over a ledger that is open already.
    pub fn start(ledger: Ledger, recovery: Recovery) -> Result<(Delivery, OpenedDelivery)> {
        let (requests, inbox) = bounded(REQUESTS + LINK_ROOM + CONTROL_ROOM);
        let (to_stages, inputs) = bounded(TO_STAGES);
        let (to_link, link_requests) = mpsc::channel(TO_LINK);
        let who = ledger.identity().clone();
        let key = ledger.key();
        let link = LinkPort {
            who: who.clone(),
            session_base: ledger.session_base(),
            reporter: Reporter::new(requests.clone()),
            requests: link_requests,
        };
        let opened = OpenedDelivery { recovery, incidents: ledger.incidents(), inputs, link };
        let granted = Arc::new(AtomicUsize::new(ledger.granted()));
        let store_thread = StoreThread::new(ledger, inbox, to_stages, to_link, granted.clone());
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || store_thread.run())
            .map_err(DeliveryError::Thread)?;
        let (who, thread) = (Arc::new(who), Arc::new(thread));
        Ok((Delivery { requests, who, key, granted, thread }, opened))
    }

    pub fn identity(&self) -> &Identity {
        &self.who
    }

    /// The box's own key, which signs its evidence too; `None`: its file cannot be used.
    pub fn key(&self) -> Option<Arc<SigningKey>> {
        self.key.clone()
    }

    /// Makes all items durable together, or none. After an error nothing has changed; try again.
    pub fn commit(&self, items: Vec<Item>) -> Result<Vec<Committed>> {
        self.request(|reply| Request::Commit(items, reply))?
    }

    /// One message; its sequence number.
    pub fn send(&self, message: impl Into<Message>) -> Result<u64> {
        let committed = self.commit(vec![Item::Message(Box::new(message.into()))])?;
        committed.first().and_then(|c| c.seq).ok_or(DeliveryError::Closed)
    }

    /// A record for the trace only.
    pub fn note(&self, kind: RecordKind, body: Value) -> Result<()> {
        self.commit(vec![Item::Note { kind, body }]).map(drop)
    }

    /// The core has taken in, and saved what came of it, what came down up to journal number `upto`.
    pub fn consumed(&self, upto: u64) -> Result<()> {
        self.commit(vec![Item::Consumed(upto)]).map(drop)
    }

    pub fn stats(&self) -> Result<DeliveryStats> {
        self.request(Request::Stats)
    }

    /// What must not be deleted yet.
    pub fn unfinished(&self) -> Result<Unfinished> {
        self.request(Request::Unfinished)
    }

    /// How many files are granted and not sent yet, by all that is durable. Asks nobody and never blocks.
    pub fn granted(&self) -> usize {
        self.granted.load(Ordering::Acquire)
    }

    /// From now on these keys count, and these statements only with a signature.
    pub fn trust(&self, keys: Vec<CentreKey>, must_sign: MustSign) -> Result<()> {
        self.request(|reply| Request::Trust(keys, must_sign, reply))
    }

    /// A piece of a granted file, from `offset` on, behind all reports. `first`: nothing before it is on its way, so it may go
    /// after a piece that did not get through; any other is given back unsent then. Its fate comes later, when the link is down
    /// much later.
    pub fn send_chunk(
        &self,
        grant: &Grant,
        total: u64,
        offset: u64,
        bytes: &[u8],
        first: bool,
    ) -> Result<oneshot::Receiver<ChunkFate>> {
        let outgoing = chunk::chunk(&self.who, grant, total, offset, bytes);
        let (fate, awaited) = oneshot::channel();
        let request = Request::Chunk(PendingChunk { outgoing, first, fate });
        self.requests.send(request).map_err(|_| DeliveryError::Closed)?;
        Ok(awaited)
    }

    /// Everything durable, the index too; the thread ends. The link is to be stopped before.
    pub fn close(&self) -> Result<()> {
        self.request(Request::Close)?
    }

    /// False: the store thread ended, and nothing becomes durable any more.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    fn request<T>(&self, request: impl FnOnce(Sender<T>) -> Request) -> Result<T> {
        let (reply, answer) = bounded(1);
        self.requests.send(request(reply)).map_err(|_| DeliveryError::Closed)?;
        loop {
            match answer.recv_timeout(ALIVE_PERIOD) {
                Ok(answer) => return Ok(answer),
                // Sent just as it closed: the request lies in a channel that nobody reads any more.
                Err(RecvTimeoutError::Timeout) if self.thread.is_finished() => {
                    return answer.try_recv().map_err(|_| DeliveryError::Closed);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(DeliveryError::Closed),
            }
        }
    }
}
