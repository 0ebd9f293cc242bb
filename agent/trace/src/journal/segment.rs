//! The files of a journal's folder: one a segment, named by the number of its first record.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use kerbside_domain::time::Moment;
use serde::Deserialize;

use super::error::{Result, io};
use super::record::{self, Record};
use crate::tuning::BLOCK_BYTES;

#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) path: PathBuf,
    pub(super) len: u64,
    /// When its newest record was written, once that was read from the head of the next; only of closed segments.
    pub(super) ended: Option<Moment>,
}

/// The file of the segment that begins with record `first`.
pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.journal"))
}

/// All segments of a folder, oldest first.
pub(super) fn list(dir: &Path) -> Result<Vec<Segment>> {
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
        segments.push(Segment { first, path, len, ended: None });
    }
    segments.sort_by_key(|s| s.first);
    Ok(segments)
}

/// The whole file. What the disk cannot read of it (`EIO`) is zeros, of which no record is made: all others count, and the
/// missing numbers show.
pub(super) fn read_whole(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Err(e) if is_disk_error(&e) => {}
        read => return read.map_err(io("read", path)),
    }
    let file = File::open(path).map_err(io("open", path))?;
    let len = file.metadata().map_err(io("look at", path))?.len();
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let mut unreadable = 0u64;
    for (i, block) in bytes.chunks_mut(BLOCK_BYTES).enumerate() {
        if let Err(e) = file.read_exact_at(block, (i * BLOCK_BYTES) as u64) {
            if !is_disk_error(&e) {
                return Err(io("read", path)(e));
            }
            block.fill(0);
            unreadable += 1;
        }
    }
    tracing::error!(
        path = %path.display(),
        blocks = unreadable,
        bytes = BLOCK_BYTES,
        "the disk cannot read parts of the journal"
    );
    Ok(bytes)
}

fn is_disk_error(e: &std::io::Error) -> bool {
    e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// The first record of the segment in this file; `None`: it cannot be read.
pub(super) fn head(path: &Path) -> Option<Record> {
    let mut line = Vec::new();
    let file = File::open(path).ok()?.take(record::MAX_LINE as u64 + 1);
    BufReader::new(file).read_until(b'\n', &mut line).ok()?;
    record::open(line.strip_suffix(b"\n")?)
}

/// When the segment of this file was begun, on the clock that counts on over restarts: every record before it is older. The
/// beginning of that clock for a segment of version 0.1, which had none. `None`: its head cannot be read.
pub(super) fn begun(path: &Path) -> Option<Moment> {
    /// What the counters at the head of a segment say of it.
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        clock: Option<serde::de::IgnoredAny>,
    }
    let head = head(path)?;
    let is_lived = serde_json::from_str::<Head>(&head.body).is_ok_and(|head| head.clock.is_some());
    Some(if is_lived { head.at } else { Moment::default() })
}
