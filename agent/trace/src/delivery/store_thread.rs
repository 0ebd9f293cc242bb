//! The store thread: owns the ledger. Serves requests, groups commits, keeps the link's window full.

mod connection;
mod pending;
mod stages;
#[cfg(test)]
mod tests;
mod window;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use kerbside_domain::time::Mono;
use kerbside_wire::Inbound;
use tokio::sync::mpsc;

use self::connection::{Connection, Stopping};
use self::pending::{PendingCommit, ReceivedMessage, Waiter};
use super::chunk_queue::{ChunkFate, ChunkQueue};
use super::error::{DeliveryError, Result};
use super::item::Committed;
use super::ledger::{Judged, Ledger, stored};
use super::link_messages::{LinkReport, LinkRequest};
use super::records::{StageInput, StoredInput};
use super::request::Request;
use super::stats::DeliveryStats;
use crate::outbox::RemovalReason;
use crate::tuning::{TURN, UNWRITTEN_RETRY_S};

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
    /// The disk refused when this was the number of the newest record.
    refused_at: Option<u64>,
    /// Messages of the centre since the last answer to one of ours.
    ahead_of_pubacks: usize,
    /// Messages of the centre that the disk refused, oldest first, and when they are tried again. They hold their room, so that
    /// the link reads no more than fits.
    unwritten: VecDeque<ReceivedMessage>,
    unwritten_due: Mono,
    /// Files that are granted and not sent, for whoever must not wait for an answer.
    granted: Arc<AtomicUsize>,
}

impl StoreThread {
    pub(super) fn new(
        mut ledger: Ledger,
        inbox: Receiver<Request>,
        to_stages: Sender<StoredInput>,
        to_link: mpsc::Sender<LinkRequest>,
        granted: Arc<AtomicUsize>,
    ) -> Self {
        ledger.count_beside();
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
            refused_at: None,
            ahead_of_pubacks: 0,
            unwritten: VecDeque::new(),
            unwritten_due: Mono::ZERO,
            granted,
        }
    }

    /// Until it is closed or everybody who could ask is gone.
    pub(super) fn run(mut self) {
        let closing = loop {
            match self.next_request() {
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
                self.ahead_of_pubacks = 0;
                if let Some(connection) = self.connection.as_mut().filter(|c| c.epoch == epoch) {
                    connection.is_answered = true;
                    if !self.chunks.settle(seq, ChunkFate::Acknowledged) {
                        self.ledger.puback(seq);
                    }
                }
            }
            Request::Link { report: LinkReport::Refused { epoch, seq, reason, never }, .. } => {
                if self.epoch() == Some(epoch)
                    && !self.chunks.settle(seq, ChunkFate::Rejected(reason.clone()))
                {
                    self.ledger.refused(seq, reason, never);
                }
            }
            Request::Link { report: LinkReport::Received { epoch, token, topic, payload, retain }, room }
                if self.epoch() == Some(epoch) =>
            {
                self.ahead_of_pubacks += 1;
                self.join_received(ReceivedMessage { epoch, token, topic, payload, retain, room }, group);
            }
            Request::Chunk(chunk) => self.chunks.push(chunk),
            other => return Some(other),
        }
        None
    }

    fn join_received(&mut self, message: ReceivedMessage, group: &mut Vec<PendingCommit>) {
        match self.judge(&message.topic, &message.payload, message.retain, group) {
            Ok((Judged { items, input, order }, command)) => {
                group
                    .push(PendingCommit { items, waiter: Waiter::Broker { message, input, order, command } });
            }
            Err(e) => self.unwritten(message, e),
        }
    }

    /// Not journalled, so not acknowledged; it is tried again while this connection lasts, and after that the broker sends it
    /// again.
    fn unwritten(&mut self, message: ReceivedMessage, why: DeliveryError) {
        self.unwritten_due = self.ledger.now().mono.plus_s(UNWRITTEN_RETRY_S);
        self.unwritten.push_back(message);
        self.note_disk(Err(why));
    }

    /// The oldest alone shows whether the disk takes anything again; then the others share a sync.
    fn retry_unwritten(&mut self) {
        let current = self.epoch();
        self.unwritten.retain(|message| Some(message.epoch) == current);
        while !self.unwritten.is_empty() && self.ledger.now().mono >= self.unwritten_due {
            let is_first = self.refused_at.is_some();
            let count = if is_first { 1 } else { self.unwritten.len().min(TURN) };
            let mut group = Vec::new();
            for message in self.unwritten.drain(..count).collect::<Vec<_>>() {
                self.join_received(message, &mut group);
            }
            self.commit(group);
        }
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
            Request::Trust(keys, must_sign, reply) => {
                self.ledger.set_trust(keys, must_sign);
                let _ = reply.send(());
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
                self.show_granted();
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
            self.show_granted();
            self.answer(pending, result);
        }
    }

    /// Before whoever committed hears of it.
    fn show_granted(&self) {
        self.granted.store(self.ledger.granted(), Ordering::Release);
    }

    /// Journalled, then acknowledged; not journalled, not acknowledged: the broker keeps it.
    fn answer(&mut self, pending: PendingCommit, result: Result<Vec<Committed>>) {
        match (pending.waiter, result) {
            (Waiter::Caller(reply), result) => drop(reply.send(result)),
            (Waiter::Broker { message, input, order, .. }, Ok(committed)) => {
                self.ledger.order_statistics(order);
                self.inputs.extend(stored(input, &committed));
                let (epoch, token) = (message.epoch, message.token);
                self.request_link(LinkRequest::Acknowledge { epoch, token });
                self.note_disk(Ok(()));
            }
            (Waiter::Broker { message, .. }, Err(e)) => self.unwritten(message, e),
        }
    }

    fn link(&mut self, report: LinkReport) {
        let current = self.epoch();
        let result = match report {
            LinkReport::Connected { epoch, session, session_present, window, max_packet } => {
                self.connection = Some(Connection { epoch, window, max_packet, is_answered: false });
                self.ahead_of_pubacks = 0;
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
        self.hand_to_stages();
        self.retry_unwritten();
        self.fill_window();
        let result = self.ledger.upkeep();
        self.note_disk(result);
        self.show_granted();
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

    /// That the disk refuses is said once, and once when it is over: when a later record is on the disk, for what went well may
    /// have written nothing.
    fn note_disk(&mut self, result: Result<()>) {
        match (result, self.refused_at) {
            (Err(e), refused_at) => {
                self.refused_at = Some(self.ledger.last_n());
                if refused_at.is_none() {
                    tracing::error!(error = %e, "the journal cannot be written");
                }
            }
            (Ok(()), Some(refused_at)) if self.ledger.synced_n() > refused_at => {
                self.refused_at = None;
                tracing::info!("the journal can be written again");
            }
            (Ok(()), _) => {}
        }
    }
}
