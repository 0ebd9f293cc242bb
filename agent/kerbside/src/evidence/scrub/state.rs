//! Where the scrub stands and what it has found, as a file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::durable;

/// In the data folder.
pub const SCRUB_FILE: &str = "scrub.json";
/// Damaged files that are remembered and reported by name; more are a disk to be replaced, not a list to be read. Those beyond are
/// left alone: what is forgotten would be found and reported again in each round.
const MOST_DAMAGED: usize = 200;

/// A file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedFile {
    /// Below the evidence folder.
    pub path: String,
    pub why: String,
    /// RFC 3339.
    pub found_at: String,
    /// The report of it is durable.
    #[serde(default)]
    pub reported: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubState {
    /// The manifest in hand; empty: it begins anew.
    pub(super) cursor: String,
    /// Files looked at, ever.
    pub checked: u64,
    /// How often it came to the end.
    pub rounds: u64,
    /// The oldest findings first.
    pub damaged: Vec<DamagedFile>,
}

impl ScrubState {
    pub(super) fn read(path: &Path) -> Option<ScrubState> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Durably: what was reported is not reported again.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        durable::write(path, &serde_json::to_vec(self)?)
    }

    pub(super) fn knows(&self, path: &str) -> bool {
        self.damaged.iter().any(|d| d.path == path)
    }

    /// Remembers a finding. The last one that has room says so.
    pub(super) fn damaged(&mut self, found: DamagedFile) {
        let room = MOST_DAMAGED.saturating_sub(self.damaged.len());
        let why = match room {
            0 => return,
            1 => format!("{}; {MOST_DAMAGED} files are damaged: further ones are not named", found.why),
            _ => found.why,
        };
        self.damaged.push(DamagedFile { why, ..found });
    }

    /// The oldest finding that was not reported yet.
    pub(super) fn unreported(&mut self) -> Option<&mut DamagedFile> {
        self.damaged.iter_mut().find(|found| !found.reported)
    }

    /// What retention has deleted is nobody's damage any more.
    pub(super) fn forget_deleted(&mut self, root: &Path) {
        self.damaged.retain(|d| root.join(&d.path).parent().is_some_and(Path::exists));
    }
}
