//! Ballast: a file whose only use is to be deleted when the disk is full, so that reports still land.
//!
//! Everything else that fills a disk stops earlier (`evidence::room`); what the ballast frees is for the journal and its index.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Room for about 30,000 reports, bytes.
const WANTED: u64 = 64 << 20;

#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    bytes: u64,
    held: bool,
}

impl Ballast {
    /// Takes nothing yet; what an earlier run holds counts.
    pub(super) fn new(dir: &Path) -> Ballast {
        let path = dir.join("ballast");
        // On a small disk a tenth of it.
        let tenth = rustix::fs::statvfs(dir).map_or(WANTED, |s| s.f_blocks * s.f_frsize / 10);
        let held = path.exists();
        Ballast { path, bytes: WANTED.min(tenth), held }
    }

    /// Holds it, if there is room for twice as much. Cheap when it is held already.
    pub(super) fn take(&mut self) {
        if self.held || !self.has_room() {
            return;
        }
        let taken = File::create(&self.path).and_then(|file| {
            let flags = rustix::fs::FallocateFlags::empty();
            rustix::fs::fallocate(&file, flags, 0, self.bytes).map_err(Into::into)
        });
        self.held = taken.is_ok();
        if !self.held {
            // A file system that cannot set room aside, or had less than it said.
            let _ = fs::remove_file(&self.path);
        }
    }

    fn has_room(&self) -> bool {
        let parent = self.path.parent().unwrap_or(&self.path);
        rustix::fs::statvfs(parent).is_ok_and(|s| s.f_bavail * s.f_frsize > 2 * self.bytes)
    }

    /// Throws it off. True: there is room now that was not there before.
    pub(super) fn release(&mut self) -> bool {
        std::mem::take(&mut self.held) && fs::remove_file(&self.path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_taken_once_found_again_and_released_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut ballast = Ballast::new(dir.path());
        assert!(!ballast.release(), "nothing is held yet");
        ballast.take();
        assert_eq!(fs::metadata(dir.path().join("ballast")).unwrap().len(), ballast.bytes);
        let mut again = Ballast::new(dir.path());
        assert!(again.release());
        assert!(!again.release());
        assert!(!dir.path().join("ballast").exists());
    }
}
