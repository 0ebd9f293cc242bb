//! The disk returns something else than was written: bits, sectors, lengths, garbage, in the journal and in its index.
//!
//! Never silent: whatever of the journal cannot be read is named by its number, and all else is there. The index is no truth:
//! its damage may cost nothing at all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use kerbside_crypto::hash::Hash;
use kerbside_testkit::wait::now;
use kerbside_trace::delivery::{Ledger, SavedIncident, StoredInput};
use kerbside_trace::journal::{Damage, Journal, JournalSettings, scan};

use super::promise::{Promise, outbox};
use super::row::{Row, Scale};
use super::writer::{self, Writer};

/// One record of the store before it was damaged.
#[derive(Clone, Debug)]
struct Known {
    file: PathBuf,
    bytes: Range<usize>,
    hash: Hash,
    /// CloudEvents id, if it is a message.
    id: Option<String>,
}

/// A store and all that it holds.
struct Template {
    dir: tempfile::TempDir,
    records: BTreeMap<u64, Known>,
    /// What waits in its outbox.
    waiting: BTreeSet<String>,
    /// What it knows besides: incidents with their versions, and what the core has not taken.
    rest: Rest,
}

type Rest = (Vec<SavedIncident>, Vec<StoredInput>);

/// What was done to a file.
struct Damaged {
    file: PathBuf,
    what: String,
    /// Bytes that are not what was written.
    bytes: Range<usize>,
}

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let template = Template::make()?;
    let cases = scale.pick(20, 100);
    let journal = |f: &Path| f.parent().is_some_and(|p| p.ends_with("journal"));
    Ok(vec![
        damaged("damaged journal", &template, cases, true, journal)?,
        damaged("damaged index", &template, cases, false, |f| !journal(f) && !f.ends_with("lock"))?,
    ])
}

fn damaged(
    name: &str,
    template: &Template,
    cases: u64,
    truth: bool,
    which: impl Fn(&Path) -> bool,
) -> Result<Row> {
    let mut row = Row::new(name, "flipped bit, zeroed sector, truncated, garbage");
    let (mut missing, mut doubts) = (0, 0);
    for case in 0..cases {
        let mut rng = fastrand::Rng::with_seed(0xDA3A_0000 + case);
        let dir = tempfile::tempdir()?;
        copy(template.dir.path(), dir.path())?;
        let files: Vec<PathBuf> = files(dir.path())?.into_iter().filter(|f| which(f)).collect();
        let file = files.get(rng.usize(..files.len().max(1))).context("no file to damage")?;
        let damaged = damage_file(file, &mut rng)?;
        let begun = now();
        let (mut ledger, recovery) = writer::open(dir.path())
            .with_context(|| format!("case {case}, {}: it does not open", damaged.what))?;
        row.took(begun.elapsed().as_secs_f64());
        row.trials += 1;
        doubts += u64::from(recovery.index_doubt.is_some() || recovery.rebuilt);
        let rest = (ledger.incidents(), ledger.inputs());
        row.must(rest == template.rest, || {
            format!("case {case}, {}: incidents or receipts differ ({recovery:?})", damaged.what)
        });
        let sent: BTreeSet<String> = outbox(&mut ledger)?.into_keys().collect();
        let reported = reported_missing(dir.path(), ledger, &recovery.damage, template)?;
        let describe = |text: String| format!("case {case}, {}: {text} ({recovery:?})", damaged.what);
        for id in template.waiting.difference(&sent) {
            let n = template.number(id);
            if !n.is_some_and(|n| reported.contains(&n)) {
                row.lost += 1;
                eprintln!("{}", describe(format!("message {id} (record {n:?}) is gone without a word")));
            }
        }
        for n in &reported {
            let touched =
                template.records.get(n).is_some_and(|k| damaged.touches(k, dir.path(), template.dir.path()));
            row.must(truth && touched, || {
                describe(format!("record {n} is called missing but was not damaged"))
            });
        }
        missing += reported.len();
    }
    row.figures = format!("{missing} records missing, each named; index rebuilt {doubts} times");
    row.judge(Some(60.0));
    Ok(row)
}

/// Numbers that the store, or `kerbside journal verify`, calls missing; every other record must read as it was written.
fn reported_missing(
    dir: &Path,
    ledger: Ledger,
    damage: &Damage,
    template: &Template,
) -> Result<BTreeSet<u64>> {
    drop(ledger);
    let settings = JournalSettings {
        segment_bytes: 1 << 20,
        syncs: Default::default(),
        utc_offset_s: 0,
        boot: "VERIFY".into(),
    };
    let (journal, at_tip) = Journal::open(&dir.join("journal"), settings, writer::clock(), None)?;
    let mut read = BTreeMap::new();
    let verified = journal.replay(1, &mut |record, _| {
        read.insert(record.n, record.hash);
    })?;
    let ranges = [&damage.missing, &verified.missing, &at_tip.missing];
    let reported: BTreeSet<u64> = ranges.into_iter().flatten().flat_map(|(a, b)| *a..=*b).collect();
    for (n, known) in &template.records {
        ensure!(
            reported.contains(n) || read.get(n) == Some(&known.hash),
            "record {n} is neither there nor called missing"
        );
    }
    Ok(reported)
}

impl Template {
    fn make() -> Result<Template> {
        let dir = tempfile::tempdir()?;
        let (mut ledger, _) = writer::open(dir.path())?;
        let mut promise = Promise::default();
        Writer::new(3, 0).fill(&mut ledger, &mut promise, 350)?;
        ledger.close()?;
        drop(ledger);
        let mut template =
            Template { dir, records: BTreeMap::new(), waiting: BTreeSet::new(), rest: Rest::default() };
        template.read_records()?;
        // Looked at in a copy: looking writes births and PUBACKs.
        let copy_dir = tempfile::tempdir()?;
        copy(template.dir.path(), copy_dir.path())?;
        let (mut ledger, _) = writer::open(copy_dir.path())?;
        template.rest = (ledger.incidents(), ledger.inputs());
        template.waiting = outbox(&mut ledger)?.into_keys().collect();
        ensure!(template.waiting.len() > 300, "the template is too small");
        Ok(template)
    }

    fn read_records(&mut self) -> Result<()> {
        let mut segments = files(&self.dir.path().join("journal"))?;
        segments.sort();
        let (mut tip, mut damage) = (scan::Tip::default(), Damage::default());
        for file in segments {
            let bytes = std::fs::read(&file)?;
            scan::segment(&bytes, &mut tip, None, &mut damage, &mut |record, offset, len| {
                let id = record.message().map(|(head, _)| head.id);
                let bytes = offset as usize..offset as usize + len as usize;
                self.records.insert(record.n, Known { file: file.clone(), bytes, hash: record.hash, id });
            });
        }
        ensure!(damage.is_none(), "the template is damaged: {damage:?}");
        Ok(())
    }

    fn number(&self, id: &str) -> Option<u64> {
        self.records.iter().find(|(_, k)| k.id.as_deref() == Some(id)).map(|(n, _)| *n)
    }
}

impl Damaged {
    fn touches(&self, known: &Known, damaged_dir: &Path, dir: &Path) -> bool {
        let same = self.file.strip_prefix(damaged_dir).ok() == known.file.strip_prefix(dir).ok();
        // A hit on the line feed before a record may cost the record too.
        let wide = known.bytes.start.saturating_sub(1)..known.bytes.end + 1;
        same && self.bytes.start < wide.end && wide.start < self.bytes.end
    }
}

fn damage_file(file: &Path, rng: &mut fastrand::Rng) -> Result<Damaged> {
    let mut bytes = std::fs::read(file)?;
    let len = bytes.len();
    ensure!(len > 0, "{} is empty", file.display());
    let at = rng.usize(..len);
    let (what, range) = match rng.u8(..5) {
        0 | 1 => {
            bytes[at] ^= 1 << rng.u8(..8);
            ("one bit flipped", at..at + 1)
        }
        2 => {
            let sector = at / 512 * 512;
            let end = (sector + 512).min(len);
            bytes[sector..end].fill(0);
            ("one sector zeroed", sector..end)
        }
        3 => {
            bytes.truncate(at);
            ("truncated", at..len)
        }
        _ => {
            let end = (at + rng.usize(1..5000)).min(len);
            bytes[at..end].iter_mut().for_each(|b| *b = rng.u8(..));
            ("garbage", at..end)
        }
    };
    std::fs::write(file, bytes)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Damaged { file: file.to_owned(), what: format!("{what} in {name} at {range:?}"), bytes: range })
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.metadata()?.len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

pub fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
