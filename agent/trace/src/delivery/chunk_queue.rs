//! Pieces of evidence on their way through the link: behind the reports, few at once, in memory only. The file is on the
//! disk; whoever sends it hears the fate of each piece and goes on from there.

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
    pub(super) fate: oneshot::Sender<ChunkFate>,
}

#[derive(Debug, Default)]
pub(super) struct ChunkQueue {
    waiting: VecDeque<PendingChunk>,
    in_flight: BTreeMap<u64, oneshot::Sender<ChunkFate>>,
    sent: u64,
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
            let PendingChunk { mut outgoing, fate } = self.waiting.pop_front()?;
            if fate.is_closed() {
                continue;
            }
            if outgoing.packet_len() > max_packet {
                settle(fate, ChunkFate::TooLong);
                continue;
            }
            self.sent += 1;
            outgoing.seq = FIRST_CHUNK_SEQ + self.sent;
            self.in_flight.insert(outgoing.seq, fate);
            return Some(outgoing);
        }
        None
    }

    /// False: it was no piece.
    pub(super) fn settle(&mut self, seq: u64, fate: ChunkFate) -> bool {
        if let Some(awaiting) = self.in_flight.remove(&seq) {
            settle(awaiting, fate);
        }
        seq >= FIRST_CHUNK_SEQ
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self) {
        let lost = std::mem::take(&mut self.in_flight).into_values();
        lost.for_each(|awaiting| settle(awaiting, ChunkFate::ConnectionLost));
    }
}

fn settle(awaiting: oneshot::Sender<ChunkFate>, fate: ChunkFate) {
    // Whoever waited may have given up.
    let _ = awaiting.send(fate);
}
