//! Whether connections bring anything forward. One that comes up, has something to do and settles nothing is none.

use crate::tuning::STUCK_CONNECTIONS;

#[derive(Debug, Default)]
pub(super) struct Progress {
    /// This connection has something to do.
    has_work: bool,
    /// It settled something: an answer of the broker, or an acknowledgement of ours.
    has_settled: bool,
    /// Connections in a row that settled nothing.
    stuck: u32,
    /// The disk takes nothing for so long that it counts the same.
    is_held_up: bool,
}

impl Progress {
    pub(super) fn connected(&mut self) {
        (self.has_work, self.has_settled) = (false, false);
    }

    pub(super) fn work(&mut self) {
        self.has_work = true;
    }

    /// True: it was stuck before.
    pub(super) fn settled(&mut self) -> bool {
        let was_stuck = self.is_stuck();
        (self.has_settled, self.stuck, self.is_held_up) = (true, 0, false);
        was_stuck
    }

    /// A connection that was up is gone. True: now it counts as stuck.
    pub(super) fn lost(&mut self) -> bool {
        let was_stuck = self.is_stuck();
        if self.has_work && !self.has_settled {
            self.stuck = self.stuck.saturating_add(1);
        }
        self.is_stuck() && !was_stuck
    }

    /// True: now it counts as stuck.
    pub(super) fn held_up(&mut self) -> bool {
        let was_stuck = self.is_stuck();
        self.is_held_up = true;
        !was_stuck
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.stuck >= STUCK_CONNECTIONS || self.is_held_up
    }
}
