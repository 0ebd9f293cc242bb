//! The store thread: owns the ledger. Serves requests, groups commits, keeps the link's window full.

mod connection;
mod window;

use std::collections::VecDeque;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use kerbside_wire::{Inbound, Refusal};
use tokio::sync::mpsc;

use self::connection::{Connection, Stopping};
use super::chunk_queue::{ChunkFate, ChunkQueue};
use super::error::Result;
use super::item::{Committed, Item};
use super::ledger::Ledger;
use super::link_messages::{LinkReport, LinkRequest};
use super::records::StoredInput;
use super::request::Request;
use super::stats::DeliveryStats;
use crate::outbox::RemovalReason;
use crate::tuning::{IDLE_PERIOD, TURN};

/// What becomes durable together, and who waits for it.
#[derive(Debug)]
struct PendingCommit {
    items: Vec<Item>,
    waiter: Waiter,
}

#[derive(Debug)]
enum Waiter {
    Caller(Sender<Result<Vec<Committed>>>),
    /// The message of that token is acknowledged, and the stages get it.
    Broker {
        epoch: u64,
        token: u64,
    },
}

/// A message of the centre, parsed once.
#[derive(Debug)]
struct ReceivedMessage {
    epoch: u64,
    token: u64,
    topic: String,
    payload: Vec<u8>,
    parsed: std::result::Result<Inbound, Refusal>,
}

/// What cannot share a sync: it waits for what came before it.
#[derive(Debug)]
enum Alone {
    Request(Request),
    Received(ReceivedMessage),
}

#[derive(Debug)]
pub(super) struct StoreThread {
    ledger: Ledger,
    inbox: Receiver<Request>,
    to_stages: Sender<StoredInput>,
    to_link: mpsc::UnboundedSender<LinkRequest>,
    /// Not yet taken by the stages; their channel was full.
    inputs: VecDeque<StoredInput>,
    connection: Option<Connection>,
    stopping: Option<Stopping>,
    chunks: ChunkQueue,
    disk_refuses: bool,
}

impl StoreThread {
    pub(super) fn new(
        ledger: Ledger,
        inbox: Receiver<Request>,
        to_stages: Sender<StoredInput>,
        to_link: mpsc::UnboundedSender<LinkRequest>,
    ) -> Self {
        let inputs = ledger.inputs().into();
        StoreThread {
            ledger,
            inbox,
            to_stages,
            to_link,
            inputs,
            connection: None,
            stopping: None,
            chunks: ChunkQueue::default(),
            disk_refuses: false,
        }
    }

    /// Until it is closed or everybody who could ask is gone.
    pub(super) fn run(mut self) {
        let closing = loop {
            match self.inbox.recv_timeout(IDLE_PERIOD) {
                Ok(request) => {
                    if let Some(reply) = self.turn(request) {
                        break Some(reply);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            self.after_turn();
        };
        let closed = self.ledger.close();
        if let Err(e) = &closed {
            tracing::error!(error = %e, "the journal was closed with an error");
        }
        // The answer goes out when the folder is free for the next process and no later request can be taken in.
        drop(self);
        if let Some(reply) = closing {
            let _ = reply.send(closed);
        }
    }

    /// Serves one request and those that wait behind it. `Some`: close, and answer there.
    fn turn(&mut self, first: Request) -> Option<Sender<Result<()>>> {
        let mut group = Vec::new();
        let mut next = Some(first);
        for _ in 0..TURN {
            let Some(request) = next.take().or_else(|| self.inbox.try_recv().ok()) else { break };
            match self.join(request, &mut group) {
                None => {}
                // Everything else finds done what was requested before it.
                Some(alone) => {
                    self.commit(std::mem::take(&mut group));
                    if let Some(reply) = self.serve(alone) {
                        return Some(reply);
                    }
                }
            }
        }
        // What was acknowledged made room: the next messages go before this turn waits for the disk.
        self.fill_window();
        self.commit(group);
        None
    }

    /// What only has to become durable waits with others for one sync; the rest is given back.
    fn join(&mut self, request: Request, group: &mut Vec<PendingCommit>) -> Option<Alone> {
        match request {
            Request::Commit(items, reply) => {
                group.push(PendingCommit { items, waiter: Waiter::Caller(reply) });
            }
            // Needs no disk, and comes between any two receipts.
            Request::Link { report: LinkReport::Acknowledged { epoch, seq }, .. } => {
                if self.epoch() == Some(epoch) && !self.chunks.settle(seq, ChunkFate::Acknowledged) {
                    self.ledger.puback(seq);
                }
            }
            Request::Link {
                report: LinkReport::Received { epoch, token, topic, payload, retain }, ..
            } if self.epoch() == Some(epoch) => {
                let parsed = self.ledger.parse(&topic, &payload, retain);
                let statement = parsed.as_ref().ok().and_then(|inbound| self.ledger.statement(inbound));
                let Some(items) = statement else {
                    return Some(Alone::Received(ReceivedMessage { epoch, token, topic, payload, parsed }));
                };
                group.push(PendingCommit { items, waiter: Waiter::Broker { epoch, token } });
            }
            Request::Chunk(chunk) => self.chunks.push(chunk),
            other => return Some(Alone::Request(other)),
        }
        None
    }

    fn epoch(&self) -> Option<u64> {
        self.connection.as_ref().map(|c| c.epoch)
    }

    fn serve(&mut self, alone: Alone) -> Option<Sender<Result<()>>> {
        match alone {
            Alone::Received(message) => {
                let taken_in = self.take_in(message);
                self.note_disk(taken_in);
            }
            Alone::Request(Request::Commit(items, reply)) => {
                self.commit(vec![PendingCommit { items, waiter: Waiter::Caller(reply) }]);
            }
            Alone::Request(Request::Chunk(chunk)) => self.chunks.push(chunk),
            Alone::Request(Request::Link { report, .. }) => self.link(report),
            Alone::Request(Request::Stats(reply)) => {
                let connected = self.connection.is_some();
                // Whoever asked may be gone: nothing to do about it.
                let _ = reply.send(DeliveryStats { connected, ..self.ledger.stats() });
            }
            Alone::Request(Request::Unfinished(reply)) => {
                let _ = reply.send(self.ledger.unfinished());
            }
            Alone::Request(Request::Close(reply)) => return Some(reply),
        }
        None
    }

    /// One sync for all that wait. If it fails together, each is tried alone, so that one bad entry fails only itself.
    fn commit(&mut self, group: Vec<PendingCommit>) {
        if let [_, _, ..] = group.as_slice() {
            let all = group.iter().flat_map(|pending| pending.items.iter().cloned()).collect();
            if let Ok(mut committed) = self.ledger.commit(all) {
                for pending in group {
                    let rest = committed.split_off(pending.items.len().min(committed.len()));
                    let own = std::mem::replace(&mut committed, rest);
                    self.answer(pending, Ok(own));
                }
                return;
            }
        }
        for pending in group {
            let result = self.ledger.commit(pending.items.clone());
            self.answer(pending, result);
        }
    }

    /// Journalled, then acknowledged; not journalled, not acknowledged: the broker keeps it.
    fn answer(&mut self, pending: PendingCommit, result: Result<Vec<Committed>>) {
        let PendingCommit { items, waiter } = pending;
        match (waiter, result) {
            (Waiter::Caller(reply), result) => drop(reply.send(result)),
            (Waiter::Broker { epoch, token }, Ok(committed)) => {
                for (item, committed) in items.into_iter().zip(committed) {
                    if let Item::Inbound(input) = item {
                        self.inputs.push_back(StoredInput { n: committed.n, input });
                    }
                }
                self.request_link(LinkRequest::Acknowledge { epoch, token });
                self.note_disk(Ok(()));
            }
            (Waiter::Broker { .. }, Err(e)) => self.note_disk(Err(e)),
        }
    }

    fn link(&mut self, report: LinkReport) {
        let current = self.epoch();
        let result = match report {
            LinkReport::Connected { epoch, session, session_present, window, max_packet } => {
                self.connection = Some(Connection { epoch, window, max_packet });
                self.chunks.disconnected();
                self.ledger.connected(session, session_present, window)
            }
            LinkReport::Disconnected { epoch, why } if current == Some(epoch) => {
                self.connection = None;
                self.chunks.disconnected();
                self.ledger.disconnected(&why)
            }
            LinkReport::Rejected { epoch, seq, reason } if current == Some(epoch) => {
                if !self.chunks.settle(seq, ChunkFate::Rejected(reason.clone())) {
                    self.ledger.dead_letter(seq, &RemovalReason::Rejected(reason));
                }
                Ok(())
            }
            LinkReport::Stopping { epoch, session, drain_s } if current == Some(epoch) => {
                let until = self.ledger.now().mono.plus_s(drain_s);
                self.stopping = Some(Stopping { session, until, said_offline: false });
                Ok(())
            }
            _ => Ok(()),
        };
        self.note_disk(result);
    }

    /// A grant, a command or junk: judged by what the ledger has, so it waited for what came before.
    fn take_in(&mut self, message: ReceivedMessage) -> Result<()> {
        let ReceivedMessage { epoch, token, topic, payload, parsed } = message;
        self.inputs.extend(self.ledger.take_in(&topic, &payload, parsed)?);
        self.request_link(LinkRequest::Acknowledge { epoch, token });
        Ok(())
    }

    /// After each turn, and when nothing comes.
    fn after_turn(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            match self.to_stages.try_send(input) {
                Ok(()) => {}
                Err(TrySendError::Full(input) | TrySendError::Disconnected(input)) => {
                    self.inputs.push_front(input);
                    break;
                }
            }
        }
        self.fill_window();
        let result = self.ledger.upkeep();
        self.note_disk(result);
    }

    fn request_link(&mut self, request: LinkRequest) {
        // Fails only when the link is gone, and then its `Disconnected` has come or will never matter.
        if self.to_link.send(request).is_err() {
            self.connection = None;
            self.chunks.disconnected();
        }
    }

    /// That the disk refuses is said once, and once when it is over.
    fn note_disk(&mut self, result: Result<()>) {
        match result {
            Ok(()) if self.disk_refuses => {
                self.disk_refuses = false;
                tracing::info!("the journal can be written again");
            }
            Ok(()) => {}
            Err(e) if !self.disk_refuses => {
                self.disk_refuses = true;
                tracing::error!(error = %e, "the journal cannot be written");
            }
            Err(_) => {}
        }
    }
}
