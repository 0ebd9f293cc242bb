//! Retention hold: the evidence of a case that the centre has not ended is never deleted. A hold is a file in the incident's
//! folder, so that it lasts as long as what it protects.

use std::fs::File;
use std::path::Path;

use super::files::{FileError, failed};
use super::folders::folders_of;

/// Name of the file.
pub(super) const HOLD_FILE: &str = ".hold";

/// Protects the evidence of an incident from deletion, or ends the protection. `incident_id` may be anything; only folders that are there are touched.
pub fn set_retention_hold(dir: &Path, incident_id: &str, hold: bool) -> Result<(), FileError> {
    for folder in folders_of(dir, incident_id)? {
        let file = folder.join(HOLD_FILE);
        if hold {
            File::create(&file).and_then(|f| f.sync_all()).map_err(failed(&file, "creating"))?;
        } else if file.exists() {
            std::fs::remove_file(&file).map_err(failed(&file, "deleting"))?;
        }
    }
    Ok(())
}
