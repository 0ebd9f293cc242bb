//! Where the scrub stands and what it has found, as a file.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// In the data folder.
pub const SCRUB_FILE: &str = "scrub.json";
/// Damaged files that are remembered by name; more are a disk to be replaced, not a list to be read.
const MOST_DAMAGED: usize = 200;

/// A file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedFile {
    /// Below the evidence folder.
    pub path: String,
    pub why: String,
    /// RFC 3339.
    pub found_at: String,
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

    /// A power cut may cost the newest of it: then something is looked at twice.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let temporary = path.with_extension("json.part");
        std::fs::write(&temporary, serde_json::to_vec(self)?)?;
        std::fs::rename(&temporary, path)
    }

    pub(super) fn knows(&self, path: &str) -> bool {
        self.damaged.iter().any(|d| d.path == path)
    }

    pub(super) fn damaged(&mut self, found: DamagedFile) {
        if self.damaged.len() >= MOST_DAMAGED {
            self.damaged.remove(0);
        }
        self.damaged.push(found);
    }

    /// What retention has deleted is nobody's damage any more.
    pub(super) fn forget_deleted(&mut self, root: &Path) {
        self.damaged.retain(|d| root.join(&d.path).parent().is_some_and(Path::exists));
    }
}
