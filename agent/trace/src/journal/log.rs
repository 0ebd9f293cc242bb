//! The open journal: its segments, and where it stands.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kerbside_crypto::hash::Hash;
use kerbside_domain::time::{Clock, LivedClock, Mono};

use super::error::{Result, io};
use super::scan::{self, Damage};
use super::segment::{self, Segment, list, read_whole};
use super::settings::JournalSettings;

/// Bytes of a segment of which nobody knows whether they reached the disk: after a failed sync the kernel may have dropped them,
/// and the next sync of the same file says nothing of it.
#[derive(Debug)]
pub(super) struct Doubtful {
    pub(super) path: PathBuf,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug)]
pub struct Journal {
    pub(super) dir: PathBuf,
    pub(super) settings: JournalSettings,
    /// Goes on where the newest record stands.
    pub(super) clock: Arc<dyn Clock>,
    /// Oldest first.
    pub(super) segments: Vec<Segment>,
    /// The last segment, open for append; `None`: the next append begins a new one.
    pub(super) tail: Option<File>,
    /// What was appended behind the last sync, as it lies at the end of the last segment.
    pub(super) unsynced: Vec<u8>,
    /// What a failed sync may have lost; it is written again before anything counts as synced.
    pub(super) doubtful: Vec<Doubtful>,
    pub(super) next_n: u64,
    /// Of the newest record that a sync brought onto the disk.
    pub(super) synced_n: u64,
    pub(super) prev: Hash,
    /// JSON object that heads each new segment, so that what is counted survives the drop of old segments.
    pub(super) counters: String,
    pub(super) scratch: Vec<u8>,
}

impl Journal {
    /// Opens the journal in `dir`, made if missing, and reads its last segment.
    /// `indexed`: number and hash of the newest record that the index has; it shows records cut off at the end.
    pub fn open(
        dir: &Path,
        settings: JournalSettings,
        clock: Arc<dyn Clock>,
        indexed: Option<(u64, Hash)>,
    ) -> Result<(Journal, Damage)> {
        fs::create_dir_all(dir).map_err(io("make the folder", dir))?;
        let segments = list(dir)?;
        let mut journal = Journal {
            dir: dir.to_owned(),
            settings,
            clock,
            segments,
            tail: None,
            unsynced: Vec::new(),
            doubtful: Vec::new(),
            next_n: 1,
            synced_n: 0,
            prev: Hash::default(),
            counters: "{}".to_owned(),
            scratch: Vec::new(),
        };
        let (damage, newest) = journal.find_tip(indexed)?;
        journal.synced_n = journal.last_n();
        journal.clock = Arc::new(LivedClock::after(newest, journal.clock.clone()));
        journal.sync_tail();
        Ok((journal, damage))
    }

    /// What was read counts from now on and others build on it, but a program that was killed may have left it in memory
    /// only.
    fn sync_tail(&self) {
        let Some(last) = self.segments.last() else { return };
        let synced = File::open(&last.path).and_then(|file| (self.settings.syncs.file)(&file));
        let synced = synced.and_then(|()| (self.settings.syncs.folder)(&File::open(&self.dir)?));
        if let Err(error) = synced {
            tracing::error!(path = %last.path.display(), %error, "the journal's end may not be on the disk");
        }
    }

    /// Reads segments from the newest back until one holds a good record; sets number and hash to go on with. Also returns what
    /// the monotonic clock showed at that record.
    fn find_tip(&mut self, indexed: Option<(u64, Hash)>) -> Result<(Damage, Mono)> {
        let (mut damage, mut newest) = (Damage::default(), Mono::ZERO);
        let mut doubtful = 0;
        let mut tip = scan::Tip::default();
        let mut clean = false;
        let mut until = None;
        for segment in self.segments.iter().rev() {
            let bytes = read_whole(&segment.path)?;
            tip = scan::Tip { n: segment.first - 1, hash: None };
            let ending = scan::segment(&bytes, &mut tip, until, &mut damage, &mut |record, _, _| {
                newest = record.at.mono
            });
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
        if let Some((n, hash)) = indexed.filter(|(n, _)| *n >= self.next_n) {
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
        Ok((damage, newest))
    }

    /// The clock by which records are dated: monotonic over all starts of the program.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Number of the newest record; 0 when there is none.
    pub fn last_n(&self) -> u64 {
        self.next_n - 1
    }

    /// Number of the newest record that a sync brought onto the disk, or that was read at the start; it never falls.
    pub fn synced_n(&self) -> u64 {
        self.synced_n
    }

    pub fn last_hash(&self) -> Hash {
        self.prev
    }

    /// First number that is still on the disk.
    pub fn first_n(&self) -> u64 {
        self.segments.first().map_or(self.next_n, |s| s.first)
    }

    /// Hash of the record before number `n`, which begins a segment; zeros where there is none, or where it cannot be read.
    pub fn hash_before(&self, n: u64) -> Hash {
        let segment = self.segments.iter().find(|s| s.first == n);
        let head = segment.and_then(|segment| segment::head(&segment.path)).filter(|record| record.n == n);
        head.map(|record| record.prev).unwrap_or_default()
    }

    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.len).sum()
    }

    /// Sets the JSON object that heads each new segment.
    pub fn set_counters(&mut self, counters: String) {
        self.counters = counters;
    }
}
