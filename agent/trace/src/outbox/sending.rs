//! What goes next, and what an acknowledgement, a receipt or a new connection does.

use kerbside_domain::time::{Moment, Mono, doubled_s};
use kerbside_wire::{Priority, awaits_receipt};

use super::queue::Outbox;
use super::row::{Acknowledged, Row, RowState};
use crate::tuning::{REFUSED_RETRY_MAX_S, REFUSED_RETRY_S};

impl Outbox {
    /// A connection is up. Everything not acknowledged is queued again, also what an earlier connection sent; if the
    /// broker kept no session, it may have lost what it acknowledged, so that too, unless a receipt came.
    pub fn connected(&mut self, session_present: bool, window: usize) {
        self.disconnected();
        self.live_from = self.rows.last_key_value().map_or(0, |(seq, _)| seq + 1);
        self.set_window(window.min(self.settings.window), 0);
        self.offer_refused();
        if !session_present {
            let waiting: Vec<u64> = self.waiting.iter().map(|(_, seq)| *seq).collect();
            waiting.into_iter().for_each(|seq| self.move_to(seq, RowState::Queued));
        }
    }

    /// Most rows handed over and not acknowledged from now on. The last `kept` of them are for the box's state and for reports
    /// that came since the connection did.
    pub fn set_window(&mut self, window: usize, kept: usize) {
        self.window = window.max(1);
        self.kept = kept.min(self.window - 1);
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        let sent: Vec<u64> =
            self.rows.iter().filter(|(_, (_, s))| *s == RowState::Sent).map(|(seq, _)| *seq).collect();
        sent.into_iter().for_each(|seq| self.move_to(seq, RowState::Queued));
        self.in_flight = 0;
    }

    /// The next row to hand over, now marked sent; `None` while the window is full or nothing waits.
    pub fn next(&mut self, now: Mono) -> Option<Row> {
        if self.in_flight >= self.window {
            return None;
        }
        while let Some((until, seq)) = self.waiting.first().copied() {
            if until > now {
                break;
            }
            self.move_to(seq, RowState::Queued);
        }
        let seq = self.pick()?;
        self.move_to(seq, RowState::Sent);
        let (row, _) = self.rows.get_mut(&seq)?;
        row.tries += 1;
        Some(row.clone())
    }

    fn pick(&mut self) -> Option<u64> {
        if let Some(seq) = self.first.first() {
            return Some(*seq);
        }
        let incidents = &self.queued[Priority::Incident.index()];
        if self.in_flight + self.kept >= self.window {
            return incidents.range(self.live_from..).next().copied();
        }
        if incidents.len() > 2 * self.window {
            let newest = self.newest_next;
            self.newest_next = !newest;
            return if newest { incidents.last() } else { incidents.first() }.copied();
        }
        self.queued.iter().find_map(|of_priority| of_priority.first()).copied()
    }

    /// When [`Outbox::next`] may have something that it has not now.
    pub fn next_due(&self) -> Option<Mono> {
        self.waiting.first().map(|(until, _)| *until)
    }

    /// The broker has the row, or (QoS 0) it was written.
    pub fn puback(&mut self, seq: u64, now: Mono) -> Acknowledged {
        if self.refused.remove(&seq).is_some() {
            // What was refused for the same reason may go now.
            self.offer_refused();
        }
        let Some((row, _)) = self.rows.get_mut(&seq) else { return Acknowledged::Unknown };
        let awaits = awaits_receipt(row.priority, row.qos, row.conflation_key.is_some());
        if !(self.settings.receipts && awaits) || row.receipted {
            return self.remove(seq).map_or(Acknowledged::Unknown, Acknowledged::Done);
        }
        row.puback = true;
        let wait_s = doubled_s(self.settings.retry_s, row.tries.saturating_sub(1), self.settings.retry_max_s);
        self.move_to(seq, RowState::Waiting(now.plus_s(wait_s)));
        self.changed.insert(seq);
        Acknowledged::AwaitsReceipt
    }

    /// The centre has the message of that id. An unsigned word of it counts only together with the broker's acknowledgement, in
    /// either order: nobody can end a report that never left.
    pub fn receipt(&mut self, id: &str, is_signed: bool) -> Option<Row> {
        let seq = self.seq_of(id)?;
        let (row, _) = self.rows.get_mut(&seq)?;
        if is_signed || row.puback {
            return self.remove(seq);
        }
        row.receipted = true;
        self.changed.insert(seq);
        None
    }

    /// Whether such a receipt would change something.
    pub fn awaits_receipt(&self, id: &str, is_signed: bool) -> bool {
        let row = self.seq_of(id).and_then(|seq| self.get(seq));
        row.is_some_and(|row| is_signed || row.puback || !row.receipted)
    }

    /// Queues a row again at that moment: it could not be handed over.
    pub fn retry_at(&mut self, seq: u64, until: Mono) {
        self.move_to(seq, RowState::Waiting(until));
    }

    /// The broker refused the row: it stays, and is offered again later and later. How often that was.
    pub fn refused(&mut self, seq: u64, now: Mono) -> u32 {
        if !self.rows.contains_key(&seq) {
            return 0;
        }
        let times = self.refused.entry(seq).or_default();
        *times = times.saturating_add(1);
        let times = *times;
        let wait_s = doubled_s(REFUSED_RETRY_S, times - 1, REFUSED_RETRY_MAX_S);
        self.move_to(seq, RowState::Waiting(now.plus_s(wait_s)));
        times
    }

    fn offer_refused(&mut self) {
        let waiting = |seq: &u64| matches!(self.rows.get(seq), Some((_, RowState::Waiting(_))));
        let refused: Vec<u64> = self.refused.keys().copied().filter(waiting).collect();
        refused.into_iter().for_each(|seq| self.move_to(seq, RowState::Queued));
    }

    /// Rows whose life is over. They are out; the caller journals that.
    pub fn expire(&mut self, now: Moment) -> Vec<Row> {
        let over = |r: &Row| r.left_s(now).is_some_and(|s| s <= 0.0);
        let expired: Vec<u64> = self.rows.iter().filter(|(_, (r, _))| over(r)).map(|(s, _)| *s).collect();
        expired.into_iter().filter_map(|seq| self.remove(seq)).collect()
    }

    /// Queues a row again at once, whatever it waits for. False: it is not here any more.
    pub fn resend(&mut self, seq: u64) -> bool {
        let idle = self.rows.get(&seq).is_some_and(|(_, state)| *state != RowState::Sent);
        if idle {
            self.move_to(seq, RowState::Queued);
        }
        idle || self.rows.contains_key(&seq)
    }
}
