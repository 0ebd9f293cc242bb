//! The next message for the link, and what its acknowledgement does.

use kerbside_domain::time::Mono;
use kerbside_wire::{Message, Outgoing, Presence, published, state};
use serde_json::json;

use super::base::Ledger;
use crate::delivery::error::Result;
use crate::delivery::item::Item;
use crate::journal::{Durability, JournalError, RecordKind};
use crate::outbox::{Acknowledged, RemovalReason};
use crate::tuning::{READ_RETRIES, UNREADABLE_FOLDER_WAIT_S};

impl Ledger {
    /// A connection is up: says so in the trace, queues the birth and everything not acknowledged.
    pub fn connected(&mut self, session: u64, session_present: bool, window: usize) -> Result<()> {
        self.state.outbox.connected(session_present, window);
        let body = json!({"session": session, "session_present": session_present});
        let last = self.last_seq();
        let now = self.clock.now();
        let birth = state(&self.who, Presence::Online, session, Some(last), None, now);
        let note = Item::Note { kind: RecordKind::Link, body };
        self.commit(vec![note, Item::Message(Box::new(birth))]).map(drop)
    }

    pub fn disconnected(&mut self, why: &str) -> Result<()> {
        self.state.outbox.disconnected();
        let note = Item::Note { kind: RecordKind::Link, body: json!({"lost": why}) };
        self.commit_as(vec![note], Durability::Later).map(drop)
    }

    /// The next message for the broker. Rows that are too long, or whose record cannot be read time and again, are given
    /// up on the way.
    pub fn next(&mut self, max_packet: usize) -> Option<Outgoing> {
        loop {
            let now = self.clock.now();
            if self.journal_away_until.is_some_and(|until| until > now.mono) {
                return None;
            }
            let row = self.state.outbox.next(now.mono)?;
            let outgoing = self.journal.read(row.n, row.location).map(|r| published(r.recorded(), &self.who));
            if outgoing.is_ok() {
                self.unreadable.remove(&row.seq);
                self.journal_is_back();
            }
            match outgoing {
                Ok(Some(mut outgoing)) if outgoing.packet_len() <= max_packet => {
                    let left = row.left_s(now).map(|s| (s as u32).max(1));
                    outgoing.expiry_s = left.or(outgoing.expiry_s);
                    return Some(outgoing);
                }
                Ok(Some(outgoing)) => {
                    let bytes = outgoing.packet_len();
                    self.dead_letter(row.seq, &RemovalReason::TooLong { bytes, max_packet });
                }
                Ok(None) => self.dead_letter(row.seq, &RemovalReason::NoMessage),
                Err(e) if e.is_of_the_box() || !self.journal.is_readable() => {
                    self.journal_is_away(row.seq, &e, now.mono);
                    return None;
                }
                Err(e) => self.unreadable(row.seq, &e, now.mono),
            }
        }
    }

    /// The box is out of file handles, or the whole folder is gone: all messages wait for as long as that lasts, and none is blamed.
    fn journal_is_away(&mut self, seq: u64, error: &JournalError, now: Mono) {
        self.stats.read_errors += 1;
        if self.journal_away_until.is_none() {
            tracing::error!(%error, "the journal cannot be read; its messages wait");
        }
        let until = now.plus_s(UNREADABLE_FOLDER_WAIT_S);
        self.journal_away_until = Some(until);
        self.state.outbox.retry_at(seq, until);
    }

    fn journal_is_back(&mut self) {
        if self.journal_away_until.take().is_some() {
            tracing::info!("the journal can be read again");
        }
    }

    /// The rest of the journal can be read and this record cannot: later again, and only then given up.
    fn unreadable(&mut self, seq: u64, error: &JournalError, now: Mono) {
        self.stats.read_errors += 1;
        let times = self.unreadable.get(&seq).copied().unwrap_or(0) + 1;
        self.unreadable.insert(seq, times);
        if times > READ_RETRIES {
            let error = error.to_string();
            return self.dead_letter(seq, &RemovalReason::Unreadable { times, error });
        }
        if times == 1 {
            tracing::warn!(seq, %error, "a message cannot be read; it is tried again");
        }
        let until = now.plus_s(f64::from(2u32.pow(times)));
        self.state.outbox.retry_at(seq, until);
    }

    /// Makes a message durable and hands it out at once, whatever the window says.
    pub fn last_message(&mut self, message: Message) -> Result<Option<Outgoing>> {
        let committed = self.commit(vec![Item::Message(Box::new(message))])?;
        let seq = committed.first().and_then(|c| c.seq);
        let Some(row) = seq.and_then(|seq| self.state.outbox.get(seq)) else {
            return Ok(None);
        };
        Ok(published(self.journal.read(row.n, row.location)?.recorded(), &self.who))
    }

    /// The broker refused the message, and the connection stays. An incident is kept whatever the broker says of it: it is
    /// offered again, and health names it.
    pub fn refused(&mut self, seq: u64, reason: String, never: bool) {
        let Some(row) = self.state.outbox.get(seq) else { return };
        let is_report = row.is_report();
        if never && !is_report {
            return self.dead_letter(seq, &RemovalReason::Rejected(reason));
        }
        let id = row.id.clone();
        let times = self.state.outbox.refused(seq, self.clock.now().mono);
        if is_report && times == 1 {
            tracing::warn!(seq, id, reason, "the broker refuses a report; it is kept and offered again");
        }
    }

    /// Most messages on their way, and how many of them are kept for reports of this connection.
    pub fn set_window(&mut self, window: usize, kept: usize) {
        self.state.outbox.set_window(window, kept);
    }

    pub fn in_flight(&self) -> usize {
        self.state.outbox.in_flight()
    }

    pub fn next_due(&self) -> Option<Mono> {
        self.state.outbox.next_due()
    }

    /// The broker has it. Journalled with the next records, without a sync of its own: at worst it is sent again.
    pub fn puback(&mut self, seq: u64) {
        let now = self.clock.now().mono;
        if let Acknowledged::Done(_) = self.state.outbox.puback(seq, now) {
            self.stats.done += 1;
        }
        self.pubacks.push(seq);
    }
}
