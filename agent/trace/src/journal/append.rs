//! Appending: one write and one sync for all entries of a call, all or none.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use super::entry::{Appended, Durability, Entry, RecordLocation};
use super::error::{JournalError, Result, io};
use super::kind::RecordKind;
use super::log::{Doubtful, Journal};
use super::record;
use super::segment::{self, Segment};
use crate::tuning::{DOUBTFUL_MAX, RECORD_HEAD_BYTES};

impl Journal {
    /// Appends all entries with one write and, with [`Durability::Now`], one `fdatasync`: all or none are acknowledged.
    ///
    /// After an error nothing of the call counts; the caller may try again.
    pub fn append(&mut self, entries: &[Entry], durability: Durability) -> Result<Vec<Appended>> {
        for entry in entries {
            let bytes = entry.body.len();
            let limit = record::MAX_LINE - RECORD_HEAD_BYTES;
            if !entry.kind.is_writable() || bytes > limit || entry.body.contains('\n') {
                return Err(JournalError::BadEntry { kind: entry.kind.to_string(), bytes, limit });
            }
        }
        if self.doubtful.len() >= DOUBTFUL_MAX {
            self.sync()?;
        }
        if self.segments.last().is_some_and(|s| s.len >= self.settings.segment_bytes) {
            // What is in doubt then is written again with the next sync; a report does not wait for it.
            if let Err(error) = self.sync() {
                tracing::error!(%error, "the end of a journal segment may not be on the disk; it is written again");
            }
            self.leave_tail();
        }
        let begun = if self.tail.is_none() { Some(self.begin_segment()?) } else { None };
        let first_of_segment = begun.is_some();
        if let Some((segment, file)) = begun {
            self.segments.push(segment);
            self.tail = Some(file);
        }
        match self.write(entries, first_of_segment, durability) {
            Ok(appended) => Ok(appended),
            Err(e) => {
                self.give_up(first_of_segment);
                Err(e)
            }
        }
    }

    fn begin_segment(&self) -> Result<(Segment, File)> {
        let path = segment::path(&self.dir, self.next_n);
        // A file of this name can only be left from an attempt whose error was returned, or be damaged whole.
        if path.exists() {
            let aside = path.with_extension("abandoned");
            fs::rename(&path, &aside).map_err(io("set aside", &path))?;
        }
        let file =
            OpenOptions::new().append(true).create_new(true).open(&path).map_err(io("create", &path))?;
        Ok((Segment { first: self.next_n, path, len: 0, ended: None }, file))
    }

    fn write(&mut self, entries: &[Entry], head: bool, durability: Durability) -> Result<Vec<Appended>> {
        let at = self.clock.now();
        let (Some(segment), Some(file)) = (self.segments.last_mut(), self.tail.as_mut()) else {
            return Ok(Vec::new());
        };
        let mut n = self.next_n;
        let mut prev = self.prev;
        let mut appended = Vec::with_capacity(entries.len());
        self.scratch.clear();
        let counters = Entry::new(RecordKind::Segment, self.counters.clone());
        for entry in head.then_some(&counters).into_iter().chain(entries) {
            let start = self.scratch.len();
            let stamp = record::Stamp {
                n,
                prev,
                boot: &self.settings.boot,
                at,
                utc_offset_s: self.settings.utc_offset_s,
            };
            let hash = record::seal(&mut self.scratch, &stamp, entry.kind.as_str(), &entry.body);
            let location = RecordLocation {
                segment: segment.first,
                offset: segment.len + start as u64,
                len: (self.scratch.len() - start) as u32,
            };
            appended.push(Appended { n, prev, hash, location });
            prev = hash;
            n += 1;
        }
        file.write_all(&self.scratch).map_err(io("write", &segment.path))?;
        let is_synced = durability == Durability::Now || head;
        if is_synced {
            (self.settings.syncs.file)(file).map_err(io("sync", &segment.path))?;
        }
        if head {
            let folder = File::open(&self.dir);
            folder
                .and_then(|folder| (self.settings.syncs.folder)(&folder))
                .map_err(io("sync the folder", &self.dir))?;
            appended.remove(0);
        }
        if is_synced {
            self.unsynced.clear();
            self.synced_n = n - 1;
        } else {
            self.unsynced.extend_from_slice(&self.scratch);
        }
        segment.len += self.scratch.len() as u64;
        self.next_n = n;
        self.prev = prev;
        Ok(appended)
    }

    /// After a failed write: cut back what may have landed, and never trust this file's tail again.
    fn give_up(&mut self, first_of_segment: bool) {
        let file = self.tail.take();
        if first_of_segment {
            if let Some(segment) = self.segments.pop() {
                // Fails on a failing disk; `begin_segment` then sets the file aside.
                let _ = fs::remove_file(&segment.path);
            }
        } else if let (Some(segment), Some(file)) = (self.segments.last(), file) {
            let (path, is_cut) = (segment.path.clone(), file.set_len(segment.len).is_ok());
            self.doubt();
            // If this fails too, the next segment's name says where the truth goes on (`Damage::abandoned`).
            if is_cut && (self.settings.syncs.file)(&file).is_ok() {
                self.tail = OpenOptions::new().append(true).open(&path).ok();
            }
        }
    }

    /// The last segment is not written any more. What of it is not synced is in doubt: the syncs that follow are about another
    /// file.
    fn leave_tail(&mut self) {
        self.doubt();
        self.tail = None;
    }

    /// What was appended behind the last sync, and no sync is sure to bring onto the disk.
    fn doubt(&mut self) {
        let bytes = std::mem::take(&mut self.unsynced);
        if let Some(segment) = self.segments.last().filter(|_| !bytes.is_empty()) {
            let offset = segment.len.saturating_sub(bytes.len() as u64);
            self.doubtful.push(Doubtful { path: segment.path.clone(), offset, bytes });
        }
    }

    /// Makes what was appended with [`Durability::Later`] durable. `Ok`: everything that was ever appended is on the disk.
    pub fn sync(&mut self) -> Result<()> {
        while let Some(doubtful) = self.doubtful.first() {
            self.write_again(doubtful)?;
            self.doubtful.remove(0);
        }
        if self.unsynced.is_empty() {
            return Ok(());
        }
        if let (Some(segment), Some(file)) = (self.segments.last(), self.tail.as_ref())
            && let Err(cause) = (self.settings.syncs.file)(file)
        {
            let path = segment.path.clone();
            // The kernel may have dropped the pages: what follows goes to a new file.
            self.leave_tail();
            return Err(JournalError::Io { what: "sync", path, cause });
        }
        self.unsynced.clear();
        self.synced_n = self.last_n();
        Ok(())
    }

    /// The same bytes at the same place, so that the next sync is about them.
    fn write_again(&self, doubtful: &Doubtful) -> Result<()> {
        let Doubtful { path, offset, bytes } = doubtful;
        if !self.segments.iter().any(|segment| segment.path == *path) {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).open(path).map_err(io("open", path))?;
        file.write_all_at(bytes, *offset).map_err(io("write again", path))?;
        (self.settings.syncs.file)(&file).map_err(io("sync", path))
    }
}
