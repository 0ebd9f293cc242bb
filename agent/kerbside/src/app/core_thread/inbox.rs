//! The channels that the core's thread reads.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvError, select};
use kerbside_domain::evidence::EvidenceOutcome;
use kerbside_seeing::incident::{Input, ReviewAnswer};
use kerbside_site::config::Site;
use kerbside_trace::delivery::StoredInput;

use super::events::Event;
use crate::sensor::{GnssEvent, Press};

/// All channels are bounded; their senders wait.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// From cameras, detector and sensors. When it closes, the thread ends.
    pub(crate) inputs: Receiver<Input>,
    pub(crate) evidence: Receiver<EvidenceOutcome>,
    pub(crate) reviews: Receiver<ReviewAnswer>,
    /// Receipts, case states and commands, already in the journal.
    pub(crate) centre: Receiver<StoredInput>,
    pub(crate) gnss: Receiver<GnssEvent>,
    /// Of call buttons.
    pub(crate) presses: Receiver<Press>,
    /// The site file as it was read again.
    pub(crate) sites: Receiver<Arc<Site>>,
}

/// What came first.
pub(super) enum Next {
    Event(Event),
    /// Nothing came in time, or a side channel closed.
    Idle,
    /// Every sender of inputs is gone.
    Closed,
}

impl Inbox {
    /// Waits for the next event, at most for `limit`.
    pub(super) fn next(&mut self, limit: Duration) -> Next {
        let event = select! {
            recv(self.inputs) -> input => match input {
                Ok(input) => Some(Event::Input(input)),
                Err(_) => return Next::Closed,
            },
            recv(self.evidence) -> outcome => open(&mut self.evidence, outcome).map(Event::Evidence),
            recv(self.reviews) -> result => {
                open(&mut self.reviews, result).map(|result| Event::Input(Input::Reviewed(result)))
            }
            recv(self.centre) -> first => open(&mut self.centre, first)
                .map(|first| Event::Centre(iter::once(first).chain(self.centre.try_iter()).collect())),
            recv(self.gnss) -> event => open(&mut self.gnss, event).map(Event::Gnss),
            recv(self.presses) -> press => open(&mut self.presses, press).map(Event::Press),
            recv(self.sites) -> site => open(&mut self.sites, site).map(Event::Site),
            default(limit) => None,
        };
        event.map_or(Next::Idle, Next::Event)
    }
}

/// A closed channel is always ready. One whose senders are gone (a box without GNSS) is replaced by one that never is.
fn open<T>(channel: &mut Receiver<T>, received: Result<T, RecvError>) -> Option<T> {
    if received.is_err() {
        *channel = crossbeam_channel::never();
    }
    received.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_channel_is_not_read_again() {
        let (sender, mut channel) = crossbeam_channel::bounded::<u32>(1);
        sender.send(7).unwrap();
        drop(sender);
        let first = channel.recv();
        assert_eq!(open(&mut channel, first), Some(7));
        let closed = channel.recv();
        assert_eq!(open(&mut channel, closed), None);
        // A closed channel would say `Disconnected`, at once and for ever.
        assert_eq!(channel.try_recv(), Err(crossbeam_channel::TryRecvError::Empty));
    }
}
