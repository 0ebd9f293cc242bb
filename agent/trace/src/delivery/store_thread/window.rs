//! The link's window: kept full while the link is up; drained, with `offline` as the last message, while it stops.

use kerbside_wire::{Presence, state};

use super::StoreThread;
use crate::delivery::link_messages::LinkRequest;
use crate::tuning::WINDOW;

/// How much of the window is kept for live reports: who finds it full waits for a PUBACK, and in a flood that stands behind all
/// that the centre sends. `window`: the broker's.
fn kept(window: usize, is_flooded: bool, is_answered: bool) -> usize {
    match window.min(WINDOW) {
        _ if is_flooded => window / 2,
        // It grows when a flood begins.
        _ if window >= 2 * WINDOW => 0,
        // A flood may have begun, and nothing shows it yet.
        small if !is_answered => small / 2,
        small => small / 4,
    }
}

impl StoreThread {
    pub(super) fn fill_window(&mut self) {
        let Some(connection) = &self.connection else { return };
        let (epoch, max_packet) = (connection.epoch, connection.max_packet);
        // PUBACKs come in one stream with what the centre sends: behind a flood a report would wait for all of it.
        let is_flooded = self.ahead_of_pubacks >= WINDOW;
        let window = if is_flooded { connection.window } else { connection.window.min(WINDOW) };
        let kept = kept(connection.window, is_flooded, connection.is_answered);
        self.ledger.set_window(window, kept);
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
            while free > kept
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_the_window_is_kept_where_a_puback_may_be_long_in_coming() {
        let of = |window| [(false, true), (false, false), (true, false)].map(|(f, a)| kept(window, f, a));
        // In quiet times, before the first PUBACK, in a flood.
        assert_eq!(of(256), [0, 0, 128]);
        assert_eq!(of(20), [0, 0, 10]);
        assert_eq!(of(8), [2, 4, 4]);
        assert_eq!(of(2), [0, 1, 1]);
        assert_eq!(of(1), [0, 0, 0], "the backlog moves all the same");
    }
}
