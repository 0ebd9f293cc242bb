//! Desk: the thread that owns the ledger. Serves requests, groups commits, keeps the link's window full.

use std::collections::VecDeque;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use tokio::sync::mpsc;

use super::chunks::{Chunks, Sent};
use super::{Committed, DeliveryError, FromLink, Inbound, Item, Ledger, Request, Stats, ToLink};
use kerbside_domain::time::Mono;
use kerbside_wire::{self as wire, Presence};

/// At least that often the desk looks up, for expiry, retries and the index.
const LOOK_UP: Duration = Duration::from_millis(250);
/// Most requests taken before the link and the housekeeping get their turn.
const TURN: usize = 64;

type CloseReply = Sender<Result<(), DeliveryError>>;
type Reply = Sender<Result<Vec<Committed>, DeliveryError>>;

/// What becomes durable together, and who waits for it.
#[derive(Debug)]
struct Waiting {
    items: Vec<Item>,
    who: Waiter,
}

#[derive(Debug)]
enum Waiter {
    Caller(Reply),
    /// The message of that token is acknowledged, and the core is told.
    Broker {
        epoch: u64,
        token: u64,
    },
}

/// The connection as the desk knows it.
#[derive(Debug)]
struct Up {
    epoch: u64,
    window: usize,
    max_packet: usize,
}

#[derive(Debug)]
struct Stopping {
    session: u64,
    until: Mono,
    said_offline: bool,
}

#[derive(Debug)]
pub(super) struct Desk {
    ledger: Ledger,
    inbox: Receiver<Request>,
    to_core: Sender<Inbound>,
    to_link: mpsc::Sender<ToLink>,
    /// Not yet taken by the core; its channel was full.
    inbound: VecDeque<Inbound>,
    up: Option<Up>,
    stopping: Option<Stopping>,
    chunks: Chunks,
    trouble: bool,
}

impl Desk {
    pub(super) fn new(
        ledger: Ledger,
        inbox: Receiver<Request>,
        to_core: Sender<Inbound>,
        to_link: mpsc::Sender<ToLink>,
    ) -> Self {
        let inbound = ledger.inbound().into();
        Desk {
            ledger,
            inbox,
            to_core,
            to_link,
            inbound,
            up: None,
            stopping: None,
            chunks: Chunks::default(),
            trouble: false,
        }
    }

    /// Until it is closed or everybody who could ask is gone.
    pub(super) fn run(mut self) {
        let closing = loop {
            match self.inbox.recv_timeout(LOOK_UP) {
                Ok(request) => {
                    if let Some(reply) = self.turn(request) {
                        break Some(reply);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            self.after();
        };
        let closed = self.ledger.close();
        if let Err(e) = &closed {
            tracing::error!(error = %e, "delivery closed with an error");
        }
        // Who asked is told when the folder is free for the next and no later request can be taken in.
        drop(self);
        if let Some(reply) = closing {
            let _ = reply.send(closed);
        }
    }

    /// Serves one request and those that wait behind it. `Some`: close, and answer there.
    fn turn(&mut self, first: Request) -> Option<CloseReply> {
        let mut group = Vec::new();
        let mut next = Some(first);
        for _ in 0..TURN {
            let Some(request) = next.take().or_else(|| self.inbox.try_recv().ok()) else { break };
            match self.join(request, &mut group) {
                None => {}
                // Everything else sees what was asked before it done.
                Some(other) => {
                    self.commit(std::mem::take(&mut group));
                    if let Some(reply) = self.serve(other) {
                        return Some(reply);
                    }
                }
            }
        }
        // What was acknowledged made room: the next go before this turn waits for the disk.
        self.pump();
        self.commit(group);
        None
    }

    /// What only has to become durable waits with others for one sync; the rest is given back.
    fn join(&mut self, request: Request, group: &mut Vec<Waiting>) -> Option<Request> {
        match request {
            Request::Commit(items, reply) => group.push(Waiting { items, who: Waiter::Caller(reply) }),
            // Needs no disk, and comes between any two receipts.
            Request::Link(FromLink::Acked { epoch, seq }) => {
                if self.epoch() == Some(epoch) && !self.chunks.ended(seq, Sent::Acked) {
                    self.ledger.puback(seq);
                }
            }
            Request::Link(FromLink::Incoming { epoch, token, ref topic, ref payload, retain })
                if self.epoch() == Some(epoch) =>
            {
                let Some(items) = self.ledger.told(topic, payload, retain) else { return Some(request) };
                group.push(Waiting { items, who: Waiter::Broker { epoch, token } });
            }
            Request::Chunk(piece) => self.chunks.push(piece),
            other => return Some(other),
        }
        None
    }

    fn epoch(&self) -> Option<u64> {
        self.up.as_ref().map(|up| up.epoch)
    }

    fn serve(&mut self, request: Request) -> Option<CloseReply> {
        match request {
            Request::Commit(items, reply) => {
                self.commit(vec![Waiting { items, who: Waiter::Caller(reply) }]);
            }
            Request::Chunk(piece) => self.chunks.push(piece),
            Request::Link(event) => self.link(event),
            Request::Stats(reply) => {
                let stats = Stats { connected: self.up.is_some(), ..self.ledger.stats() };
                // Whoever asked may be gone: nothing to do about it.
                let _ = reply.send(stats);
            }
            Request::Unfinished(reply) => {
                let _ = reply.send(self.ledger.unfinished());
            }
            Request::Close(reply) => return Some(reply),
        }
        None
    }

    /// One sync for all that wait. If it fails together, each is tried alone, so that one bad entry fails only itself.
    fn commit(&mut self, group: Vec<Waiting>) {
        if let [_, _, ..] = group.as_slice() {
            let all = group.iter().flat_map(|waiting| waiting.items.iter().cloned()).collect();
            if let Ok(mut committed) = self.ledger.commit(all) {
                for waiting in group {
                    let rest = committed.split_off(waiting.items.len().min(committed.len()));
                    let own = std::mem::replace(&mut committed, rest);
                    self.answer(waiting, Ok(own));
                }
                return;
            }
        }
        for waiting in group {
            let result = self.ledger.commit(waiting.items.clone());
            self.answer(waiting, result);
        }
    }

    /// Journalled, then acknowledged; not journalled, not acknowledged: the broker keeps it.
    fn answer(&mut self, waiting: Waiting, result: Result<Vec<Committed>, DeliveryError>) {
        let Waiting { items, who } = waiting;
        match (who, result) {
            (Waiter::Caller(reply), result) => drop(reply.send(result)),
            (Waiter::Broker { epoch, token }, Ok(committed)) => {
                for (item, committed) in items.into_iter().zip(committed) {
                    if let Item::Down(input) = item {
                        self.inbound.push_back(Inbound { n: committed.n, input });
                    }
                }
                self.order(ToLink::Stored { epoch, token });
                self.watch(Ok(()));
            }
            (Waiter::Broker { .. }, Err(e)) => self.watch(Err(e)),
        }
    }

    fn link(&mut self, event: FromLink) {
        let current = self.epoch();
        let result = match event {
            FromLink::Up { epoch, session, session_present, window, max_packet } => {
                self.up = Some(Up { epoch, window, max_packet });
                self.chunks.lost();
                self.ledger.connected(session, session_present, window)
            }
            FromLink::Lost { epoch, why } if current == Some(epoch) => {
                self.up = None;
                self.chunks.lost();
                self.ledger.lost(&why)
            }
            FromLink::Unwanted { epoch, seq, reason } if current == Some(epoch) => {
                if !self.chunks.ended(seq, Sent::Refused(reason.clone())) {
                    self.ledger.bury(seq, &reason);
                }
                Ok(())
            }
            FromLink::Incoming { epoch, token, topic, payload, retain } if current == Some(epoch) => {
                self.incoming(epoch, token, &topic, &payload, retain)
            }
            FromLink::Stopping { epoch, session, drain_s } if current == Some(epoch) => {
                let until = self.ledger.now().mono.plus_s(drain_s);
                self.stopping = Some(Stopping { session, until, said_offline: false });
                Ok(())
            }
            _ => Ok(()),
        };
        self.watch(result);
    }

    /// A grant or a command: judged by what is known, so it waits for what came before.
    fn incoming(
        &mut self,
        epoch: u64,
        token: u64,
        topic: &str,
        payload: &[u8],
        retain: bool,
    ) -> Result<(), DeliveryError> {
        self.inbound.extend(self.ledger.incoming(topic, payload, retain)?);
        self.order(ToLink::Stored { epoch, token });
        Ok(())
    }

    /// What the desk does after each turn, and when nothing comes.
    fn after(&mut self) {
        while let Some(inbound) = self.inbound.pop_front() {
            match self.to_core.try_send(inbound) {
                Ok(()) => {}
                Err(TrySendError::Full(inbound) | TrySendError::Disconnected(inbound)) => {
                    self.inbound.push_front(inbound);
                    break;
                }
            }
        }
        self.pump();
        let result = self.ledger.housekeeping();
        self.watch(result);
    }

    /// Fills the link's window; while stopping, sends what waits and then `offline` as the last.
    fn pump(&mut self) {
        let Some(up) = &self.up else { return };
        let (epoch, window, max_packet) = (up.epoch, up.window, up.max_packet);
        if self.stopping.as_ref().is_some_and(|s| s.said_offline) {
            return;
        }
        let now = self.ledger.now();
        let over = self.stopping.as_ref().is_some_and(|s| s.until <= now.mono);
        if !over {
            let mut free = window.saturating_sub(self.ledger.in_flight() + self.chunks.on_the_way());
            while free > 0
                && let Some(parcel) = self.ledger.next(max_packet)
            {
                free -= 1;
                self.order(ToLink::Outgoing { epoch, parcel, last: false });
            }
            // Nothing else waits: now evidence, but not while the program ends.
            while free > 0
                && self.stopping.is_none()
                && let Some(parcel) = self.chunks.next(max_packet)
            {
                free -= 1;
                self.order(ToLink::Outgoing { epoch, parcel, last: false });
            }
        }
        let idle = self.ledger.in_flight() == 0;
        if let Some(stopping) = self.stopping.as_mut().filter(|_| over || idle) {
            stopping.said_offline = true;
            let last = self.ledger.last_seq();
            let offline = wire::state(
                self.ledger.identity(),
                Presence::Offline,
                stopping.session,
                Some(last),
                None,
                now,
            );
            // It goes past the window: it is the last one.
            match self.ledger.last_words(offline) {
                Ok(Some(parcel)) => self.order(ToLink::Outgoing { epoch, parcel, last: true }),
                Ok(None) => {}
                Err(e) => self.watch(Err(e)),
            }
        }
    }

    fn order(&mut self, order: ToLink) {
        // Fails only when the link is gone, and then its `Lost` has come or will never matter.
        if self.to_link.try_send(order).is_err() {
            self.up = None;
            self.chunks.lost();
        }
    }

    /// Disk trouble is said once, and once when it is over.
    fn watch(&mut self, result: Result<(), DeliveryError>) {
        match result {
            Ok(()) if self.trouble => {
                self.trouble = false;
                tracing::info!("the journal can be written again");
            }
            Ok(()) => {}
            Err(e) if !self.trouble => {
                self.trouble = true;
                tracing::error!(error = %e, "the journal cannot be written");
            }
            Err(_) => {}
        }
    }
}
