//! Holds: the evidence of a case that the centre has not ended is never pruned. A hold is a file in the incident's folder, so that it
//! lasts as long as what it holds.

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
