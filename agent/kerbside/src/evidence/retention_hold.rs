//! Retention hold: the evidence of a case that the centre has not ended is never deleted. A hold is a file in the incident's
//! folder, so that it lasts as long as what it protects.
//!
//! Whoever can write at the broker can say that a case has ended. Where nobody signed that, the hold lasts [`AFTERLIFE_S`] longer:
//! time to notice, and a case that is reopened holds its evidence again.

use std::path::Path;

use kerbside_domain::time::Moment;

use super::files::{FileError, failed};
use super::folders::{HOLD_FILE, folders_of, note_small, read_small, write_small};

/// What the file of a hold says. Empty: held. This: the case has ended by somebody's word. A moment on the delivery's clock, which
/// counts on over restarts: when that was met first.
const ENDED: &str = "ended";
/// How long evidence is held after an end that nobody signed, s of what the box lived through.
const AFTERLIFE_S: f64 = 7.0 * 86_400.0;

/// What becomes of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldChange {
    /// The evidence is protected.
    Hold,
    /// It is not any more: the centre's signed word.
    Release,
    /// The case has ended by somebody's word.
    Ended,
}

/// Protects the evidence of an incident from deletion, or ends the protection. `incident_id` may be anything; only folders that are there are touched.
pub fn set_retention_hold(dir: &Path, incident_id: &str, change: HoldChange) -> Result<(), FileError> {
    for folder in folders_of(dir, incident_id)? {
        let file = folder.join(HOLD_FILE);
        match change {
            HoldChange::Hold => write_small(&folder, HOLD_FILE, "")?,
            HoldChange::Ended if file.symlink_metadata().is_err() => {}
            HoldChange::Ended => write_small(&folder, HOLD_FILE, ENDED)?,
            HoldChange::Release => match std::fs::remove_file(&file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed(&file, "deleting")(e));
                }
                _ => {}
            },
        }
    }
    Ok(())
}

/// Whether the evidence in this folder is protected. `now`: on the delivery's clock. What cannot be read protects.
pub(super) fn is_held(folder: &Path, now: Moment) -> bool {
    if folder.join(HOLD_FILE).symlink_metadata().is_err() {
        return false;
    }
    let text = read_small(folder, HOLD_FILE).unwrap_or_default();
    if let Ok(ended) = serde_json::from_str::<Moment>(&text)
        && ended.mono <= now.mono
    {
        return now.age_s(ended) < AFTERLIFE_S;
    }
    // Another box's clock, or none yet: the time begins now.
    let dated = serde_json::to_string(&now).unwrap_or_default();
    if !text.is_empty()
        && let Err(error) = note_small(folder, HOLD_FILE, &dated)
    {
        tracing::warn!(%error, "the end of a case is not noted");
    }
    true
}
