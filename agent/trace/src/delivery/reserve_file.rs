//! The reserve file: its only use is to be deleted when the disk is full, so that reports still land.
//!
//! Everything else that fills a disk stops earlier (the evidence stage); what the reserve frees is for the journal and its
//! index.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::tuning::RESERVE_BYTES;

const NAME: &str = "reserve";
/// What version 0.1 called it.
const OLD_NAME: &str = "ballast";

#[derive(Debug)]
pub(super) struct ReserveFile {
    path: PathBuf,
    bytes: u64,
    present: bool,
}

impl ReserveFile {
    /// Takes no room yet; a file that an earlier run left counts.
    pub(super) fn new(dir: &Path) -> ReserveFile {
        let path = dir.join(NAME);
        let old = dir.join(OLD_NAME);
        if old.exists() && fs::rename(&old, &path).is_err() {
            tracing::warn!(path = %old.display(), "the reserve file of an older version could not be taken over");
        }
        let tenth = rustix::fs::statvfs(dir).map_or(RESERVE_BYTES, |s| s.f_blocks * s.f_frsize / 10);
        let present = path.exists();
        ReserveFile { path, bytes: RESERVE_BYTES.min(tenth), present }
    }

    /// Makes the file, if there is room for twice as much. Cheap when it is there already.
    pub(super) fn reserve(&mut self) {
        if self.present || !self.has_room() {
            return;
        }
        let made = File::create(&self.path).and_then(|file| {
            let flags = rustix::fs::FallocateFlags::empty();
            rustix::fs::fallocate(&file, flags, 0, self.bytes).map_err(Into::into)
        });
        self.present = made.is_ok();
        if !self.present {
            // A file system that cannot set room aside, or had less than it said.
            let _ = fs::remove_file(&self.path);
        }
    }

    fn has_room(&self) -> bool {
        let parent = self.path.parent().unwrap_or(&self.path);
        rustix::fs::statvfs(parent).is_ok_and(|s| s.f_bavail * s.f_frsize > 2 * self.bytes)
    }

    /// Deletes it. True: there is room now that was not there before.
    pub(super) fn release(&mut self) -> bool {
        std::mem::take(&mut self.present) && fs::remove_file(&self.path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_found_again_and_released_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut reserve = ReserveFile::new(dir.path());
        assert!(!reserve.release(), "nothing is there yet");
        reserve.reserve();
        assert_eq!(fs::metadata(dir.path().join(NAME)).unwrap().len(), reserve.bytes);
        let mut again = ReserveFile::new(dir.path());
        assert!(again.release());
        assert!(!again.release());
        assert!(!dir.path().join(NAME).exists());
    }

    #[test]
    fn that_of_an_older_version_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(OLD_NAME), "room").unwrap();
        assert!(ReserveFile::new(dir.path()).release());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
