//! The files of a journal's folder: one a segment, named by the number of its first record.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::error::{Result, io};
use super::scan::{self, Damage};
use crate::tuning::BLOCK_BYTES;

#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) path: PathBuf,
    pub(super) len: u64,
    /// Wall clock of its newest record, once it was read; only of closed segments.
    pub(super) newest_ms: Option<i64>,
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
        segments.push(Segment { first, path, len, newest_ms: None });
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

/// Wall clock of the newest good record of a file.
pub(super) fn newest_wall_ms(path: &Path) -> Result<Option<i64>> {
    let bytes = read_whole(path)?;
    let mut newest = None;
    let mut tip = scan::Tip::default();
    scan::segment(&bytes, &mut tip, None, &mut Damage::default(), &mut |r, _, _| newest = Some(r.at.wall_ms));
    Ok(newest)
}
