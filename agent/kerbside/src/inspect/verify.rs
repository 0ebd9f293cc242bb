//! `journal verify`: every record, the chain, the numbers and the signed checkpoints; what is wrong, in which file and where.

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use kerbside_crypto::hash::Hash;
use kerbside_crypto::sign::{PublicKey, SigningKey};
use kerbside_trace::journal::Record;
use kerbside_trace::journal::audit::{self, Audit, Finding};
use kerbside_trace::journal::scan::Fault;
use kerbside_wire::checkpoint::Checkpoint;

/// Hashes of so many records before a checkpoint are remembered: it speaks of the one just before it.
const REMEMBERED: usize = 64;

#[derive(Serialize)]
struct Outcome<'a> {
    whole: bool,
    #[serde(flatten)]
    audit: &'a Audit,
    checkpoints: &'a Checkpoints,
}

/// What the signed checkpoints say.
#[derive(Debug, Default, Serialize)]
struct Checkpoints {
    good: u64,
    /// The newest record that a good one covers.
    covers_n: u64,
    /// Record number of the checkpoint, and what is wrong with it.
    bad: Vec<(u64, String)>,
    /// Whose signature was required; none: each checkpoint's own key.
    key: Option<String>,
}

/// True: nothing that was acknowledged is missing or changed, and every checkpoint holds.
pub(super) fn run(dir: &Path, key: Option<&str>, json: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    let folder = super::segments::folder(dir)?;
    let key = match key {
        Some(text) => Some(PublicKey::parse(text).context("--key: ed25519: and 64 hex digits are expected")?),
        None => boxes_own(dir),
    };
    let mut checkpoints = Checkpoints { key: key.map(|k| k.to_string()), ..Checkpoints::default() };
    let mut recent = VecDeque::new();
    let audit = audit::read(&folder, &mut |record, _| {
        checkpoints.check(record, &recent, key);
        recent.push_back((record.n, record.hash));
        if recent.len() > REMEMBERED {
            recent.pop_front();
        }
    })?;
    let whole = audit.is_whole() && checkpoints.bad.is_empty();
    if json {
        let outcome = Outcome { whole, audit: &audit, checkpoints: &checkpoints };
        writeln!(out, "{}", serde_json::to_string(&outcome)?)?;
    } else {
        print(&folder, &audit, &checkpoints, whole, out)?;
    }
    Ok(whole)
}

/// On the box itself its key lies beside the journal.
fn boxes_own(dir: &Path) -> Option<PublicKey> {
    let beside = [
        dir.join(kerbside_trace::delivery::KEY_FILE),
        dir.join("..").join(kerbside_trace::delivery::KEY_FILE),
    ];
    beside.iter().find_map(|path| SigningKey::read(path).ok()).map(|key| key.public())
}

impl Checkpoints {
    fn check(&mut self, record: &Record, recent: &VecDeque<(u64, Hash)>, key: Option<PublicKey>) {
        let Some((head, envelope)) = record.message() else { return };
        if head.kind != kerbside_wire::checkpoint::KIND {
            return;
        }
        let judged = Checkpoint::read(envelope).map_err(|e| e.to_string()).and_then(|checkpoint| {
            checkpoint.verify(key).map_err(|e| e.to_string())?;
            match recent.iter().find(|(n, _)| *n == checkpoint.n) {
                Some((_, hash)) if *hash == checkpoint.hash => Ok(checkpoint.n),
                Some(_) => Err(format!("record {} is not the one that was signed", checkpoint.n)),
                None => Err(format!("record {}, which was signed, is not here", checkpoint.n)),
            }
        });
        match judged {
            Ok(n) => {
                self.good += 1;
                self.covers_n = n;
            }
            Err(why) => self.bad.push((record.n, why)),
        }
    }
}

fn print(
    folder: &Path,
    audit: &Audit,
    checkpoints: &Checkpoints,
    whole: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    for finding in &audit.findings {
        writeln!(out, "{}", line(finding))?;
    }
    if audit.findings_left_out > 0 {
        writeln!(out, "... and {} more", audit.findings_left_out)?;
    }
    for (n, why) in &checkpoints.bad {
        writeln!(out, "checkpoint in record {n}: {why}")?;
    }
    let Audit { segments, records, first_n, last_n, last_hash, damage, .. } = audit;
    writeln!(
        out,
        "{}: {records} records in {segments} segments, numbers {first_n} to {last_n}, {} bytes\n\
         last hash {last_hash}",
        folder.display(),
        audit.bytes
    )?;
    let key = checkpoints.key.as_deref().unwrap_or("the keys that they name themselves: pass --key");
    writeln!(
        out,
        "{} signed checkpoints, up to record {}, checked against {key}",
        checkpoints.good, checkpoints.covers_n
    )?;
    if audit.set_aside > 0 {
        writeln!(out, "{} files set aside after failed writes (*.abandoned)", audit.set_aside)?;
    }
    if whole {
        writeln!(out, "whole: every record is as it was written, none is missing")?;
    } else {
        writeln!(
            out,
            "DAMAGED: {} missing, {} unreadable, {} not in the chain, {} bad checkpoints",
            damage.missing_count(),
            damage.bad,
            damage.broken_links,
            checkpoints.bad.len()
        )?;
    }
    Ok(())
}

fn line(finding: &Finding) -> String {
    let file = &finding.file;
    match finding.fault {
        Fault::Bad { offset, bytes } => format!("{file}:{offset}: {bytes} bytes are no record"),
        Fault::Missing { offset, from, to } if from == to => {
            format!("{file}:{offset}: record {from} is missing")
        }
        Fault::Missing { offset, from, to } => format!("{file}:{offset}: records {from} to {to} are missing"),
        Fault::BrokenLink { offset, n } => {
            format!(
                "{file}:{offset}: record {n} does not follow from the one before: it was not written by the box here"
            )
        }
        Fault::Torn { offset, bytes } => {
            format!("{file}:{offset}: {bytes} bytes of a line that was being written (never acknowledged)")
        }
        Fault::Abandoned { offset, n } => {
            format!("{file}:{offset}: record {n} of a write that failed; its number was used again")
        }
    }
}
