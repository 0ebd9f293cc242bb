//! Room on the disk: evidence gives way long before reports do. Clips stop first, then pictures, then old evidence is deleted.

use std::path::Path;

/// Below a tenth of the disk, or this, no clip is made; below half of that no picture, bytes.
const LOW: u64 = 512 << 20;

/// What the disk still has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    All,
    NoClips,
    NoPictures,
}

/// Of the file system that holds `dir`, or the folder above it that exists. One that cannot be asked has room.
pub fn room(dir: &Path) -> Room {
    let Some((free, low)) = free_and_low(dir) else { return Room::All };
    of(free, low)
}

/// Bytes of old evidence that must go until clips are made again.
pub fn lacking(dir: &Path) -> u64 {
    free_and_low(dir).map_or(0, |(free, low)| low.saturating_sub(free))
}

fn of(free: u64, low: u64) -> Room {
    match free {
        free if free >= low => Room::All,
        free if free >= low / 2 => Room::NoClips,
        _ => Room::NoPictures,
    }
}

fn free_and_low(dir: &Path) -> Option<(u64, u64)> {
    let there = dir.ancestors().find(|d| d.is_dir())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    Some((stat.f_bavail * stat.f_frsize, LOW.min(stat.f_blocks * stat.f_frsize / 10)))
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
            assert_eq!(of(free, 100), room, "{free}");
        }
    }
}
