//! Retention: the evidence folder stays within its bytes and age. The oldest incident goes first, whole; one whose report the
//! centre has not acknowledged goes last, and not for its age; one that is held never goes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::{FileError, failed};
use super::folders::entries;
use super::retention_hold::HOLD_FILE;

/// What was deleted, for the journal and the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub incidents: u64,
    pub bytes: u64,
    /// Incidents among them whose report the centre had not acknowledged.
    pub unacknowledged: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub max_bytes: u64,
    /// `None`: nothing is too old, because nobody knows what day it is.
    pub max_age_days: Option<u32>,
    /// The disk lacks this many bytes: they are deleted, whatever the other limits say.
    pub lacking: u64,
}

/// What is not simply deleted, by incident.
#[derive(Clone, Debug, Default)]
pub struct Protected {
    /// Never.
    pub held: BTreeSet<String>,
    /// Last of all.
    pub unacknowledged: BTreeSet<String>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// `2026-11-21/INCIDENT`: sorts by age, since incident ids begin with their time.
    key: (String, String),
    bytes: u64,
    on_hold: bool,
}

impl Retention {
    /// Deletes what is too old by `now_wall_ms` or too much. A hold on any folder of an incident counts for all of them.
    pub fn prune(&self, dir: &Path, now_wall_ms: i64, protected: &Protected) -> Result<Pruned, FileError> {
        let folders = scan(dir)?;
        let mut total: u64 = folders.iter().map(|f| f.bytes).sum();
        let on_hold: BTreeSet<String> =
            folders.iter().filter(|f| f.on_hold).map(|f| f.key.1.clone()).collect();
        let may_go = |f: &Folder| !on_hold.contains(&f.key.1) && !protected.held.contains(&f.key.1);
        let mut order: Vec<(bool, Folder)> = folders
            .into_iter()
            .filter(may_go)
            .map(|f| (protected.unacknowledged.contains(&f.key.1), f))
            .collect();
        order.sort_by(|(a_last, a), (b_last, b)| (a_last, &a.key).cmp(&(b_last, &b.key)));
        let oldest_day = self.oldest_day(now_wall_ms);
        let mut pruned = Pruned::default();
        for (unacknowledged, folder) in order {
            let too_old = !unacknowledged && folder.key.0 < oldest_day;
            if !too_old && total <= self.max_bytes && pruned.bytes >= self.lacking {
                continue;
            }
            std::fs::remove_dir_all(&folder.path).map_err(failed(&folder.path, "deleting"))?;
            total -= folder.bytes;
            pruned.incidents += 1;
            pruned.bytes += folder.bytes;
            pruned.unacknowledged.extend(Some(folder.key.1).filter(|_| unacknowledged));
        }
        remove_empty_days(dir);
        Ok(pruned)
    }

    /// What lies under an earlier day is too old. A day of slack: days are in the site's own time.
    fn oldest_day(&self, now_wall_ms: i64) -> String {
        let Some(days) = self.max_age_days else { return String::new() };
        let oldest = kerbside_domain::time::rfc3339(now_wall_ms - (i64::from(days) + 1) * 86_400_000, 0);
        oldest.get(..10).unwrap_or_default().to_owned()
    }
}

fn scan(dir: &Path) -> Result<Vec<Folder>, FileError> {
    let mut folders = Vec::new();
    for day in entries(dir)? {
        for incident in entries(&day)? {
            let bytes =
                entries(&incident)?.iter().filter_map(|f| f.symlink_metadata().ok()).map(|m| m.len()).sum();
            let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let on_hold = incident.join(HOLD_FILE).exists();
            folders.push(Folder { key: (name(&day), name(&incident)), path: incident, bytes, on_hold });
        }
    }
    Ok(folders)
}

fn remove_empty_days(dir: &Path) {
    for day in entries(dir).unwrap_or_default() {
        // Fails on a folder that is not empty, which is what we want.
        let _ = std::fs::remove_dir(day);
    }
}
