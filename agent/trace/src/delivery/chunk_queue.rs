//! Pieces of evidence on their way through the link: behind the reports, few at once, in memory only. The file is on the
//! disk; whoever sends it hears the fate of each piece and goes on from there.
//!
//! A run is what is sent without a gap. When one piece of it did not get through, what follows would leave a gap at the centre: it is
//! given back unsent until the sender begins a new run at what was acknowledged.

use std::collections::{BTreeMap, VecDeque};

use kerbside_wire::Outgoing;
use tokio::sync::oneshot;

use crate::tuning::{CHUNK_WINDOW, FIRST_CHUNK_SEQ};

/// What became of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkFate {
    /// The broker has it.
    Acknowledged,
    /// The connection went with it; nobody knows.
    ConnectionLost,
    /// Longer than this broker takes.
    TooLong,
    /// Never on this broker.
    Rejected(String),
}

/// A piece that waits for its turn.
#[derive(Debug)]
pub(super) struct PendingChunk {
    pub(super) outgoing: Outgoing,
    /// It begins a run: everything before it in its file is acknowledged.
    pub(super) first: bool,
    pub(super) fate: oneshot::Sender<ChunkFate>,
}

/// A piece that is on its way.
#[derive(Debug)]
struct InFlight {
    run: u64,
    fate: oneshot::Sender<ChunkFate>,
}

#[derive(Debug, Default)]
pub(super) struct ChunkQueue {
    waiting: VecDeque<PendingChunk>,
    in_flight: BTreeMap<u64, InFlight>,
    sent: u64,
    /// Number of the run that is being sent.
    run: u64,
    /// A piece of it did not get through.
    broken: bool,
}

impl ChunkQueue {
    pub(super) fn push(&mut self, chunk: PendingChunk) {
        self.waiting.push_back(chunk);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The next piece, if its turn has come. A piece that nobody waits for any more is not sent.
    pub(super) fn next(&mut self, max_packet: usize) -> Option<Outgoing> {
        while self.in_flight.len() < CHUNK_WINDOW {
            let PendingChunk { mut outgoing, first, fate } = self.waiting.pop_front()?;
            if first {
                (self.run, self.broken) = (self.run + 1, false);
            }
            let is_too_long = outgoing.packet_len() > max_packet;
            if self.broken || fate.is_closed() || is_too_long {
                let is_lost = self.broken || !is_too_long;
                self.broken = true;
                settle(fate, if is_lost { ChunkFate::ConnectionLost } else { ChunkFate::TooLong });
                continue;
            }
            self.sent += 1;
            outgoing.seq = FIRST_CHUNK_SEQ + self.sent;
            self.in_flight.insert(outgoing.seq, InFlight { run: self.run, fate });
            return Some(outgoing);
        }
        None
    }

    /// False: it was no piece.
    pub(super) fn settle(&mut self, seq: u64, fate: ChunkFate) -> bool {
        if let Some(InFlight { run, fate: awaiting }) = self.in_flight.remove(&seq) {
            self.broken |= run == self.run && fate != ChunkFate::Acknowledged;
            settle(awaiting, fate);
        }
        seq >= FIRST_CHUNK_SEQ
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self) {
        for seq in self.in_flight.keys().copied().collect::<Vec<_>>() {
            self.settle(seq, ChunkFate::ConnectionLost);
        }
    }
}

fn settle(awaiting: oneshot::Sender<ChunkFate>, fate: ChunkFate) {
    // Whoever waited may have given up.
    let _ = awaiting.send(fate);
}

#[cfg(test)]
mod tests {
    use kerbside_wire::chunk;
    use kerbside_wire::testing::who;
    use serde_json::json;

    use super::*;

    const LIMIT: usize = 1 << 20;

    /// A piece of a file, and where its fate comes.
    fn piece(offset: u64, first: bool) -> (PendingChunk, oneshot::Receiver<ChunkFate>) {
        let grant = json!({"id": "g1", "path": "2026-11-21/01J/r1-clip.mp4", "sha256": "", "expires_at_ms": 0, "url": ""});
        let grant = serde_json::from_value(grant).unwrap();
        let outgoing = chunk::chunk(&who(), &grant, 9000, offset, &[7; 1000]);
        let (fate, awaited) = oneshot::channel();
        (PendingChunk { outgoing, first, fate }, awaited)
    }

    fn offset(outgoing: &Outgoing) -> u64 {
        let (head, _) = chunk::read(&outgoing.body).unwrap();
        head["offset"].as_u64().unwrap()
    }

    /// Hands over pieces at these offsets; the first begins a run.
    fn run(queue: &mut ChunkQueue, offsets: &[u64]) -> Vec<oneshot::Receiver<ChunkFate>> {
        let pieces = offsets.iter().enumerate().map(|(i, offset)| piece(*offset, i == 0));
        let mut fates = Vec::new();
        for (chunk, fate) in pieces {
            queue.push(chunk);
            fates.push(fate);
        }
        fates
    }

    #[test]
    fn after_a_break_nothing_goes_but_what_begins_at_what_was_acknowledged() {
        let mut queue = ChunkQueue::default();
        let mut fates = run(&mut queue, &[0, 1000]);
        let sent = queue.next(LIMIT).unwrap();
        assert_eq!(offset(&sent), 0);
        queue.next(LIMIT).unwrap();
        queue.settle(sent.seq, ChunkFate::Acknowledged);
        queue.disconnected();
        assert_eq!(fates[1].try_recv(), Ok(ChunkFate::ConnectionLost));
        // Handed over by a sender that had not heard of it: it would leave a gap at 1000.
        let (late, mut fate) = piece(2000, false);
        queue.push(late);
        assert_eq!(queue.next(LIMIT), None);
        assert_eq!(fate.try_recv(), Ok(ChunkFate::ConnectionLost));
        let _fates = run(&mut queue, &[1000, 2000]);
        assert_eq!([queue.next(LIMIT), queue.next(LIMIT)].map(|o| offset(&o.unwrap())), [1000, 2000]);
    }

    #[test]
    fn a_break_that_lost_nothing_stops_nothing() {
        let mut queue = ChunkQueue::default();
        let _fates = run(&mut queue, &[0]);
        let sent = queue.next(LIMIT).unwrap();
        queue.settle(sent.seq, ChunkFate::Acknowledged);
        queue.disconnected();
        let (next, _fate) = piece(1000, false);
        queue.push(next);
        assert_eq!(queue.next(LIMIT).map(|o| offset(&o)), Some(1000));
    }

    /// The last piece of a file is short: it fits where those before it do not.
    #[test]
    fn whatever_ends_a_piece_ends_its_run() {
        let mut queue = ChunkQueue::default();
        let (long, mut too_long) = piece(0, true);
        let limit = long.outgoing.packet_len() - 1;
        queue.push(long);
        let (mut short, mut after) = piece(1000, false);
        short.outgoing.body.truncate(limit / 2);
        queue.push(short);
        assert_eq!(queue.next(limit), None);
        assert_eq!(too_long.try_recv(), Ok(ChunkFate::TooLong));
        assert_eq!(after.try_recv(), Ok(ChunkFate::ConnectionLost));
        // Refused, while the next run has begun: that one is not concerned.
        let _old = run(&mut queue, &[0]);
        let refused = queue.next(LIMIT).unwrap();
        let _new = run(&mut queue, &[0]);
        queue.next(LIMIT).unwrap();
        queue.settle(refused.seq, ChunkFate::Rejected("no".to_owned()));
        let (next, _fate) = piece(1000, false);
        queue.push(next);
        assert_eq!(queue.next(LIMIT).map(|o| offset(&o)), Some(1000));
    }
}
