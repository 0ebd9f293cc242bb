//! The comparison with the checkpoints that the centre kept: what stands in them must stand in the journal, and the journal must
//! reach as far. Lines of JSON, each a message as it came over the link; other messages among them are passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use kerbside_crypto::hash::Hash;
use kerbside_trace::journal::Record;
use kerbside_wire::checkpoint::{self, Checkpoint};
use serde::{Deserialize, Serialize};

/// One checkpoint that the centre kept.
#[derive(Debug)]
struct Kept {
    line: usize,
    checkpoint: Checkpoint,
}

impl Kept {
    fn name(&self) -> String {
        let number = self.checkpoint.chain.as_ref().map(|signed| format!(" number {}", signed.chain.number));
        format!("the centre's checkpoint{} (line {})", number.unwrap_or_default(), self.line)
    }
}

/// Gathers while the journal is read.
#[derive(Debug, Default)]
pub(super) struct Against {
    kept: Vec<Kept>,
    /// Messages of other types.
    passed_over: u64,
    /// Record numbers that the centre knows the hashes of, and in which of its checkpoints they stand.
    expected: BTreeMap<u64, Vec<(usize, Hash)>>,
    differing: Vec<(usize, u64)>,
    /// Who writes this journal, as its first message says.
    source: Option<String>,
}

/// What the comparison came to.
#[derive(Debug, Default, Serialize)]
pub(super) struct Comparison {
    /// Checkpoints of this box whose records are here as they were signed.
    pub(super) agreeing: u64,
    /// Those about records that went with their segments.
    pub(super) before_the_first: u64,
    /// Those of other boxes.
    pub(super) of_others: u64,
    pub(super) differences: Vec<String>,
    /// Why the comparison proves little.
    pub(super) doubts: Vec<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Source {
    source: String,
}

impl Against {
    pub(super) fn read(path: &Path) -> anyhow::Result<Against> {
        let name = path.display();
        let file = std::fs::File::open(path).with_context(|| format!("--against {name}"))?;
        let mut against = Against::default();
        for (i, text) in BufReader::new(file).lines().enumerate() {
            let text = text.with_context(|| format!("--against {name}"))?;
            let text = text.trim_start_matches('\u{feff}').trim();
            if text.is_empty() {
                continue;
            }
            let line = i + 1;
            let bad = || format!("--against {name}, line {line}: one message as JSON is expected");
            let event: Event = serde_json::from_str(text).with_context(bad)?;
            if event.kind != checkpoint::KIND {
                against.passed_over += 1;
                continue;
            }
            against.keep(Kept { line, checkpoint: Checkpoint::read(text).with_context(bad)? });
        }
        anyhow::ensure!(
            !against.kept.is_empty(),
            "--against {name}: no {} among its {} messages",
            checkpoint::KIND,
            against.passed_over
        );
        Ok(against)
    }

    fn keep(&mut self, kept: Kept) {
        let i = self.kept.len();
        let record = kept.checkpoint.record.map(|r| (r.n, r.hash));
        for (n, hash) in [Some((kept.checkpoint.n, kept.checkpoint.hash)), record].into_iter().flatten() {
            self.expected.entry(n).or_default().push((i, hash));
        }
        self.kept.push(kept);
    }

    pub(super) fn record(&mut self, record: &Record) {
        if self.source.is_none() {
            let source =
                record.message().and_then(|(_, envelope)| serde_json::from_str::<Source>(envelope).ok());
            self.source = source.map(|s| s.source);
        }
        let expected = self.expected.get(&record.n).into_iter().flatten();
        let differing = expected.filter(|(_, hash)| *hash != record.hash).map(|(i, _)| (*i, record.n));
        self.differing.extend(differing);
    }

    /// `keys`: those that signed the journal's own checkpoints.
    pub(super) fn compare(&self, keys: &BTreeSet<String>, first_n: u64, last_n: u64) -> Comparison {
        let mut comparison = Comparison::default();
        for (i, kept) in self.kept.iter().enumerate() {
            let (name, checkpoint) = (kept.name(), &kept.checkpoint);
            if self.source.as_ref().is_some_and(|source| *source != checkpoint.source) {
                comparison.of_others += 1;
            } else if checkpoint.verify(None).is_err() {
                comparison.doubts.push(format!("{name} is not as it was signed: it proves nothing"));
            } else if checkpoint.n < first_n {
                comparison.before_the_first += 1;
            } else if let Some(late) = furthest(checkpoint).filter(|n| *n > last_n) {
                comparison.differences.push(format!(
                    "{name} speaks of record {late}; this journal ends with {last_n}: its end is missing, or this is an older copy"
                ));
            } else if let Some((_, n)) = self.differing.iter().find(|(own, _)| *own == i) {
                comparison.differences.push(format!("{name}: record {n} is not the one that it speaks of"));
            } else {
                comparison.agreeing += 1;
                if !keys.contains(&checkpoint.key.to_string()) {
                    comparison
                        .doubts
                        .push(format!("{name} is signed by {}, the journal is not", checkpoint.key));
                }
            }
        }
        if comparison.of_others == self.kept.len() as u64 {
            comparison.doubts.push("none of the centre's checkpoints is of this box".to_owned());
        }
        comparison
    }
}

/// The highest record number that a checkpoint names.
fn furthest(checkpoint: &Checkpoint) -> Option<u64> {
    checkpoint.record.map(|r| r.n).max(Some(checkpoint.n))
}
