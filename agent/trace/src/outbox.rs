//! Outbox: the only queue of messages (invariant 6). Pure: it decides what goes next and what is done with.
//!
//! A row lives `queued -> sent -> puback -> receipted`; where the centre sends no receipts, PUBACK ends it. `sent` is
//! not kept over a connection: whatever has no PUBACK is queued again. Rows leave by acknowledgement, by burial with a
//! reason, or by expiry (invariant 7); each leaving is counted.
//!
//! **Order.** Lower lanes yield: a row of lane n waits while lane n-1 has one. Birth and offline go before all.
//! Lane 0 goes oldest first while few wait; beyond twice the window it takes turns, newest then oldest, so that a live
//! report overtakes a backlog of days and the backlog still moves.
//!
//! **Budgets.** Each lane may hold so many bytes of journal. Over it, the oldest rows of that lane are evicted; rows of
//! lane 0 never are: the overrun is shown and the disk's own limits answer for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::journal::Position;
use kerbside_domain::time::Mono;

#[cfg(test)]
mod tests;

pub const LANES: usize = 4;
/// Why a row leaves when its lane holds too many bytes.
pub const EVICTED: &str = "evicted: lane over its byte budget";

#[derive(Clone, Debug)]
pub struct Settings {
    /// Most messages handed over and not acknowledged.
    pub window: usize,
    /// The centre sends receipts; otherwise PUBACK ends a row.
    pub receipts: bool,
    /// Bytes per lane; lane 0's is only shown when it is passed.
    pub budget: [u64; LANES],
    /// A row with PUBACK but no receipt is sent again after that long, then after twice as long, up to `retry_max_s`.
    pub retry_s: f64,
    pub retry_max_s: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            window: 8,
            receipts: true,
            budget: [256 << 20, 32 << 20, 64 << 20, 16 << 20],
            retry_s: 30.0,
            retry_max_s: 3600.0,
        }
    }
}

/// What is kept of a message; its bytes are in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub seq: u64,
    /// Journal record.
    pub n: u64,
    pub at: Position,
    /// CloudEvents id; a receipt names it.
    pub id: String,
    pub lane: u8,
    pub qos: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Wall clock, ms; known only if the clock was good when it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
    /// The broker has it.
    #[serde(default)]
    pub puback: bool,
    /// How often it was handed over.
    #[serde(default)]
    pub tries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Queued,
    /// Handed over on this connection.
    Sent,
    /// The broker has it and the receipt is due at that moment; or it is tried again then.
    Waiting(Mono),
}

/// What one acknowledgement did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acked {
    /// The row is done with.
    Done(Row),
    /// The broker has it; the centre's receipt is awaited.
    Waiting,
    /// No such row: acknowledged before, or buried.
    Unknown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LaneStats {
    pub queued: usize,
    pub waiting: usize,
    pub bytes: u64,
    pub over_budget: bool,
}

#[derive(Debug)]
pub struct Outbox {
    settings: Settings,
    rows: BTreeMap<u64, (Row, State)>,
    queued: [BTreeSet<u64>; LANES],
    /// Rows with a slot, queued: they go before their lane.
    first: BTreeSet<u64>,
    waiting: BTreeSet<(Mono, u64)>,
    by_id: HashMap<String, u64>,
    by_slot: HashMap<String, u64>,
    bytes: [u64; LANES],
    in_flight: usize,
    window: usize,
    newest_next: bool,
    /// Rows changed since [`Outbox::take_dirty`].
    dirty: BTreeSet<u64>,
}

impl Outbox {
    pub fn new(settings: Settings) -> Self {
        let window = settings.window;
        Outbox {
            settings,
            rows: BTreeMap::new(),
            queued: Default::default(),
            first: BTreeSet::new(),
            waiting: BTreeSet::new(),
            by_id: HashMap::new(),
            by_slot: HashMap::new(),
            bytes: [0; LANES],
            in_flight: 0,
            window,
            newest_next: true,
            dirty: BTreeSet::new(),
        }
    }

    /// Takes a row in. Gives back the rows that it drove out and why: it fills the slot of an older one, or the lane
    /// is over its budget. They are out; the caller journals the burial.
    pub fn push(&mut self, row: Row) -> Vec<(Row, &'static str)> {
        let mut out = Vec::new();
        let lane = usize::from(row.lane).min(LANES - 1);
        let older = row.slot.as_ref().and_then(|s| self.by_slot.get(s)).copied();
        if let Some(older) = older.filter(|seq| *seq != row.seq) {
            out.extend(self.remove(older).map(|r| (r, "superseded")));
        }
        self.bytes[lane] += u64::from(row.at.len);
        self.by_id.insert(row.id.clone(), row.seq);
        if let Some(slot) = &row.slot {
            self.by_slot.insert(slot.clone(), row.seq);
        }
        let seq = row.seq;
        let state =
            if row.puback && self.settings.receipts { State::Waiting(Mono::ZERO) } else { State::Queued };
        if let Some((old, state)) = self.rows.insert(seq, (row, state)) {
            // Pushed twice (resend of a row that never left): count once.
            self.bytes[lane] = self.bytes[lane].saturating_sub(u64::from(old.at.len));
            self.forget_state(seq, lane, state);
        }
        self.enter(seq, state);
        self.dirty.insert(seq);
        while lane > 0 && self.bytes[lane] > self.settings.budget[lane] {
            let oldest = self.rows.iter().find(|(_, (r, _))| usize::from(r.lane) == lane).map(|(s, _)| *s);
            match oldest.and_then(|s| self.remove(s)) {
                Some(row) => out.push((row, EVICTED)),
                None => break,
            }
        }
        out
    }

    fn enter(&mut self, seq: u64, state: State) {
        let Some((row, slot)) = self.rows.get_mut(&seq) else { return };
        *slot = state;
        let lane = usize::from(row.lane).min(LANES - 1);
        match state {
            State::Queued if row.slot.is_some() && lane == 0 => drop(self.first.insert(seq)),
            State::Queued => drop(self.queued[lane].insert(seq)),
            State::Sent => self.in_flight += 1,
            State::Waiting(until) => drop(self.waiting.insert((until, seq))),
        }
    }

    fn forget_state(&mut self, seq: u64, lane: usize, state: State) {
        match state {
            State::Queued => {
                self.first.remove(&seq);
                self.queued[lane].remove(&seq);
            }
            State::Sent => self.in_flight = self.in_flight.saturating_sub(1),
            State::Waiting(until) => drop(self.waiting.remove(&(until, seq))),
        }
    }

    fn move_to(&mut self, seq: u64, to: State) {
        if let Some((row, state)) = self.rows.get(&seq) {
            let (lane, state) = (usize::from(row.lane).min(LANES - 1), *state);
            self.forget_state(seq, lane, state);
            self.enter(seq, to);
        }
    }

    /// Takes a row out: receipted, buried, or asked away.
    pub fn remove(&mut self, seq: u64) -> Option<Row> {
        let (row, state) = self.rows.remove(&seq)?;
        let lane = usize::from(row.lane).min(LANES - 1);
        self.forget_state(seq, lane, state);
        self.bytes[lane] = self.bytes[lane].saturating_sub(u64::from(row.at.len));
        if self.by_id.get(&row.id) == Some(&seq) {
            self.by_id.remove(&row.id);
        }
        if let Some(slot) = row.slot.as_ref().filter(|s| self.by_slot.get(*s) == Some(&seq)) {
            self.by_slot.remove(slot);
        }
        self.dirty.insert(seq);
        Some(row)
    }

    /// A connection is up. Everything not acknowledged is queued again, also what an earlier connection sent; if the
    /// broker kept no session, it may have lost what it acknowledged, so that too, unless a receipt came.
    pub fn connected(&mut self, session_present: bool, window: usize) {
        self.lost();
        self.window = window.clamp(1, self.settings.window);
        if !session_present {
            let waiting: Vec<u64> = self.waiting.iter().map(|(_, seq)| *seq).collect();
            waiting.into_iter().for_each(|seq| self.move_to(seq, State::Queued));
        }
    }

    /// The connection is gone.
    pub fn lost(&mut self) {
        let sent: Vec<u64> =
            self.rows.iter().filter(|(_, (_, s))| *s == State::Sent).map(|(seq, _)| *seq).collect();
        sent.into_iter().for_each(|seq| self.move_to(seq, State::Queued));
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
            self.move_to(seq, State::Queued);
        }
        let seq = self.pick()?;
        self.move_to(seq, State::Sent);
        let (row, _) = self.rows.get_mut(&seq)?;
        row.tries += 1;
        Some(row.clone())
    }

    fn pick(&mut self) -> Option<u64> {
        if let Some(seq) = self.first.first() {
            return Some(*seq);
        }
        let lane0 = &self.queued[0];
        if lane0.len() > 2 * self.settings.window {
            let newest = self.newest_next;
            self.newest_next = !newest;
            return if newest { lane0.last() } else { lane0.first() }.copied();
        }
        self.queued.iter().find_map(|lane| lane.first()).copied()
    }

    /// When [`Outbox::next`] may have something that it has not now.
    pub fn next_due(&self) -> Option<Mono> {
        self.waiting.first().map(|(until, _)| *until)
    }

    /// The broker has the row, or (QoS 0) it was written.
    pub fn puback(&mut self, seq: u64, now: Mono) -> Acked {
        let Some((row, _)) = self.rows.get_mut(&seq) else { return Acked::Unknown };
        let awaits_receipt = self.settings.receipts && row.lane <= 1 && row.qos > 0 && row.slot.is_none();
        if !awaits_receipt {
            return self.remove(seq).map_or(Acked::Unknown, Acked::Done);
        }
        row.puback = true;
        let doubled = self.settings.retry_s * 2f64.powi(row.tries.saturating_sub(1).min(16) as i32);
        let until = now.plus_s(doubled.min(self.settings.retry_max_s));
        self.move_to(seq, State::Waiting(until));
        self.dirty.insert(seq);
        Acked::Waiting
    }

    /// The centre has the message of that id.
    pub fn receipt(&mut self, id: &str) -> Option<Row> {
        let seq = *self.by_id.get(id)?;
        self.remove(seq)
    }

    /// Whether the message of that id is still here.
    pub fn holds(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// Queues a row again at that moment: it could not be handed over.
    pub fn later(&mut self, seq: u64, until: Mono) {
        self.move_to(seq, State::Waiting(until));
    }

    pub fn get(&self, seq: u64) -> Option<&Row> {
        self.rows.get(&seq).map(|(row, _)| row)
    }

    /// Rows whose life is over. They are out; the caller journals the burial.
    pub fn expire(&mut self, wall_ms: i64) -> Vec<Row> {
        let over = |r: &Row| r.expires_ms.is_some_and(|e| e <= wall_ms);
        let dead: Vec<u64> = self.rows.iter().filter(|(_, (r, _))| over(r)).map(|(s, _)| *s).collect();
        dead.into_iter().filter_map(|seq| self.remove(seq)).collect()
    }

    /// Queues a row again at once, whatever it waits for. False: it is not here any more.
    pub fn again(&mut self, seq: u64) -> bool {
        let here = self.rows.get(&seq).is_some_and(|(_, state)| *state != State::Sent);
        if here {
            self.move_to(seq, State::Queued);
        }
        here || self.rows.contains_key(&seq)
    }

    /// Ids of reports that are not done with.
    pub fn reports(&self) -> impl Iterator<Item = &str> {
        let reports = self.rows.values().map(|(row, _)| row).filter(|r| r.lane == 0 && r.slot.is_none());
        reports.map(|r| r.id.as_str())
    }

    /// Lowest journal number that a row still needs.
    pub fn lowest_n(&self) -> Option<u64> {
        // Rows are in order of `seq`, and with it of `n`, but for those that a resend brought back.
        self.rows.values().map(|(row, _)| row.n).min()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub fn lanes(&self) -> [LaneStats; LANES] {
        let mut stats = [LaneStats::default(); LANES];
        for (row, state) in self.rows.values() {
            let lane = &mut stats[usize::from(row.lane).min(LANES - 1)];
            match state {
                State::Waiting(_) => lane.waiting += 1,
                _ => lane.queued += 1,
            }
        }
        for (i, lane) in stats.iter_mut().enumerate() {
            lane.bytes = self.bytes[i];
            lane.over_budget = self.bytes[i] > self.settings.budget[i];
        }
        stats
    }

    /// Sequence numbers changed since the last call, with the row if it is still here.
    pub fn take_dirty(&mut self) -> Vec<(u64, Option<Row>)> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty.into_iter().map(|seq| (seq, self.get(seq).cloned())).collect()
    }
}
