//! Room on the disk: evidence gives way long before reports do. Clips stop first, then pictures, then old evidence is deleted.

use std::path::{Path, PathBuf};

use super::tuning::{CLIP_RESERVES, MIN_FREE_BYTES, MIN_FREE_SHARE};

/// What the disk still has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    All,
    NoClips,
    NoPictures,
}

/// How much of the disk that holds the evidence is left to the reports.
#[derive(Clone, Debug)]
pub struct Watermark {
    dir: PathBuf,
    /// Below it no picture is made, below twice as much no clip, and old evidence goes; bytes.
    min_free: Option<u64>,
}

impl Watermark {
    /// Of the file system that holds `dir`, or the folder above it that exists. `min_free`: as the site says.
    pub fn new(dir: impl Into<PathBuf>, min_free: Option<u64>) -> Self {
        Watermark { dir: dir.into(), min_free }
    }

    /// A disk that does not answer has room.
    pub fn room(&self) -> Room {
        self.free_and_reserve().map_or(Room::All, |(free, min_free)| of(free, min_free))
    }

    /// Bytes of old evidence that must go until clips are made again.
    pub fn lacking(&self) -> u64 {
        self.free_and_reserve()
            .map_or(0, |(free, min_free)| min_free.saturating_mul(CLIP_RESERVES).saturating_sub(free))
    }

    /// Bytes that are free, and bytes that shall stay free.
    fn free_and_reserve(&self) -> Option<(u64, u64)> {
        let folder = self.dir.ancestors().find(|d: &&Path| d.is_dir())?;
        let disk = rustix::fs::statvfs(folder).ok()?;
        let unit = disk.f_frsize;
        let small = disk.f_blocks.saturating_mul(unit) / MIN_FREE_SHARE;
        Some((disk.f_bavail.saturating_mul(unit), self.min_free.unwrap_or(MIN_FREE_BYTES.min(small))))
    }
}

fn of(free: u64, min_free: u64) -> Room {
    match free {
        free if free >= min_free.saturating_mul(CLIP_RESERVES) => Room::All,
        free if free >= min_free => Room::NoClips,
        _ => Room::NoPictures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_stop_before_pictures() {
        let table = [
            (100, Room::All),
            (99, Room::NoClips),
            (50, Room::NoClips),
            (49, Room::NoPictures),
            (0, Room::NoPictures),
        ];
        for (free, room) in table {
            assert_eq!(of(free, 50), room, "{free}");
        }
    }

    #[test]
    fn the_site_decides_how_much_stays_free() {
        let dir = tempfile::tempdir().unwrap();
        let of = |min_free| Watermark::new(dir.path().join("not/there/yet"), Some(min_free));
        assert_eq!((of(0).room(), of(0).lacking()), (Room::All, 0));
        assert_eq!(of(u64::MAX).room(), Room::NoPictures);
        assert!(of(1 << 60).lacking() > 1 << 60);
    }
}
