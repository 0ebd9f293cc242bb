//! The store thread: owns the ledger. Serves requests, groups commits, keeps the link's window full.

mod connection;
mod window;

use std::collections::VecDeque;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use kerbside_wire::Inbound;
use tokio::sync::mpsc;

use self::connection::{Connection, Stopping};
use super::chunk_queue::{ChunkFate, ChunkQueue};
use super::error::Result;
use super::item::{Committed, Item};
use super::ledger::{Judged, Ledger, stored};
use super::link_messages::{LinkReport, LinkRequest};
use super::records::{StageInput, StoredInput};
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
        input: Option<StageInput>,
        /// Id of the command that it is, genuine or not.
        command: Option<String>,
    },
}

impl PendingCommit {
    fn is_command(&self, id: &str) -> bool {
        matches!(&self.waiter, Waiter::Broker { command: Some(own), .. } if own == id)
    }

    /// An upload that will wait when this is durable.
    fn grant(&self) -> Option<&str> {
        match &self.waiter {
            Waiter::Broker { input: Some(StageInput::Grant(grant)), .. } => Some(&grant.id),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct StoreThread {
    ledger: Ledger,
    inbox: Receiver<Request>,
    to_stages: Sender<StoredInput>,
    to_link: mpsc::Sender<LinkRequest>,
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
        to_link: mpsc::Sender<LinkRequest>,
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
    fn join(&mut self, request: Request, group: &mut Vec<PendingCommit>) -> Option<Request> {
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
                match self.judge(&topic, &payload, retain, group) {
                    Ok((Judged { items, input }, command)) => {
                        let waiter = Waiter::Broker { epoch, token, input, command };
                        group.push(PendingCommit { items, waiter });
                    }
                    // Not acknowledged: the broker keeps it.
                    Err(e) => self.note_disk(Err(e)),
                }
            }
            Request::Chunk(chunk) => self.chunks.push(chunk),
            other => return Some(other),
        }
        None
    }

    /// What becomes of a message of the centre, and the id of the command that it is. It is judged by what is durable, so
    /// the group is written before if that bears on it.
    fn judge(
        &mut self,
        topic: &str,
        payload: &[u8],
        retain: bool,
        group: &mut Vec<PendingCommit>,
    ) -> Result<(Judged, Option<String>)> {
        let parsed = self.ledger.parse(topic, payload, retain);
        let command = match &parsed {
            Ok(Inbound::Command(command)) => {
                let is_pending = group.iter().any(|pending| pending.is_command(&command.id));
                if is_pending || self.ledger.is_for_ledger(command) {
                    self.commit(std::mem::take(group));
                }
                Some(command.id.clone())
            }
            Ok(Inbound::Grant(_)) => {
                let pending = group.iter().filter(|pending| pending.grant().is_some()).count();
                if pending > 0 && pending >= self.ledger.grants_left() {
                    self.commit(std::mem::take(group));
                }
                None
            }
            _ => None,
        };
        let mut judged = self.ledger.judge(topic, payload, &parsed)?;
        if let Some(StageInput::Grant(grant)) = &judged.input
            && group.iter().any(|pending| pending.grant() == Some(grant.id.as_str()))
        {
            self.commit(std::mem::take(group));
            judged = self.ledger.judge(topic, payload, &parsed)?;
        }
        Ok((judged, command))
    }

    fn epoch(&self) -> Option<u64> {
        self.connection.as_ref().map(|c| c.epoch)
    }

    /// What cannot share a sync: what came before it is durable.
    fn serve(&mut self, alone: Request) -> Option<Sender<Result<()>>> {
        match alone {
            Request::Commit(items, reply) => {
                self.commit(vec![PendingCommit { items, waiter: Waiter::Caller(reply) }]);
            }
            Request::Chunk(chunk) => self.chunks.push(chunk),
            Request::Link { report, .. } => self.link(report),
            Request::Stats(reply) => {
                let connected = self.connection.is_some();
                // Whoever asked may be gone: nothing to do about it.
                let _ = reply.send(DeliveryStats { connected, ..self.ledger.stats() });
            }
            Request::Unfinished(reply) => {
                let _ = reply.send(self.ledger.unfinished());
            }
            Request::Close(reply) => return Some(reply),
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
        match (pending.waiter, result) {
            (Waiter::Caller(reply), result) => drop(reply.send(result)),
            (Waiter::Broker { epoch, token, input, .. }, Ok(committed)) => {
                self.inputs.extend(stored(input, &committed));
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
        // It has room for all that can be on its way. Fails when the link is gone, and then its `Disconnected` has come or will
        // never matter.
        if let Err(error) = self.to_link.try_send(request) {
            if matches!(error, mpsc::error::TrySendError::Full(_)) {
                tracing::error!("the link does not take what is ready for it: its connection counts as lost");
            }
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
