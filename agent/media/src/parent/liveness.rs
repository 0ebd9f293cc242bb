//! Whether a child still delivers, by the real time of its last message. Pure.

use kerbside_domain::frame::Level;
use kerbside_domain::time::Mono;

/// What the session remembers of one child.
pub(super) struct ChildLiveness {
    delivered_at: Mono,
    ticked_at: Mono,
    /// Packets have come: from now on silence is a stall, not a slow start.
    pub(super) has_delivered: bool,
    packets: u64,
    /// The level sent to the child last.
    pub(super) level: Level,
}

impl ChildLiveness {
    pub(super) fn new(now: Mono, level: Level) -> Self {
        ChildLiveness { delivered_at: now, ticked_at: now, has_delivered: false, packets: 0, level }
    }

    /// A packet or a frame came.
    pub(super) fn delivered(&mut self, now: Mono) {
        self.delivered_at = now;
        self.has_delivered = true;
    }

    /// Counters came. Without packets (OpenCV) they are the only sign of life.
    pub(super) fn counted(&mut self, packets: u64, now: Mono) {
        if packets > std::mem::replace(&mut self.packets, packets) {
            self.delivered(now);
        }
    }

    /// Time since anything was delivered, s.
    pub(super) fn silent_s(&self, now: Mono) -> f64 {
        now.since_s(self.delivered_at)
    }

    /// True once every `period_s`.
    pub(super) fn tick_due(&mut self, now: Mono, period_s: f64) -> bool {
        let due = now.since_s(self.ticked_at) >= period_s;
        if due {
            self.ticked_at = now;
        }
        due
    }
}
