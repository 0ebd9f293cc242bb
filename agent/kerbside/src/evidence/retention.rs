//! Retention: the evidence folder stays within its bytes and age. The oldest incident goes first, whole; one whose report the
//! centre has not acknowledged goes last, and not for its age; one that is held never goes.
//!
//! How old a set of files is does not follow from the name of its day, which a wrong wall clock may have written, but from what the
//! box lived through since. A small file beside the others holds when the set was first met.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kerbside_domain::time::Moment;

use super::files::{FileError, failed};
use super::folders::{DATE_FILE, entries, folders, note_small, read_small};
use super::retention_hold::is_held;

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
    /// `None`: for now nothing is too old, because the wall clock jumped.
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
    /// `2026-11-21/INCIDENT`: among sets that were first met together it sorts by age, since incident ids begin with their time.
    key: (String, String),
    age_s: f64,
    bytes: u64,
    on_hold: bool,
}

impl Retention {
    /// Deletes what is too old or too much. A hold on any folder of an incident counts for all of them. `now`: on the delivery's
    /// clock.
    pub fn prune(&self, dir: &Path, now: Moment, protected: &Protected) -> Result<Pruned, FileError> {
        let folders = scan(dir, now)?;
        let mut total: u64 = folders.iter().map(|f| f.bytes).sum();
        let on_hold: BTreeSet<String> =
            folders.iter().filter(|f| f.on_hold).map(|f| f.key.1.clone()).collect();
        let may_go = |f: &Folder| !on_hold.contains(&f.key.1) && !protected.held.contains(&f.key.1);
        let mut order: Vec<(bool, Folder)> = folders
            .into_iter()
            .filter(may_go)
            .map(|f| (protected.unacknowledged.contains(&f.key.1), f))
            .collect();
        order.sort_by(|(a_last, a), (b_last, b)| {
            a_last.cmp(b_last).then(b.age_s.total_cmp(&a.age_s)).then_with(|| a.key.cmp(&b.key))
        });
        let max_age_s = self.max_age_days.map_or(f64::INFINITY, |days| f64::from(days) * 86_400.0);
        let mut pruned = Pruned::default();
        for (unacknowledged, folder) in order {
            let too_old = !unacknowledged && folder.age_s > max_age_s;
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
}

fn scan(dir: &Path, now: Moment) -> Result<Vec<Folder>, FileError> {
    let mut found = Vec::new();
    for day in folders(dir)? {
        for incident in folders(&day)? {
            let files = entries(&incident)?;
            let files = files.iter().filter(|f| f.file_name().is_none_or(|name| name != DATE_FILE));
            let bytes = files.filter_map(|f| f.symlink_metadata().ok()).map(|m| m.len()).sum();
            let age_s = age_s(&incident, now);
            let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let on_hold = is_held(&incident, now);
            found.push(Folder { key: (name(&day), name(&incident)), age_s, path: incident, bytes, on_hold });
        }
    }
    Ok(found)
}

/// How old a set is, s. One that has no date yet, or one that another box's clock gave it, is dated now. A disk that takes no date
/// leaves it new: it goes when room is needed.
fn age_s(set: &Path, now: Moment) -> f64 {
    let dated = read_small(set, DATE_FILE).and_then(|text| serde_json::from_str::<Moment>(&text).ok());
    if let Some(met) = dated.filter(|met| met.mono <= now.mono) {
        return now.age_s(met);
    }
    // Not synced: after an update there are thousands, and this is the core's thread. A lost date makes the set a little younger.
    if let Err(error) = note_small(set, DATE_FILE, &serde_json::to_string(&now).unwrap_or_default()) {
        tracing::debug!(%error, "evidence without a date");
    }
    0.0
}

fn remove_empty_days(dir: &Path) {
    for day in folders(dir).unwrap_or_default() {
        // Fails on a folder that is not empty, which is what we want.
        let _ = std::fs::remove_dir(day);
    }
}
