//! The link's window: kept full while the link is up; drained, with `offline` as the last message, while it stops.

use kerbside_wire::{Presence, state};

use super::StoreThread;
use crate::delivery::link_messages::LinkRequest;
use crate::tuning::WINDOW;

impl StoreThread {
    pub(super) fn fill_window(&mut self) {
        let Some(connection) = &self.connection else { return };
        let (epoch, max_packet) = (connection.epoch, connection.max_packet);
        // PUBACKs come in one stream with what the centre sends: behind a flood a report would wait for all of it.
        let is_flooded = self.ahead_of_pubacks >= WINDOW;
        let window = if is_flooded { connection.window } else { connection.window.min(WINDOW) };
        self.ledger.set_window(window);
        if self.stopping.as_ref().is_some_and(|s| s.said_offline) {
            return;
        }
        let over = self.stopping.as_ref().is_some_and(|s| s.until <= self.ledger.now().mono);
        if !over {
            let mut free = window.saturating_sub(self.ledger.in_flight() + self.chunks.in_flight());
            while free > 0
                && let Some(outgoing) = self.ledger.next(max_packet)
            {
                free -= 1;
                self.request_link(LinkRequest::Publish { epoch, outgoing, last: false });
            }
            // Nothing else waits: now evidence, but not while the program ends.
            while free > 0
                && self.stopping.is_none()
                && let Some(outgoing) = self.chunks.next(max_packet)
            {
                free -= 1;
                self.request_link(LinkRequest::Publish { epoch, outgoing, last: false });
            }
        }
        if self.stopping.is_some() && (over || self.ledger.in_flight() == 0) {
            self.say_offline(epoch);
        }
    }

    /// The last message; it goes past the window.
    fn say_offline(&mut self, epoch: u64) {
        let Some(stopping) = &mut self.stopping else { return };
        stopping.said_offline = true;
        let session = stopping.session;
        let (last, now) = (self.ledger.last_seq(), self.ledger.now());
        let offline = state(self.ledger.identity(), Presence::Offline, session, Some(last), None, now);
        match self.ledger.last_message(offline) {
            Ok(Some(outgoing)) => self.request_link(LinkRequest::Publish { epoch, outgoing, last: true }),
            Ok(None) => {}
            Err(e) => self.note_disk(Err(e)),
        }
    }
}
