//! A forger for tests: somebody with the program, with the journal, and without the box's key.

use std::path::{Path, PathBuf};

use kerbside_crypto::hash::Hash;

use crate::journal::record::{self, Record, Stamp};

/// What the forger does with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forged {
    Kept,
    Body(String),
    LeftOut,
}

/// The segment files of a journal's folder, oldest first.
pub fn segments(journal: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut all = std::fs::read_dir(journal)?.map(|e| Ok(e?.path())).collect::<std::io::Result<Vec<_>>>()?;
    all.retain(|path| path.extension().is_some_and(|e| e == "journal"));
    all.sort();
    Ok(all)
}

/// All records of a journal's folder that read as they were written.
pub fn records(journal: &Path) -> std::io::Result<Vec<Record>> {
    let mut all = Vec::new();
    for path in segments(journal)? {
        let text = std::fs::read(path)?;
        all.extend(text.split(|b| *b == b'\n').filter_map(record::open));
    }
    Ok(all)
}

/// Writes a journal anew: every record is numbered, chained and sealed again, so that nothing in itself is wrong.
pub fn forge(journal: &Path, mut change: impl FnMut(&Record) -> Forged) -> std::io::Result<()> {
    let mut end: Option<(u64, Hash)> = None;
    for path in segments(journal)? {
        let text = std::fs::read(&path)?;
        let mut out = Vec::new();
        let mut first = None;
        for record in text.split(|b| *b == b'\n').filter_map(record::open) {
            let body = match change(&record) {
                Forged::LeftOut => continue,
                Forged::Kept => record.body.clone(),
                Forged::Body(body) => body,
            };
            let (n, prev) = end.map_or((record.n, record.prev), |(n, hash)| (n + 1, hash));
            let stamp = Stamp { n, prev, boot: &record.boot, at: record.at, utc_offset_s: 8 * 3600 };
            end = Some((n, record::seal(&mut out, &stamp, record.kind.as_str(), &body)));
            first = first.or(Some(n));
        }
        std::fs::remove_file(&path)?;
        if let Some(first) = first {
            std::fs::write(path.with_file_name(format!("{first:020}.journal")), out)?;
        }
    }
    Ok(())
}
