//! The store on the box: sled 0.34.7 behind guards for what it does not do itself.
//!
//! `flush()` is no fsync, so its file is synced too; all that it makes is synced by name once after creation (`syncfs` would wait
//! for whatever else is being written to that disk); a value carries its own checksum because a flipped bit is dropped
//! without a word; opening has a time limit because it can hang; every call is guarded because it panics where the disk fails, even on closing; an index that is in doubt is moved
//! aside, never repaired.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use kerbside_domain::panics;

use super::store::{IndexChange, IndexError, Store, Table};
use crate::tuning::INDEX_CACHE_BYTES;

const CHECKSUM_LEN: usize = 8;

pub struct SledStore {
    path: PathBuf,
    /// `None` only while it is dropped.
    db: Option<sled::Db>,
    /// sled's log file, synced after each flush.
    log: File,
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SledStore({})", self.path.display())
    }
}

/// An index that is open, and what happened on the way.
#[derive(Debug)]
pub struct OpenedIndex {
    pub store: SledStore,
    /// Where the old index was moved to, and why; the new one is empty.
    pub set_aside: Option<(PathBuf, String)>,
}

impl SledStore {
    /// Opens the index at `path`. If it does not open within `limit`, or not at all, it is moved aside and a new
    /// one is made; an error means that no new one could be made either.
    pub fn open(path: &Path, limit: Duration) -> Result<OpenedIndex, IndexError> {
        let reason = match Self::open_within(path, limit) {
            Ok(store) => return Ok(OpenedIndex { store, set_aside: None }),
            Err(e) => e.to_string(),
        };
        let aside = Self::set_aside(path)?;
        let store = Self::open_within(path, limit)?;
        Ok(OpenedIndex { store, set_aside: Some((aside, reason)) })
    }

    /// Moves the index at `path` aside and makes an empty one: for whoever finds that it does not fit the journal.
    pub fn replace(self, limit: Duration) -> Result<(SledStore, PathBuf), IndexError> {
        let path = self.path.clone();
        drop(self);
        let aside = Self::set_aside(&path)?;
        Ok((Self::open_within(&path, limit)?, aside))
    }

    /// The newest doubtful index is kept for who wants to look; older ones go.
    fn set_aside(path: &Path) -> Result<PathBuf, IndexError> {
        let aside = path.with_extension("doubtful");
        let failed =
            |what, e: std::io::Error| IndexError::Failed { what, path: path.into(), reason: e.to_string() };
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(|e| failed("remove the older doubtful index", e))?;
        }
        if path.exists() {
            fs::rename(path, &aside).map_err(|e| failed("move aside", e))?;
        }
        Ok(aside)
    }

    fn open_within(path: &Path, limit: Duration) -> Result<SledStore, IndexError> {
        let failed = |what, reason: String| IndexError::Failed { what, path: path.into(), reason };
        let new = !path.exists();
        let (done, opened) = mpsc::sync_channel(1);
        let config = sled::Config::new()
            .path(path)
            .mode(sled::Mode::LowSpace)
            .cache_capacity(INDEX_CACHE_BYTES)
            .flush_every_ms(None);
        let db_file = path.join("db");
        // On its own thread, because it may hang, or panic, on a damaged file. Left behind if it does.
        std::thread::Builder::new()
            .name("index-open".into())
            .spawn(move || {
                wait_until_free(&db_file);
                // After a panic nothing is sent, and whoever waits knows.
                if let Ok(opened) = panics::contained(|| config.open()) {
                    drop(done.send(opened));
                }
            })
            .map_err(|e| failed("start the opening thread", e.to_string()))?;
        let db = match opened.recv_timeout(limit) {
            Ok(db) => db.map_err(|e| failed("open", e.to_string()))?,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(failed("open", format!("still opening after {} s", limit.as_secs())));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(failed("open", "sled panicked".into())),
        };
        let log = File::open(path.join("db")).map_err(|e| failed("open the log of", e.to_string()))?;
        let mut store = SledStore { path: path.into(), db: Some(db), log };
        if new {
            store.sync()?;
            let parent = path.parent().unwrap_or(Path::new("."));
            let synced = sync_all_below(path).and_then(|()| File::open(parent)?.sync_all());
            synced.map_err(|e| failed("sync the folder of", e.to_string()))?;
        }
        Ok(store)
    }

    fn failed(&self, what: &'static str, reason: impl std::fmt::Display) -> IndexError {
        IndexError::Failed { what, path: self.path.clone(), reason: reason.to_string() }
    }

    /// Calls sled; a panic of its own (a disk that fails, a damaged page) is an error like any other.
    fn guarded<T>(
        &self,
        what: &'static str,
        call: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, IndexError> {
        let db = self.db.as_ref().ok_or_else(|| self.failed(what, "it is closed"))?;
        match panics::contained(|| call(db)) {
            Ok(done) => done.map_err(|e| self.failed(what, e)),
            Err(_) => Err(self.failed(what, "sled panicked")),
        }
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        let db = self.db.take();
        // On a disk that fails sled panics while it closes its log. What was synced is synced; the rest is the journal's.
        if panics::contained(|| drop(db)).is_err() {
            tracing::warn!(path = %self.path.display(), "the index could not be closed in order");
        }
    }
}

/// One of sled's threads may hold the log, and its lock, for a moment after the last handle is dropped; `open` does not
/// wait for it and would call the index unusable.
fn wait_until_free(log: &Path) {
    if let Ok(file) = File::open(log) {
        // Freed with the file. A lock that cannot be had at all is for `open` to report.
        let _ = rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive);
    }
}

/// Files first, then the folder that names them.
fn sync_all_below(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all_below(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}

fn checksum(key: &[u8], value: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut out = [0; CHECKSUM_LEN];
    out.iter_mut().zip(kerbside_crypto::hash::of_parts([key, value])).for_each(|(o, d)| *o = d);
    out
}

impl Store for SledStore {
    fn scan(&self, table: Table) -> Result<Vec<(Vec<u8>, Vec<u8>)>, IndexError> {
        let all =
            self.guarded("read", |db| db.scan_prefix([table.tag()]).collect::<sled::Result<Vec<_>>>())?;
        let mut pairs = Vec::with_capacity(all.len());
        for (key, sealed) in all {
            let corrupt = || IndexError::Corrupt { path: self.path.clone(), table };
            let (sum, value) = sealed.split_at_checked(CHECKSUM_LEN).ok_or_else(corrupt)?;
            if checksum(&key, value) != sum {
                return Err(corrupt());
            }
            pairs.push((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()));
        }
        Ok(pairs)
    }

    fn apply(&mut self, changes: &[IndexChange]) -> Result<(), IndexError> {
        let mut batch = sled::Batch::default();
        for change in changes {
            let mut key = vec![change.table.tag()];
            key.extend_from_slice(&change.key);
            match &change.value {
                Some(value) => {
                    let mut sealed = checksum(&key, value).to_vec();
                    sealed.extend_from_slice(value);
                    batch.insert(key, sealed);
                }
                None => batch.remove(key),
            }
        }
        self.guarded("write", |db| db.apply_batch(batch))
    }

    fn sync(&mut self) -> Result<(), IndexError> {
        self.guarded("flush", |db| db.flush())?;
        self.log.sync_data().map_err(|e| self.failed("sync", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn put(key: &str, value: &str) -> IndexChange {
        IndexChange { table: Table::Rows, key: key.into(), value: Some(value.into()) }
    }

    #[test]
    fn what_was_synced_is_there_again_and_tables_do_not_mix() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let mut store = SledStore::open(&path, LIMIT).unwrap().store;
        let other = IndexChange { table: Table::Meta, key: b"b".to_vec(), value: Some(b"m".to_vec()) };
        store.apply(&[put("b", "2"), put("a", "1"), other]).unwrap();
        store
            .apply(&[IndexChange { table: Table::Rows, key: b"b".to_vec(), value: None }, put("c", "3")])
            .unwrap();
        store.sync().unwrap();
        drop(store);
        let opened = SledStore::open(&path, LIMIT).unwrap();
        assert!(opened.set_aside.is_none());
        let pairs = opened.store.scan(Table::Rows).unwrap();
        assert_eq!(pairs, [(b"a".to_vec(), b"1".to_vec()), (b"c".to_vec(), b"3".to_vec())]);
    }

    #[test]
    fn a_lock_that_is_still_held_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let mut store = SledStore::open(&path, LIMIT).unwrap().store;
        store.apply(&[put("a", "1")]).unwrap();
        store.sync().unwrap();
        drop(store);
        let held = File::open(path.join("db")).unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let ours = format!(" {} ", std::process::id());
        let someone_waits = || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            locks.lines().any(|l| l.contains("->") && l.contains(&ours))
        };
        let opening = std::thread::spawn(move || SledStore::open(&path, LIMIT).unwrap());
        while !opening.is_finished() && !someone_waits() {
            std::thread::yield_now();
        }
        drop(held);
        let opened = opening.join().unwrap();
        assert!(opened.set_aside.is_none(), "{opened:?}");
        assert_eq!(opened.store.scan(Table::Rows).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_index_is_moved_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("conf"), b"no configuration of sled's").unwrap();
        let opened = SledStore::open(&path, LIMIT).unwrap();
        let (aside, reason) = opened.set_aside.unwrap();
        assert!(aside.join("conf").exists(), "{reason}");
        assert!(opened.store.scan(Table::Rows).unwrap().is_empty());
    }

    #[test]
    fn a_panic_of_sled_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let opened = SledStore::open(&dir.path().join("index"), LIMIT).unwrap();
        let failed = opened.store.guarded::<()>("read", |_| panic!("a damaged page"));
        assert!(failed.unwrap_err().to_string().contains("sled panicked"));
    }

    #[test]
    fn a_value_that_was_not_written_by_us_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let opened = SledStore::open(&dir.path().join("index"), LIMIT).unwrap();
        opened.store.guarded("write", |db| db.insert(b"rkey", b"12345678value".as_slice())).unwrap();
        assert!(matches!(opened.store.scan(Table::Rows), Err(IndexError::Corrupt { .. })));
    }
}
