//! What came down, on its way to the stages: handed over as fast as they take it, whatever else waits.

use crossbeam_channel::{RecvTimeoutError, Select, TryRecvError, TrySendError};

use super::StoreThread;
use crate::delivery::request::Request;
use crate::tuning::IDLE_PERIOD;

impl StoreThread {
    /// Waits for a request. A timeout comes also when the stages have room for what waits for them.
    pub(super) fn next_request(&self) -> Result<Request, RecvTimeoutError> {
        if self.inputs.is_empty() {
            return self.inbox.recv_timeout(IDLE_PERIOD);
        }
        let mut either = Select::new();
        let inbox = either.recv(&self.inbox);
        either.send(&self.to_stages);
        if either.ready_timeout(IDLE_PERIOD) != Ok(inbox) {
            return Err(RecvTimeoutError::Timeout);
        }
        self.inbox.try_recv().map_err(|none| match none {
            TryRecvError::Empty => RecvTimeoutError::Timeout,
            TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
        })
    }

    /// As much as they have room for.
    pub(super) fn hand_to_stages(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            match self.to_stages.try_send(input) {
                Ok(()) => {}
                Err(TrySendError::Full(input)) => {
                    self.inputs.push_front(input);
                    break;
                }
                // The program ends; the ledger has them for the next start.
                Err(TrySendError::Disconnected(_)) => self.inputs.clear(),
            }
        }
    }
}
