//! Holds: the evidence of a case that the centre has not ended is never pruned. A hold is a file in the incident's folder, so that it
//! lasts as long as what it holds. Also: how much room the disk has.

use std::fs::File;
use std::path::Path;

use super::files::{FileError, failed};
use super::retention::folders_of;

/// Name of the mark.
pub(super) const MARK: &str = ".hold";

/// Holds, or lets go, the evidence of an incident. `incident_id` may be anything; only folders that are there are touched.
pub fn hold(dir: &Path, incident_id: &str, held: bool) -> Result<(), FileError> {
    for folder in folders_of(dir, incident_id)? {
        let mark = folder.join(MARK);
        if held {
            File::create(&mark).and_then(|f| f.sync_all()).map_err(failed(&mark, "creating"))?;
        } else if mark.exists() {
            std::fs::remove_file(&mark).map_err(failed(&mark, "deleting"))?;
        }
    }
    Ok(())
}

/// Bytes that this program may still write below `dir`, or below its nearest folder that is there.
pub fn free_bytes(dir: &Path) -> Option<u64> {
    let there = dir.ancestors().find(|p| p.is_dir())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
