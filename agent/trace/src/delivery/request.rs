//! What the store thread is requested to do.

use crossbeam_channel::Sender;
use kerbside_crypto::sign::CentreKey;
use kerbside_wire::MustSign;

use super::chunk_queue::PendingChunk;
use super::error::Result;
use super::item::{Committed, Item};
use super::link_messages::LinkReport;
use super::room::Room;
use super::stats::{DeliveryStats, Unfinished};

#[derive(Debug)]
pub(super) enum Request {
    Commit(Vec<Item>, Sender<Result<Vec<Committed>>>),
    /// With its room in the line, which is free again when the report is taken.
    Link {
        report: LinkReport,
        room: Room,
    },
    Chunk(PendingChunk),
    Stats(Sender<DeliveryStats>),
    Unfinished(Sender<Unfinished>),
    /// Whose word counts from now on.
    Trust(Vec<CentreKey>, MustSign, Sender<()>),
    Close(Sender<Result<()>>),
}
