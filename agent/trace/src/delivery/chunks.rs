//! Pieces of evidence on their way through the link: behind the reports, few at once, in memory only. The file is on the disk; who
//! sends it hears what became of each piece and goes on from there.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;

use kerbside_wire::Outgoing;

/// Sequence numbers of pieces; those of messages never come so far.
const FIRST_SEQ: u64 = 1 << 62;
/// Pieces handed over and not acknowledged.
const WINDOW: usize = 2;

/// What became of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The broker has it.
    Acked,
    /// The connection went with it; nobody knows.
    Lost,
    /// Longer than this broker takes.
    TooLong,
    /// Never on this broker.
    Refused(String),
}

/// A piece that waits for its turn.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) parcel: Outgoing,
    pub(super) told: oneshot::Sender<Sent>,
}

#[derive(Debug, Default)]
pub(super) struct Chunks {
    waiting: VecDeque<Piece>,
    on_the_way: BTreeMap<u64, oneshot::Sender<Sent>>,
    given: u64,
}

impl Chunks {
    pub(super) fn push(&mut self, piece: Piece) {
        self.waiting.push_back(piece);
    }

    pub(super) fn on_the_way(&self) -> usize {
        self.on_the_way.len()
    }

    /// The next piece, if its turn has come. Who no longer waits for one gets none sent.
    pub(super) fn next(&mut self, max_packet: usize) -> Option<Outgoing> {
        while self.on_the_way.len() < WINDOW {
            let Piece { mut parcel, told } = self.waiting.pop_front()?;
            if told.is_closed() {
                continue;
            }
            if parcel.packet_len() > max_packet {
                tell(told, Sent::TooLong);
                continue;
            }
            self.given += 1;
            parcel.seq = FIRST_SEQ + self.given;
            self.on_the_way.insert(parcel.seq, told);
            return Some(parcel);
        }
        None
    }

    /// False: it was no piece.
    pub(super) fn ended(&mut self, seq: u64, sent: Sent) -> bool {
        if let Some(told) = self.on_the_way.remove(&seq) {
            tell(told, sent);
        }
        seq >= FIRST_SEQ
    }

    /// The connection is gone.
    pub(super) fn lost(&mut self) {
        std::mem::take(&mut self.on_the_way).into_values().for_each(|told| tell(told, Sent::Lost));
    }
}

fn tell(told: oneshot::Sender<Sent>, sent: Sent) {
    // Who asked may have given up.
    let _ = told.send(sent);
}
