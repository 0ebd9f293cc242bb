//! Audit: reads a whole journal without touching it, also a live box's, and says of every fault in which file and where.
//!
//! It takes no lock and writes nothing. The line that a live box is just writing shows as torn, which is no fault of the
//! journal: it was never acknowledged.

use std::fs;
use std::path::{Path, PathBuf};

use kerbside_crypto::hash::Hash;
use serde::Serialize;

use super::error::{JournalError, io};
use super::record::Record;
use super::scan::{self, Damage, Fault, Tip};
use super::segment::{Segment, list};

/// One fault, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the segment file.
    pub file: String,
    #[serde(flatten)]
    pub fault: Fault,
}

/// What reading everything came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Audit {
    pub segments: usize,
    pub bytes: u64,
    pub records: u64,
    /// First and last number that is there. What lies before the first was dropped after its retention.
    pub first_n: u64,
    pub last_n: u64,
    pub last_hash: Hash,
    pub damage: Damage,
    pub findings: Vec<Finding>,
    /// Findings beyond [`MAX_FINDINGS`] are only counted, in `damage`.
    pub findings_left_out: u64,
    /// Files of failed attempts, set aside by the box.
    pub set_aside: usize,
}

/// Findings named one by one.
pub const MAX_FINDINGS: usize = 10_000;

impl Audit {
    /// Nothing that was acknowledged is missing or changed.
    pub fn is_whole(&self) -> bool {
        self.damage.bad == 0 && self.damage.missing.is_empty() && self.damage.broken_links == 0
    }

    fn find(&mut self, file: &str, fault: Fault) {
        self.damage.count(fault);
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { file: file.to_owned(), fault });
        } else {
            self.findings_left_out += 1;
        }
    }
}

/// The folder of the segments: `dir` itself, or `journal` in it (a box's data folder).
pub fn folder(dir: &Path) -> PathBuf {
    let inside = dir.join("journal");
    if inside.is_dir() { inside } else { dir.to_owned() }
}

/// Reads all segments in `dir`, oldest first. `each` gets every good record, with the text of its line.
pub fn read(dir: &Path, each: &mut dyn FnMut(&Record, &str)) -> Result<Audit, JournalError> {
    let segments = list(dir)?;
    let mut audit = Audit { set_aside: set_aside(dir), ..Audit::default() };
    let mut tip = Tip::default();
    for (i, segment) in segments.iter().enumerate() {
        let bytes = match fs::read(&segment.path) {
            Ok(bytes) => bytes,
            // A live box drops its oldest segments when their time has come.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && audit.segments == 0 => continue,
            Err(e) => return Err(io("read", &segment.path)(e)),
        };
        if audit.segments == 0 {
            tip.n = segment.first - 1;
            audit.first_n = segment.first;
        }
        audit.segments += 1;
        audit.bytes += bytes.len() as u64;
        one(segment, &bytes, segments.get(i + 1).map(|s| s.first), &mut tip, &mut audit, each);
    }
    audit.last_n = tip.n;
    audit.last_hash = tip.hash.unwrap_or_default();
    Ok(audit)
}

fn one(
    segment: &Segment,
    bytes: &[u8],
    until: Option<u64>,
    tip: &mut Tip,
    audit: &mut Audit,
    each: &mut dyn FnMut(&Record, &str),
) {
    let file = segment.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut faults = Vec::new();
    let mut records = 0;
    scan::read(bytes, tip, until, &mut |fault| faults.push(fault), &mut |record, offset, len| {
        records += 1;
        let line = bytes.get(offset as usize..offset as usize + len as usize).unwrap_or_default();
        each(&record, std::str::from_utf8(line).unwrap_or_default().trim_end());
    });
    audit.records += records;
    // Numbers lost at the end of a segment show only against the name of the next.
    if let Some(end) = until.filter(|end| tip.n + 1 < *end) {
        faults.push(Fault::Missing { offset: bytes.len() as u64, from: tip.n + 1, to: end - 1 });
        *tip = Tip { n: end - 1, hash: None };
    }
    faults.into_iter().for_each(|fault| audit.find(&file, fault));
}

fn set_aside(dir: &Path) -> usize {
    let files = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    files.filter(|f| f.path().extension().is_some_and(|e| e == "abandoned")).count()
}
