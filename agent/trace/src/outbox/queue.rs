//! The rows of the outbox and where each stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kerbside_domain::time::Mono;
use kerbside_wire::Priority;

use super::row::{PriorityStats, RemovalReason, Row, RowState};
use super::settings::OutboxSettings;

const PRIORITIES: usize = Priority::ALL.len();

#[derive(Debug)]
pub struct Outbox {
    pub(super) settings: OutboxSettings,
    pub(super) rows: BTreeMap<u64, (Row, RowState)>,
    pub(super) queued: [BTreeSet<u64>; PRIORITIES],
    /// Queued birth and offline messages: they go before all.
    pub(super) first: BTreeSet<u64>,
    pub(super) waiting: BTreeSet<(Mono, u64)>,
    by_id: HashMap<String, u64>,
    by_conflation_key: HashMap<String, u64>,
    bytes: [u64; PRIORITIES],
    pub(super) in_flight: usize,
    pub(super) window: usize,
    /// How many of the window are for what is live.
    pub(super) kept: usize,
    /// Reports from this number on are live: they came since the connection did.
    pub(super) live_from: u64,
    /// With a backlog: whether the newest goes next, or the oldest.
    pub(super) newest_next: bool,
    /// Rows changed since [`Outbox::take_changed`].
    pub(super) changed: BTreeSet<u64>,
    /// Rows that the broker refused, and how often; each waits for its next try.
    pub(super) refused: BTreeMap<u64, u32>,
}

impl Outbox {
    pub fn new(settings: OutboxSettings) -> Self {
        let window = settings.window;
        Outbox {
            settings,
            rows: BTreeMap::new(),
            queued: Default::default(),
            first: BTreeSet::new(),
            waiting: BTreeSet::new(),
            by_id: HashMap::new(),
            by_conflation_key: HashMap::new(),
            bytes: [0; PRIORITIES],
            in_flight: 0,
            window,
            kept: 0,
            live_from: 0,
            newest_next: true,
            changed: BTreeSet::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Takes a row in. Gives back the rows that it drove out and why: it replaces an older one of its conflation key, or
    /// its priority is over its budget. They are out; the caller journals that.
    pub fn push(&mut self, row: Row) -> Vec<(Row, RemovalReason)> {
        let mut out = Vec::new();
        let priority = row.priority;
        let i = priority.index();
        let older = row.conflation_key.as_ref().and_then(|key| self.by_conflation_key.get(key)).copied();
        if let Some(older) = older.filter(|seq| *seq != row.seq) {
            out.extend(self.remove(older).map(|r| (r, RemovalReason::Superseded)));
        }
        self.bytes[i] += u64::from(row.location.len);
        self.by_id.insert(row.id.clone(), row.seq);
        if let Some(key) = &row.conflation_key {
            self.by_conflation_key.insert(key.clone(), row.seq);
        }
        let seq = row.seq;
        let state = if row.puback && self.settings.receipts {
            RowState::Waiting(Mono::ZERO)
        } else {
            RowState::Queued
        };
        if let Some((old, state)) = self.rows.insert(seq, (row, state)) {
            // Pushed twice (resend of a row that never left): count once.
            self.bytes[i] = self.bytes[i].saturating_sub(u64::from(old.location.len));
            self.leave_state(seq, priority, state);
        }
        self.enter_state(seq, state);
        self.changed.insert(seq);
        while priority != Priority::Incident && self.bytes[i] > self.settings.budgets[i] {
            let oldest = self.rows.iter().find(|(_, (r, _))| r.priority == priority).map(|(s, _)| *s);
            match oldest.and_then(|s| self.remove(s)) {
                Some(row) => out.push((row, RemovalReason::OverBudget)),
                None => break,
            }
        }
        out
    }

    fn enter_state(&mut self, seq: u64, state: RowState) {
        let Some((row, current)) = self.rows.get_mut(&seq) else { return };
        *current = state;
        match state {
            RowState::Queued if row.conflation_key.is_some() && row.priority == Priority::Incident => {
                self.first.insert(seq);
            }
            RowState::Queued => {
                self.queued[row.priority.index()].insert(seq);
            }
            RowState::Sent => self.in_flight += 1,
            RowState::Waiting(until) => {
                self.waiting.insert((until, seq));
            }
        }
    }

    fn leave_state(&mut self, seq: u64, priority: Priority, state: RowState) {
        match state {
            RowState::Queued => {
                self.first.remove(&seq);
                self.queued[priority.index()].remove(&seq);
            }
            RowState::Sent => self.in_flight = self.in_flight.saturating_sub(1),
            RowState::Waiting(until) => {
                self.waiting.remove(&(until, seq));
            }
        }
    }

    pub(super) fn move_to(&mut self, seq: u64, to: RowState) {
        if let Some((row, state)) = self.rows.get(&seq) {
            let (priority, state) = (row.priority, *state);
            self.leave_state(seq, priority, state);
            self.enter_state(seq, to);
        }
    }

    /// Takes a row out.
    pub fn remove(&mut self, seq: u64) -> Option<Row> {
        let (row, state) = self.rows.remove(&seq)?;
        let i = row.priority.index();
        self.leave_state(seq, row.priority, state);
        self.refused.remove(&seq);
        self.bytes[i] = self.bytes[i].saturating_sub(u64::from(row.location.len));
        if self.by_id.get(&row.id) == Some(&seq) {
            self.by_id.remove(&row.id);
        }
        let key = row.conflation_key.as_ref();
        if let Some(key) = key.filter(|key| self.by_conflation_key.get(*key) == Some(&seq)) {
            self.by_conflation_key.remove(key);
        }
        self.changed.insert(seq);
        Some(row)
    }

    /// The sequence number of the message of that id, if it is still here.
    pub fn seq_of(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    pub fn get(&self, seq: u64) -> Option<&Row> {
        self.rows.get(&seq).map(|(row, _)| row)
    }

    /// Ids of reports that are not done with.
    pub fn reports(&self) -> impl Iterator<Item = &str> {
        let rows = self.rows.values().map(|(row, _)| row);
        rows.filter(|row| row.is_report()).map(|row| row.id.as_str())
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

    /// By [`Priority::index`].
    pub fn stats(&self) -> [PriorityStats; PRIORITIES] {
        let mut stats = [PriorityStats::default(); PRIORITIES];
        for (row, state) in self.rows.values() {
            let of_priority = &mut stats[row.priority.index()];
            match state {
                RowState::Waiting(_) => of_priority.waiting += 1,
                _ => of_priority.queued += 1,
            }
            of_priority.refused += usize::from(self.refused.contains_key(&row.seq));
        }
        for (i, of_priority) in stats.iter_mut().enumerate() {
            of_priority.bytes = self.bytes[i];
            of_priority.over_budget = self.bytes[i] > self.settings.budgets[i];
        }
        stats
    }

    /// Sequence numbers changed since the last call, with the row if it is still here.
    pub fn take_changed(&mut self) -> Vec<(u64, Option<Row>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|seq| (seq, self.get(seq).cloned())).collect()
    }
}
