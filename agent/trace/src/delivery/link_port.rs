//! The link's end of the line.

use std::sync::Arc;

use crossbeam_channel::Sender;
use kerbside_wire::Identity;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use super::link_messages::{LinkReport, LinkRequest};
use super::request::Request;
use crate::tuning::{LINK_ROOM, ROOM_BYTES};

/// The link's end of the line.
#[derive(Debug)]
pub struct LinkPort {
    pub who: Identity,
    /// Sessions are numbered from here; higher than in every start before.
    pub session_base: u64,
    pub(super) to_store: Sender<Request>,
    /// What is left for reports that the store thread has not taken.
    pub(super) room: Arc<Semaphore>,
    /// What the link shall send.
    pub requests: Receiver<LinkRequest>,
}

impl LinkPort {
    /// Waits until there is room, that is for the disk. Nothing is reported if the caller stops waiting. False: the store
    /// thread is gone.
    pub async fn report(&self, report: LinkReport) -> bool {
        let Ok(room) = self.room.clone().acquire_many_owned(size(&report)).await else { return false };
        self.to_store.send(Request::Link { report, _room: room }).is_ok()
    }
}

/// How much of [`LINK_ROOM`] it takes. The longest message fits also when nothing else does.
fn size(report: &LinkReport) -> u32 {
    let bytes = match report {
        LinkReport::Received { payload, .. } => payload.len(),
        _ => 0,
    };
    (1 + bytes / ROOM_BYTES).min(LINK_ROOM) as u32
}
