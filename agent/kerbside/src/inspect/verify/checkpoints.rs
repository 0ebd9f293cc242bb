//! What the checkpoints of a journal prove. A good one covers, by the chain of hashes, every record before it; the numbers and
//! digests show that no checkpoint is missing, and the keys that the same box signed all of them.

use std::collections::{BTreeSet, VecDeque};

use kerbside_crypto::hash::Hash;
use kerbside_crypto::sign::PublicKey;
use kerbside_trace::journal::Record;
use kerbside_trace::{CHECKPOINT_EVERY_RECORDS, CHECKPOINT_EVERY_S};
use kerbside_wire::checkpoint::{self, Chain, Checkpoint};
use serde::Serialize;

/// Hashes of so many records before a checkpoint are remembered: it speaks of one just before it.
const REMEMBERED: usize = 64;
/// A box signs after [`CHECKPOINT_EVERY_RECORDS`]; what becomes durable together with the last of them may be as many again.
const LONGEST_TAIL: u64 = 5 * CHECKPOINT_EVERY_RECORDS / 2;
/// A box signs after [`CHECKPOINT_EVERY_S`]; a disk that refuses for a while is no forgery.
const OLDEST_TAIL_S: f64 = 1.25 * CHECKPOINT_EVERY_S;

/// A checkpoint whose signature is good by the key that it names, and whose record is the one that was signed.
#[derive(Debug)]
struct Seen {
    /// The record that holds it.
    record_n: u64,
    /// The newest record that it covers.
    n: u64,
    time: String,
    key: PublicKey,
    chain: Option<Chain>,
    digest: Option<Hash>,
}

/// Gathers while the journal is read.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// Number of the first record that is here.
    first_n: Option<u64>,
    recent: VecDeque<(u64, Hash)>,
    seen: Vec<Seen>,
    bad: Vec<(u64, String)>,
    /// Start of the program that signed its stop with the record just read.
    stopped: Option<String>,
    tail: Tail,
}

/// How long the box has been writing since the newest checkpoint, in its newest start.
#[derive(Debug, Default)]
struct Tail {
    boot: String,
    since_s: f64,
    newest_s: f64,
}

/// What the checkpoints come to.
#[derive(Debug, Default, Serialize)]
pub(super) struct Judgement {
    pub(super) good: u64,
    /// Up to this record everything is what the box signed; `None`: nothing is.
    pub(super) proven_to: Option<u64>,
    /// When that was signed, by the box's clock.
    pub(super) signed_at: Option<String>,
    /// Number of that checkpoint.
    pub(super) number: Option<u64>,
    /// Records behind it, which nobody signed.
    pub(super) unsigned: u64,
    /// It is the last record, and says that the program stopped in order.
    pub(super) stopped: bool,
    /// Record number, and what contradicts a signature.
    pub(super) bad: Vec<(u64, String)>,
    /// Why the journal is not proven.
    pub(super) doubts: Vec<String>,
}

impl Checkpoints {
    pub(super) fn record(&mut self, record: &Record) {
        self.first_n.get_or_insert(record.n);
        if self.stopped.take().is_some_and(|boot| boot == record.boot) {
            let why = "stands behind the checkpoint with which the program stopped".to_owned();
            self.bad.push((record.n, why));
        }
        let envelope = record.message().filter(|(head, _)| head.kind == checkpoint::KIND);
        match envelope {
            Some((_, envelope)) => self.checkpoint(record, envelope),
            None => self.tail.record(record),
        }
        self.recent.push_back((record.n, record.hash));
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
    }

    fn checkpoint(&mut self, record: &Record, envelope: &str) {
        let judged = Checkpoint::read(envelope).map_err(|e| e.to_string()).and_then(|checkpoint| {
            checkpoint.verify(None).map_err(|e| e.to_string())?;
            match self.recent.iter().find(|(n, _)| *n == checkpoint.n) {
                Some((_, hash)) if *hash == checkpoint.hash => Ok(checkpoint),
                Some(_) => Err(format!("record {} is not the one that was signed", checkpoint.n)),
                // It signs what went with the segment before, which only the beginning that the box signed can excuse.
                None if self.first_n.is_some_and(|first_n| checkpoint.n < first_n) => Ok(checkpoint),
                None => Err(format!("record {}, which was signed, is not here", checkpoint.n)),
            }
        });
        match judged {
            Ok(checkpoint) => {
                let chain = checkpoint.chain.as_ref().map(|signed| signed.chain);
                self.stopped = chain.filter(|c| c.stopped).map(|_| record.boot.clone());
                self.tail = Tail::default();
                let (record_n, digest) = (record.n, checkpoint.digest());
                let Checkpoint { n, time, key, .. } = checkpoint;
                self.seen.push(Seen { record_n, n, time, key, chain, digest });
            }
            Err(why) => self.bad.push((record.n, format!("checkpoint: {why}"))),
        }
    }

    /// The keys that signed here.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        self.seen.iter().map(|seen| seen.key.to_string()).collect()
    }

    /// `key`: whose signatures count. `first_n`, `last_n`: the records that are here.
    pub(super) fn judge(mut self, key: Option<PublicKey>, first_n: u64, last_n: u64) -> Judgement {
        self.judge_numbers(first_n);
        let trusted = self.trusted(key);
        self.judge_beginning(trusted.as_ref(), first_n);
        let newest = trusted.as_ref().and_then(|t| self.seen.get(t.end.checked_sub(1)?));
        let mut judgement = Judgement { good: self.seen.len() as u64, ..Judgement::default() };
        judgement.doubts = self.doubts(key, trusted.as_ref());
        judgement.unsigned = last_n.saturating_sub(newest.map_or(first_n.saturating_sub(1), |s| s.record_n));
        if let Some(newest) = newest {
            judgement.proven_to = Some(newest.n);
            judgement.signed_at = Some(newest.time.clone());
            judgement.number = newest.chain.map(|c| c.number);
            judgement.stopped = judgement.unsigned == 0 && newest.chain.is_some_and(|c| c.stopped);
            judgement.doubts.extend(self.tail.doubt(judgement.unsigned));
        }
        judgement.bad = self.bad;
        judgement
    }

    /// None is missing in between: numbers rise by one, and each names the one before.
    fn judge_numbers(&mut self, first_n: u64) {
        let mut before: Option<&Seen> = None;
        for seen in &self.seen {
            let Some(chain) = seen.chain else {
                // An older version wrote on; the numbers may begin again.
                before = Some(seen);
                continue;
            };
            let number = chain.number;
            let why = match before.and_then(|b| Some((b.chain?.number, b.digest))) {
                Some((last, _)) if number != last + 1 => {
                    Some(format!("checkpoint number {number} follows number {last}"))
                }
                Some((last, digest)) if chain.previous != digest => {
                    Some(format!("checkpoint number {number} names another number {last}"))
                }
                None if before.is_none() && first_n == 1 && number != 1 => {
                    Some(format!("checkpoint number {number} is the first here"))
                }
                _ => None,
            };
            self.bad.extend(why.map(|why| (seen.record_n, why)));
            before = Some(seen);
        }
    }

    /// Stretches of checkpoints by one box: the same key, or the one that the last of the old key names.
    fn runs(&self) -> Vec<std::ops::Range<usize>> {
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        let mut expected = None;
        for (i, seen) in self.seen.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if expected == Some(seen.key) => run.end = i + 1,
                _ => runs.push(i..i + 1),
            }
            expected = Some(seen.chain.and_then(|c| c.next_key).unwrap_or(seen.key));
        }
        runs
    }

    /// The newest stretch in which `key` signed or was named as the next.
    fn trusted(&self, key: Option<PublicKey>) -> Option<std::ops::Range<usize>> {
        let has = |seen: &Seen| {
            Some(seen.key) == key || key.is_some() && seen.chain.and_then(|c| c.next_key) == key
        };
        self.runs()
            .into_iter()
            .rfind(|run| self.seen.get(run.clone()).is_some_and(|seen| seen.iter().any(has)))
    }

    /// Old segments go by retention alone, and the box signs that before.
    fn judge_beginning(&mut self, trusted: Option<&std::ops::Range<usize>>, first_n: u64) {
        let seen = trusted.and_then(|t| self.seen.get(t.clone())).unwrap_or_default();
        let signed = seen.iter().filter_map(|s| Some(s.chain?.first_n)).max();
        if let Some(signed) = signed.filter(|signed| *signed < first_n) {
            let gone = if signed + 1 == first_n {
                format!("record {signed} is gone")
            } else {
                format!("records {signed} to {} are gone", first_n - 1)
            };
            self.bad.push((
                first_n,
                format!(
                    "is the first here; {gone}, and the box signed that its journal begins with {signed}"
                ),
            ));
        }
    }

    fn doubts(&self, key: Option<PublicKey>, trusted: Option<&std::ops::Range<usize>>) -> Vec<String> {
        let Some(key) = key else {
            return vec!["no key was given and none lies beside the journal: pass --key".to_owned()];
        };
        let (Some(first), Some(last)) = (self.seen.first(), self.seen.last()) else {
            return vec!["nobody signed it: there is no good checkpoint in it".to_owned()];
        };
        let Some(trusted) = trusted else {
            return vec![format!("its checkpoints are not by {key}, but by {}", last.key)];
        };
        let mut doubts = Vec::new();
        if trusted.start > 0 {
            doubts.push(format!(
                "the checkpoints up to record {} are by {}, which signed no change to {key}",
                self.seen.get(trusted.start - 1).map_or(0, |s| s.record_n),
                first.key
            ));
        }
        if let Some(stranger) = self.seen.get(trusted.end) {
            doubts.push(format!(
                "from record {} on another key signs, {}; the key before signed no change to it",
                stranger.record_n, stranger.key
            ));
        }
        if self.seen.get(trusted.end.saturating_sub(1)).is_some_and(|newest| newest.chain.is_none()) {
            doubts.push(
                "its newest checkpoint is of an older version, which numbers none: a missing one does not show"
                    .to_owned(),
            );
        }
        doubts
    }
}

impl Tail {
    fn record(&mut self, record: &Record) {
        let now_s = record.at.mono.0 as f64 / 1e6;
        if self.boot != record.boot {
            *self = Tail { boot: record.boot.clone(), since_s: now_s, newest_s: now_s };
        }
        self.newest_s = now_s;
    }

    /// A running box leaves a short tail; a long one was not signed when it should have been.
    fn doubt(&self, records: u64) -> Option<String> {
        let age_s = self.newest_s - self.since_s;
        (records > LONGEST_TAIL || age_s > OLDEST_TAIL_S).then(|| {
            format!("{records} records over {age_s:.0} s are not signed: more than a box leaves unsigned")
        })
    }
}
