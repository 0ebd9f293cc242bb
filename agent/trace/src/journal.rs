//! Journal: the truth of the box. Append-only segments of self-checking, hash-chained JSON lines.
//!
//! Everything that leaves or enters the box is a record here first; the index in sled is made from it. What
//! [`Journal::append`] returned is on the disk. It must not know what the bodies mean.
//!
//! Damage is never silent, not even where the disk cannot read at all: a reader finds the next record by its magic, counts
//! what is bad and names every missing number. After damage at its end, or after a failed sync, a segment is not written again; a new one begins.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use kerbside_domain::time::Clock;

pub mod audit;
pub mod record;
pub mod scan;
#[cfg(test)]
mod tests;

pub use record::Record;

use kerbside_crypto::hash::Hash;
pub use scan::Damage;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("journal {path}: cannot {what}: {source}")]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("journal record {n} at {path}:{offset} does not read as written")]
    Unreadable { n: u64, path: PathBuf, offset: u64 },
    #[error("journal entry of kind {kind:?} with {bytes} bytes: not a kind, or longer than {limit} bytes")]
    BadEntry { kind: String, bytes: usize, limit: usize },
}

impl JournalError {
    /// There was no room on the disk.
    pub fn is_full(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, JournalError::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

type Result<T> = std::result::Result<T, JournalError>;

/// Where a record lies: first number of its segment, byte offset, length with line feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub segment: u64,
    pub offset: u64,
    pub len: u32,
}

/// One thing to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: &'static str,
    /// JSON on one line.
    pub body: String,
}

impl Entry {
    pub fn new(kind: &'static str, body: impl Into<String>) -> Self {
        Entry { kind, body: body.into() }
    }
}

/// What became of an [`Entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub n: u64,
    pub prev: Hash,
    pub hash: Hash,
    pub position: Position,
}

/// Whether the caller waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On the disk when the call returns.
    Now,
    /// With the next `Now` or [`Journal::sync`]: telemetry only.
    Later,
}

/// How what was written comes onto the disk.
#[derive(Clone, Copy, Debug)]
pub struct Syncs {
    pub file: fn(&File) -> std::io::Result<()>,
    /// After a file of this folder was made.
    pub folder: fn(&File) -> std::io::Result<()>,
}

/// The real ones; a simulated power cut watches them instead, to know what it may take away.
impl Default for Syncs {
    fn default() -> Self {
        Syncs { file: File::sync_data, folder: File::sync_all }
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// A segment that is longer is closed, bytes.
    pub segment_bytes: u64,
    pub syncs: Syncs,
    pub utc_offset_s: i32,
    /// Names this start of the program in every record.
    pub boot: String,
}

#[derive(Clone, Debug)]
struct Segment {
    first: u64,
    path: PathBuf,
    len: u64,
    /// Wall clock of its newest record, once it was asked for; only of closed segments.
    newest_ms: Option<i64>,
}

#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    settings: Settings,
    clock: Arc<dyn Clock>,
    /// Oldest first.
    segments: Vec<Segment>,
    /// The last segment, open for append; `None`: the next append begins a new one.
    tail: Option<File>,
    unsynced: bool,
    next_n: u64,
    prev: Hash,
    /// JSON object that heads each new segment, so that what is counted survives the drop of old segments.
    carry: String,
    scratch: Vec<u8>,
}

/// Read by itself where a segment cannot be read whole, bytes.
const BLOCK: usize = 4096;

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { what, path, source }
}

impl Journal {
    /// Opens the journal in `dir`, made if missing, and reads its last segment.
    /// `known`: number and hash of the newest record that the index has seen; it shows records cut off at the end.
    pub fn open(
        dir: &Path,
        settings: Settings,
        clock: Arc<dyn Clock>,
        known: Option<(u64, Hash)>,
    ) -> Result<(Journal, Damage)> {
        fs::create_dir_all(dir).map_err(io("make the folder", dir))?;
        let segments = list(dir)?;
        let mut journal = Journal {
            dir: dir.to_owned(),
            settings,
            clock,
            segments,
            tail: None,
            unsynced: false,
            next_n: 1,
            prev: Hash::default(),
            carry: "{}".to_owned(),
            scratch: Vec::new(),
        };
        let damage = journal.find_tip(known)?;
        journal.hold_on_to_tail();
        Ok((journal, damage))
    }

    /// What was read counts from now on and is told to others, but a program that was killed may have left it in memory only.
    fn hold_on_to_tail(&self) {
        let Some(last) = self.segments.last() else { return };
        let synced = File::open(&last.path).and_then(|file| (self.settings.syncs.file)(&file));
        let synced = synced.and_then(|()| (self.settings.syncs.folder)(&File::open(&self.dir)?));
        if let Err(error) = synced {
            tracing::error!(path = %last.path.display(), %error, "the journal's end may not be on the disk");
        }
    }

    /// Reads segments from the newest back until one holds a good record; sets number and hash to go on with.
    fn find_tip(&mut self, known: Option<(u64, Hash)>) -> Result<Damage> {
        let mut damage = Damage::default();
        let mut doubtful = 0;
        let mut tip = scan::Tip::default();
        let mut clean = false;
        let mut until = None;
        for segment in self.segments.iter().rev() {
            let bytes = read_whole(&segment.path)?;
            tip = scan::Tip { n: segment.first - 1, hash: None };
            let ending = scan::segment(&bytes, &mut tip, until, &mut damage, &mut |_, _, _| {});
            clean = until.is_none() && ending.clean && ending.whole_len == bytes.len() as u64;
            doubtful += ending.bad_after;
            until = Some(segment.first);
            if tip.hash.is_some() {
                break;
            }
        }
        self.next_n = tip.n + 1 + doubtful;
        // Never below a number that a segment's name proves was reached.
        if let Some(last) = self.segments.last() {
            self.next_n = self.next_n.max(last.first);
        }
        self.prev = tip.hash.unwrap_or_default();
        if let Some((n, hash)) = known.filter(|(n, _)| *n >= self.next_n) {
            self.next_n = n + 1;
            self.prev = hash;
            clean = false;
        }
        if self.next_n > tip.n + 1 {
            damage.missing.push((tip.n + 1, self.next_n - 1));
        }
        if let Some(last) = self.segments.last().filter(|_| clean && tip.hash.is_some()) {
            let file = OpenOptions::new().append(true).open(&last.path).map_err(io("open", &last.path))?;
            self.tail = Some(file);
        }
        Ok(damage)
    }

    /// Number of the newest record; 0 when there is none.
    pub fn last_n(&self) -> u64 {
        self.next_n - 1
    }

    pub fn last_hash(&self) -> Hash {
        self.prev
    }

    /// First number that is still on the disk.
    pub fn first_n(&self) -> u64 {
        self.segments.first().map_or(self.next_n, |s| s.first)
    }

    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.len).sum()
    }

    /// Sets the JSON object that heads each new segment.
    pub fn set_carry(&mut self, carry: String) {
        self.carry = carry;
    }

    /// Appends all entries with one write and, with [`Durability::Now`], one `fdatasync`: all or none are acknowledged.
    ///
    /// After an error nothing of the call counts; the caller may try again.
    pub fn append(&mut self, entries: &[Entry], durability: Durability) -> Result<Vec<Written>> {
        for entry in entries {
            let bytes = entry.body.len();
            let limit = record::MAX_LINE - 1024;
            if !record::is_kind(entry.kind) || bytes > limit || entry.body.contains('\n') {
                return Err(JournalError::BadEntry { kind: entry.kind.to_owned(), bytes, limit });
            }
        }
        if self.segments.last().is_some_and(|s| s.len >= self.settings.segment_bytes) {
            self.sync()?;
            self.tail = None;
        }
        let begun = if self.tail.is_none() { Some(self.begin_segment()?) } else { None };
        let first_of_segment = begun.is_some();
        if let Some((segment, file)) = begun {
            self.segments.push(segment);
            self.tail = Some(file);
        }
        match self.write(entries, first_of_segment, durability) {
            Ok(written) => Ok(written),
            Err(e) => {
                self.give_up(first_of_segment);
                Err(e)
            }
        }
    }

    fn begin_segment(&self) -> Result<(Segment, File)> {
        let path = self.dir.join(format!("{:020}.journal", self.next_n));
        // A file of this name can only be left from an attempt whose error was returned, or be damaged whole.
        if path.exists() {
            let aside = path.with_extension("abandoned");
            fs::rename(&path, &aside).map_err(io("set aside", &path))?;
        }
        let file =
            OpenOptions::new().append(true).create_new(true).open(&path).map_err(io("create", &path))?;
        Ok((Segment { first: self.next_n, path, len: 0, newest_ms: None }, file))
    }

    fn write(&mut self, entries: &[Entry], head: bool, durability: Durability) -> Result<Vec<Written>> {
        let at = self.clock.now();
        let (Some(segment), Some(file)) = (self.segments.last_mut(), self.tail.as_mut()) else {
            return Ok(Vec::new());
        };
        let mut n = self.next_n;
        let mut prev = self.prev;
        let mut written = Vec::with_capacity(entries.len());
        self.scratch.clear();
        let carry = Entry::new("segment", self.carry.clone());
        for entry in head.then_some(&carry).into_iter().chain(entries) {
            let start = self.scratch.len();
            let stamp = record::Stamp {
                n,
                prev,
                boot: &self.settings.boot,
                at,
                utc_offset_s: self.settings.utc_offset_s,
            };
            let hash = record::seal(&mut self.scratch, &stamp, entry.kind, &entry.body);
            let position = Position {
                segment: segment.first,
                offset: segment.len + start as u64,
                len: (self.scratch.len() - start) as u32,
            };
            written.push(Written { n, prev, hash, position });
            prev = hash;
            n += 1;
        }
        file.write_all(&self.scratch).map_err(io("write", &segment.path))?;
        if durability == Durability::Now || head {
            (self.settings.syncs.file)(file).map_err(io("sync", &segment.path))?;
        }
        if head {
            let folder = File::open(&self.dir);
            folder
                .and_then(|folder| (self.settings.syncs.folder)(&folder))
                .map_err(io("sync the folder", &self.dir))?;
            written.remove(0);
        }
        self.unsynced = durability == Durability::Later && !head;
        segment.len += self.scratch.len() as u64;
        self.next_n = n;
        self.prev = prev;
        Ok(written)
    }

    /// After a failed write: cut back what may have landed, and never trust this file's tail again.
    fn give_up(&mut self, first_of_segment: bool) {
        let file = self.tail.take();
        if first_of_segment {
            if let Some(segment) = self.segments.pop() {
                // Fails on a sick disk; `begin_segment` then sets the file aside.
                let _ = fs::remove_file(&segment.path);
            }
        } else if let (Some(segment), Some(file)) = (self.segments.last(), file) {
            // If this fails too, the next segment's name says where the truth goes on (`Damage::abandoned`).
            if file.set_len(segment.len).is_ok() && (self.settings.syncs.file)(&file).is_ok() {
                self.tail = OpenOptions::new().append(true).open(&segment.path).ok();
            }
        }
    }

    /// Makes what was appended with [`Durability::Later`] durable.
    pub fn sync(&mut self) -> Result<()> {
        if !self.unsynced {
            return Ok(());
        }
        if let (Some(segment), Some(file)) = (self.segments.last(), self.tail.as_ref())
            && let Err(source) = (self.settings.syncs.file)(file)
        {
            let path = segment.path.clone();
            // The kernel may have dropped the pages: what follows goes to a new file.
            self.tail = None;
            return Err(JournalError::Io { what: "sync", path, source });
        }
        self.unsynced = false;
        Ok(())
    }

    /// Reads one record and checks that it is number `n`.
    pub fn read(&self, n: u64, position: Position) -> Result<Record> {
        let path = self.dir.join(format!("{:020}.journal", position.segment));
        let mut file = File::open(&path).map_err(io("open", &path))?;
        let mut line = vec![0u8; (position.len as usize).min(record::MAX_LINE + 1)];
        file.seek(SeekFrom::Start(position.offset)).map_err(io("seek", &path))?;
        let found = file.read_exact(&mut line).is_ok();
        let text = line.strip_suffix(b"\n").filter(|_| found);
        text.and_then(record::open).filter(|r| r.n == n).ok_or(JournalError::Unreadable {
            n,
            path,
            offset: position.offset,
        })
    }

    /// Gives every good record from number `from` on to `each`, oldest first, and says what was wrong on the way.
    /// Reads from the segment that holds `from`; a gap before `from` is not reported.
    pub fn replay(&self, from: u64, each: &mut dyn FnMut(Record, Position)) -> Result<Damage> {
        let mut damage = Damage::default();
        let start = self.segments.iter().rposition(|s| s.first <= from).unwrap_or(0);
        let mut tip = scan::Tip::default();
        let segments = self.segments.get(start..).unwrap_or_default();
        for (i, segment) in segments.iter().enumerate() {
            let bytes = read_whole(&segment.path)?;
            if i == 0 {
                // The name is the number of the first record: a lost first record shows too.
                tip.n = segment.first - 1;
            }
            let until = segments.get(i + 1).map(|s| s.first);
            scan::segment(&bytes, &mut tip, until, &mut damage, &mut |record, offset, len| {
                if record.n >= from {
                    each(record, Position { segment: segment.first, offset, len });
                }
            });
            // Numbers lost at the end of a segment show only against the name of the next, or the tip.
            let end = until.unwrap_or(self.next_n);
            if tip.n + 1 < end && tip.n + 1 >= from {
                damage.missing.push((tip.n + 1, end - 1));
                tip = scan::Tip { n: end - 1, hash: None };
            }
        }
        Ok(damage)
    }

    /// Drops the oldest segments whose records are all below `keep_from` and whose newest record is older than
    /// `older_than_ms` (wall clock). The last segment always stays. Returns how many went.
    pub fn drop_before(&mut self, keep_from: u64, older_than_ms: i64) -> Result<usize> {
        let mut dropped = 0;
        while let [_, next, ..] = self.segments.as_slice() {
            if next.first > keep_from || !self.oldest_is_before(older_than_ms)? {
                break;
            }
            let Some(oldest) = self.segments.first() else { break };
            fs::remove_file(&oldest.path).map_err(io("remove", &oldest.path))?;
            self.segments.remove(0);
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Whether every record of the oldest segment is older than `older_than_ms` and the segment is closed.
    pub fn oldest_is_before(&mut self, older_than_ms: i64) -> Result<bool> {
        let [oldest, _, ..] = self.segments.as_mut_slice() else { return Ok(false) };
        if oldest.newest_ms.is_none() {
            // A segment without one good record is never dropped: somebody may want to look at it.
            oldest.newest_ms = Some(newest_wall_ms(&oldest.path)?.unwrap_or(i64::MAX));
        }
        Ok(oldest.newest_ms.is_some_and(|newest| newest < older_than_ms))
    }

    /// Number after the last of the oldest segment: what is below must be copied forward before that can go.
    pub fn oldest_segment_end(&self) -> Option<u64> {
        match self.segments.as_slice() {
            [_, next, ..] => Some(next.first),
            _ => None,
        }
    }
}

/// The whole file. What the disk cannot read of it (`EIO`) is zeros, of which no record is made: all others count, and the
/// missing numbers show.
fn read_whole(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Err(e) if is_sick(&e) => {}
        read => return read.map_err(io("read", path)),
    }
    let file = File::open(path).map_err(io("open", path))?;
    let len = file.metadata().map_err(io("look at", path))?.len();
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let mut unreadable = 0u64;
    for (i, block) in bytes.chunks_mut(BLOCK).enumerate() {
        if let Err(e) = file.read_exact_at(block, (i * BLOCK) as u64) {
            if !is_sick(&e) {
                return Err(io("read", path)(e));
            }
            block.fill(0);
            unreadable += 1;
        }
    }
    tracing::error!(path = %path.display(), blocks = unreadable, bytes = BLOCK, "the disk cannot read parts of the journal");
    Ok(bytes)
}

fn is_sick(e: &std::io::Error) -> bool {
    e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

fn newest_wall_ms(path: &Path) -> Result<Option<i64>> {
    let bytes = read_whole(path)?;
    let mut newest = None;
    let mut tip = scan::Tip::default();
    scan::segment(&bytes, &mut tip, None, &mut Damage::default(), &mut |r, _, _| newest = Some(r.at.wall_ms));
    Ok(newest)
}

fn list(dir: &Path) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).map_err(io("list", dir))? {
        let entry = entry.map_err(io("list", dir))?;
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "journal") {
            continue;
        }
        let Some(first) = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<u64>().ok())
        else {
            continue;
        };
        let len = entry.metadata().map_err(io("look at", &path))?.len();
        segments.push(Segment { first, path, len, newest_ms: None });
    }
    segments.sort_by_key(|s| s.first);
    Ok(segments)
}
