//! The link's end of the line.

use crossbeam_channel::Sender;
use kerbside_wire::Identity;

use super::link_messages::{LinkReport, LinkRequest};
use super::request::Request;

/// The link's end of the line.
#[derive(Debug)]
pub struct LinkPort {
    pub who: Identity,
    /// Sessions are numbered from here; higher than in every start before.
    pub session_base: u64,
    pub(super) to_store: Sender<Request>,
    pub requests: tokio::sync::mpsc::Receiver<LinkRequest>,
}

impl LinkPort {
    /// False: the store thread does not keep up or is gone; the connection is to be dropped.
    pub fn report(&self, report: LinkReport) -> bool {
        self.to_store.try_send(Request::Link(report)).is_ok()
    }
}
