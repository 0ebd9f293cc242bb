//! One connection: what is written next, when is read, which acknowledgement belongs to what. It decides nothing else, and
//! reads no clock.
//!
//! * Reading stops while [`HELD_MAX`] messages of the centre are unacknowledged, or whoever takes the events says so; the
//!   broker is then stopped by TCP, whatever it thinks of Receive Maximum.
//! * Writing never waits for reading. Acknowledgements go first, and a report stands behind one other report at most.
//! * [`Connection::event`] may be dropped at any time and called again: nothing is lost.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use kerbside_wire::Outgoing;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::codec::{self, Codec, Hello, Incoming};
use super::reasons;
use super::stream::Stream;
use crate::error::LinkError;
use crate::machine::LinkEvent;
use crate::tuning::{HELD_MAX, READ_BYTES};

/// Not yet written, in the order of their turn.
#[derive(Debug, Default)]
struct Unwritten {
    /// Acknowledgements: quality of service and packet id.
    acks: VecDeque<(u8, u16)>,
    /// PUBCOMPs.
    completed: VecDeque<u16>,
    /// CONNECT, SUBSCRIBE, PINGREQ, as bytes.
    control: VecDeque<BytesMut>,
    publishes: VecDeque<Outgoing>,
    goodbye: bool,
}

#[allow(missing_debug_implementations)] // A stream has none.
pub(crate) struct Connection {
    stream: Stream,
    codec: Codec,
    /// Read, not yet taken apart.
    inbox: BytesMut,
    /// On its way into the stream.
    outbox: BytesMut,
    /// What is in `outbox`: the packet id of a publish, or nothing to speak of.
    in_outbox: VecDeque<Option<u16>>,
    unflushed: bool,
    unwritten: Unwritten,
    events: VecDeque<LinkEvent>,
    /// What came down, by token, until it is acknowledged: quality of service and packet id.
    held: HashMap<u64, (u8, u16)>,
    next_token: u64,
    next_pkid: u16,
    /// Packet ids whose answer is due.
    used: HashSet<u16>,
    subscribing: HashMap<u16, Vec<String>>,
    /// Writing failed. What the broker said before is read first: it may be why.
    write_failed: Option<String>,
    closing: bool,
}

impl Connection {
    /// CONNECT is the first thing that is written.
    pub(super) fn new(stream: Stream, codec: Codec, hello: &Hello) -> Result<Self, LinkError> {
        let mut connect = BytesMut::new();
        codec.connect(hello, &mut connect)?;
        let unwritten = Unwritten { control: VecDeque::from([connect]), ..Unwritten::default() };
        Ok(Connection {
            stream,
            codec,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            in_outbox: VecDeque::new(),
            unflushed: false,
            unwritten,
            events: VecDeque::new(),
            held: HashMap::new(),
            next_token: 0,
            next_pkid: 0,
            used: HashSet::new(),
            subscribing: HashMap::new(),
            write_failed: None,
            closing: false,
        })
    }

    pub(crate) fn publish(&mut self, outgoing: Outgoing) {
        self.unwritten.publishes.push_back(outgoing);
    }

    pub(crate) fn subscribe(&mut self, filters: Vec<String>) -> Result<(), LinkError> {
        let (pkid, mut packet) = (self.packet_id(), BytesMut::new());
        self.codec.subscribe(&filters, pkid, &mut packet)?;
        self.subscribing.insert(pkid, filters);
        self.unwritten.control.push_back(packet);
        Ok(())
    }

    /// Acknowledges what came down under `token`.
    pub(crate) fn acknowledge(&mut self, token: u64) {
        match self.held.remove(&token) {
            Some((0, _)) | None => {}
            Some(ack) => self.unwritten.acks.push_back(ack),
        }
    }

    pub(crate) fn ping(&mut self) {
        // One that waits says as much as two.
        let mut packet = BytesMut::new();
        codec::ping(&mut packet);
        if self.unwritten.control.back() != Some(&packet) {
            self.unwritten.control.push_back(packet);
        }
    }

    /// DISCONNECT once all else is written, and then the end of the stream.
    pub(crate) fn disconnect(&mut self) {
        self.unwritten.goodbye = true;
    }

    /// Whether there is room for another message of the centre.
    pub(crate) fn has_room(&self) -> bool {
        self.held.len() + self.unwritten.acks.len() < HELD_MAX
    }

    /// What happens next. Without `may_read` nothing is read, but what waits is written all the same.
    pub(crate) async fn event(&mut self, may_read: bool) -> LinkEvent {
        poll_fn(|cx| self.poll_event(cx, may_read)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>, may_read: bool) -> Poll<LinkEvent> {
        loop {
            if self.write_failed.is_none()
                && let Poll::Ready(Err(e)) = self.poll_write(cx)
            {
                self.write_failed = Some(e.to_string());
            }
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            let reads = may_read && self.has_room();
            if reads {
                match self.codec.read(&mut self.inbox) {
                    Ok(Some(packet)) => {
                        self.incoming(packet);
                        continue;
                    }
                    Ok(None) => {}
                    Err(e) => return Poll::Ready(LinkEvent::Lost { why: e.to_string(), by_peer: false }),
                }
                match self.poll_read(cx) {
                    Poll::Ready(Ok(0)) => {
                        let why = "the broker closed the connection".to_owned();
                        return Poll::Ready(LinkEvent::Lost { why, by_peer: true });
                    }
                    Poll::Ready(Ok(_)) => continue,
                    Poll::Ready(Err(e)) => return Poll::Ready(lost(&e)),
                    Poll::Pending => {}
                }
            }
            return match self.write_failed.take() {
                Some(why) => Poll::Ready(LinkEvent::Lost { why, by_peer: true }),
                None => Poll::Pending,
            };
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let mut block = [0; READ_BYTES];
        let mut into = ReadBuf::new(&mut block);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut into))?;
        self.inbox.extend_from_slice(into.filled());
        Poll::Ready(Ok(into.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        loop {
            if self.outbox.is_empty() {
                self.written();
                self.refill().map_err(std::io::Error::other)?;
            }
            if self.outbox.is_empty() {
                if self.unflushed {
                    ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
                    self.unflushed = false;
                }
                if self.closing {
                    return Pin::new(&mut self.stream).poll_shutdown(cx);
                }
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outbox))? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                n => self.outbox.advance(n),
            }
            self.unflushed = true;
        }
    }

    /// What was in the outbox is written.
    fn written(&mut self) {
        let written = self.in_outbox.drain(..).map(|pkid| match pkid {
            Some(pkid) => LinkEvent::Written { pkid },
            None => LinkEvent::Sent,
        });
        self.events.extend(written);
    }

    /// What goes next: acknowledgements, then control packets, then one publish.
    fn refill(&mut self) -> Result<(), LinkError> {
        let out = &mut self.outbox;
        let acks = self.unwritten.acks.len() + self.unwritten.completed.len();
        self.unwritten.acks.drain(..).for_each(|(qos, pkid)| codec::acknowledge(qos, pkid, out));
        self.unwritten.completed.drain(..).for_each(|pkid| codec::pubcomp(pkid, out));
        if acks > 0 || !self.unwritten.control.is_empty() {
            self.in_outbox.push_back(None);
        }
        self.unwritten.control.drain(..).for_each(|packet| out.extend_from_slice(&packet));
        if let Some(outgoing) = self.unwritten.publishes.pop_front() {
            let pkid = if outgoing.qos == 0 { 0 } else { self.packet_id() };
            self.codec.publish(outgoing, pkid, &mut self.outbox)?;
            self.in_outbox.push_back(Some(pkid));
        } else if std::mem::take(&mut self.unwritten.goodbye) {
            codec::disconnect(&mut self.outbox);
            self.closing = true;
        }
        Ok(())
    }

    fn packet_id(&mut self) -> u16 {
        loop {
            self.next_pkid = self.next_pkid.checked_add(1).unwrap_or(1);
            if self.used.insert(self.next_pkid) {
                return self.next_pkid;
            }
        }
    }

    fn incoming(&mut self, packet: Incoming) {
        let event = match packet {
            Incoming::Accepted(accepted) => LinkEvent::Connected(accepted),
            Incoming::Dismissed { because, why } => LinkEvent::Dismissed { because, why },
            Incoming::Publish { topic, payload, retain, qos, pkid } => {
                let token = self.next_token;
                self.next_token += 1;
                self.held.insert(token, (qos, pkid));
                LinkEvent::Received { token, topic, payload, retain }
            }
            Incoming::PubAck { pkid, code } => {
                self.used.remove(&pkid);
                LinkEvent::PubAck { pkid, verdict: reasons::of_puback(code) }
            }
            Incoming::SubAck { pkid, codes } => {
                self.used.remove(&pkid);
                self.subscribed(pkid, &codes)
            }
            Incoming::PubRel { pkid } => {
                self.unwritten.completed.push_back(pkid);
                LinkEvent::Alive
            }
            Incoming::Other => LinkEvent::Alive,
        };
        self.events.push_back(event);
    }

    fn subscribed(&mut self, pkid: u16, codes: &[u8]) -> LinkEvent {
        let Some(filters) = self.subscribing.remove(&pkid) else { return LinkEvent::Alive };
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for (i, filter) in filters.into_iter().enumerate() {
            match codes.get(i) {
                Some(code) if *code < 0x80 => taken.push(filter),
                Some(code) => refused.push((filter, reasons::name(*code))),
                None => refused.push((filter, "no answer".to_owned())),
            }
        }
        LinkEvent::Subscribed { taken, refused }
    }
}

fn lost(e: &std::io::Error) -> LinkEvent {
    use std::io::ErrorKind as K;
    let by_peer =
        matches!(e.kind(), K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof);
    LinkEvent::Lost { why: e.to_string(), by_peer }
}
