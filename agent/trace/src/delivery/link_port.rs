//! The link's end of the line.

use std::sync::Arc;

use crossbeam_channel::Sender;
use kerbside_wire::Identity;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use super::link_messages::{LinkReport, LinkRequest};
use super::request::Request;
use super::room::Room;
use crate::tuning::{CONTROL_ROOM, LINK_ROOM, ROOM_BYTES};

/// The link's end of the line.
#[derive(Debug)]
pub struct LinkPort {
    pub who: Identity,
    /// Sessions are numbered from here; higher than in every start before.
    pub session_base: u64,
    pub reporter: Reporter,
    /// What the link shall send.
    pub requests: Receiver<LinkRequest>,
}

/// How the link reports.
#[derive(Clone, Debug)]
pub struct Reporter {
    to_store: Sender<Request>,
    /// What is left for messages of the centre that are not journalled yet.
    room: Arc<Semaphore>,
    /// The same for all other reports: they never stand behind a disk that refuses.
    control_room: Arc<Semaphore>,
}

impl Reporter {
    pub(super) fn new(to_store: Sender<Request>) -> Self {
        let room = |permits| Arc::new(Semaphore::new(permits));
        Reporter { to_store, room: room(LINK_ROOM), control_room: room(CONTROL_ROOM) }
    }

    /// Waits until there is room, that is for the disk. Nothing is reported if the caller stops waiting. False: the store
    /// thread is gone.
    pub async fn report(&self, report: LinkReport) -> bool {
        match self.room(&report).await {
            Some(room) => self.report_into(room, report),
            None => false,
        }
    }

    /// Waits for the room that this report takes; nothing is lost if the caller stops waiting. `None`: the store thread is
    /// gone.
    pub async fn room(&self, report: &LinkReport) -> Option<Room> {
        let room = match report {
            LinkReport::Received { .. } => &self.room,
            _ => &self.control_room,
        };
        room.clone().acquire_many_owned(size(report)).await.ok().map(Room::new)
    }

    /// Reports into room that was waited for. False: the store thread is gone.
    pub fn report_into(&self, room: Room, report: LinkReport) -> bool {
        self.to_store.send(Request::Link { report, room }).is_ok()
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
