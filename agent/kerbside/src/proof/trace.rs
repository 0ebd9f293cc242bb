//! The excerpt of the journal that goes with a manifest: the record that names it, and all up to the checkpoint that covers it. So
//! the manifest stood in the journal when that was signed, and the centre, which keeps the checkpoints, can say the same.

use std::collections::BTreeMap;

use kerbside_domain::evidence::EvidenceRole;
use kerbside_trace::journal::Record;
use kerbside_trace::journal::record;
use kerbside_wire::checkpoint::{self, Checkpoint};
use kerbside_wire::evidence::MANIFEST_KIND;
use serde::{Deserialize, Serialize};

use super::names::MANIFEST_SUFFIX;
use crate::evidence::Seal;

/// Longest excerpt, bytes: a box signs within a minute after it named evidence.
const LONGEST: usize = 16 << 20;

/// The excerpt of `r1-manifest.json` is `r1-manifest.trace.jsonl`.
pub(super) fn name_of(manifest: &str) -> String {
    format!("{}.trace.jsonl", manifest.trim_end_matches(".json"))
}

/// The manifest of an excerpt, by its name.
pub(super) fn manifest_of(name: &str) -> Option<String> {
    let manifest = format!("{}.json", name.strip_suffix(".trace.jsonl")?);
    manifest.ends_with(MANIFEST_SUFFIX).then_some(manifest)
}

/// Where the journal holds a manifest, and which checkpoint vouches for that.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Covered {
    /// The record that names the manifest.
    pub(super) record: u64,
    /// Of the checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u64>,
    pub(super) n: u64,
    pub(super) hash: String,
    pub(super) signed_at: String,
}

#[derive(Deserialize)]
struct Named {
    data: NamedData,
}

#[derive(Deserialize)]
struct NamedData {
    files: Vec<NamedFile>,
}

#[derive(Deserialize)]
struct NamedFile {
    role: EvidenceRole,
    path: String,
    sha256: String,
}

/// The manifests that a record names, with their SHA-256.
fn manifests(record: &Record) -> Vec<NamedFile> {
    let named =
        record.message().filter(|(head, _)| head.kind.strip_prefix("kerbside.") == Some(MANIFEST_KIND));
    let named = named.and_then(|(_, envelope)| serde_json::from_str::<Named>(envelope).ok());
    let files = named.map(|named| named.data.files).unwrap_or_default();
    files.into_iter().filter(|f| f.role == EvidenceRole::Manifest).collect()
}

fn checkpoint(record: &Record) -> Option<Checkpoint> {
    let (head, envelope) = record.message()?;
    (head.kind == checkpoint::KIND).then(|| Checkpoint::read(envelope).ok()).flatten()
}

/// Gathers the excerpts of some manifests while a journal is read.
#[derive(Debug, Default)]
pub(super) struct Excerpts {
    /// By path below the evidence folder: the SHA-256 that the manifest has today.
    wanted: BTreeMap<String, String>,
    open: BTreeMap<String, (u64, String)>,
    done: BTreeMap<String, String>,
}

impl Excerpts {
    pub(super) fn of(wanted: BTreeMap<String, String>) -> Excerpts {
        Excerpts { wanted, ..Excerpts::default() }
    }

    pub(super) fn record(&mut self, record: &Record, line: &str) {
        for named in manifests(record) {
            if self.wanted.get(&named.path) == Some(&named.sha256) && !self.done.contains_key(&named.path) {
                self.open.insert(named.path, (record.n, String::new()));
            }
        }
        if self.open.is_empty() {
            return;
        }
        for (_, text) in self.open.values_mut() {
            text.push_str(line);
            text.push('\n');
        }
        self.open.retain(|_, (_, text)| text.len() <= LONGEST);
        let Some(checkpoint) = checkpoint(record) else { return };
        let covered: Vec<_> = self.open.extract_if(.., |_, (n, _)| *n <= checkpoint.n).collect();
        self.done.extend(covered.into_iter().map(|(path, (_, text))| (path, text)));
    }

    /// The excerpt of the manifest at this path; `None`: the journal does not name it, or no checkpoint covers it yet.
    pub(super) fn take(&mut self, path: &str) -> Option<String> {
        self.done.remove(path)
    }
}

/// Whether an excerpt shows that the manifest with this hash stood in the journal that `seal`'s key signed.
pub(super) fn check(text: &[u8], sha256: &str, seal: &Seal) -> Result<Covered, String> {
    let records: Option<Vec<Record>> =
        text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(record::open).collect();
    let records = records.ok_or("a line is no record of a journal")?;
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Err("it is empty".to_owned());
    };
    let chained = records.windows(2).all(|pair| match pair {
        [a, b] => b.n == a.n + 1 && b.prev == a.hash,
        _ => true,
    });
    if !chained {
        return Err("its records do not follow from one another".to_owned());
    }
    if !manifests(first).iter().any(|named| named.sha256 == sha256) {
        return Err(format!("record {} names another manifest", first.n));
    }
    if seal.journal.is_some_and(|position| position.n >= first.n) {
        return Err(format!("the manifest says that it is younger than record {}, which names it", first.n));
    }
    let checkpoint = checkpoint(last).ok_or("it does not end with a checkpoint")?;
    checkpoint.verify(Some(seal.key)).map_err(|e| format!("the checkpoint: {e}"))?;
    if checkpoint.source != seal.source {
        return Err(format!("the checkpoint is of {}", checkpoint.source));
    }
    let is_covered = records.iter().any(|r| r.n == checkpoint.n && r.hash == checkpoint.hash);
    if !is_covered {
        return Err("the checkpoint speaks of another record".to_owned());
    }
    Ok(Covered {
        record: first.n,
        number: checkpoint.chain.as_ref().map(|signed| signed.chain.number),
        n: checkpoint.n,
        hash: checkpoint.hash.to_string(),
        signed_at: checkpoint.time,
    })
}
