//! Retention: the evidence folder stays within its bytes and age; the oldest incident goes first, whole.

use std::path::{Path, PathBuf};

use super::files::{FileError, failed};
use super::hold::MARK;

/// What was deleted, for the journal and the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub incidents: u64,
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub max_bytes: u64,
    pub max_age_days: u32,
    /// Bytes that must become free besides, whatever the rest says.
    pub short_of: u64,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// `2026-11-21/INCIDENT`: sorts by age, since incident ids begin with their time.
    key: (String, String),
    bytes: u64,
    held: bool,
}

impl Retention {
    /// Deletes what is too old by `now_wall_ms` or too much, but nothing of the incidents in `held`, nor what has a hold on it.
    pub fn prune(&self, dir: &Path, now_wall_ms: i64, held: &[String]) -> Result<Pruned, FileError> {
        let mut folders = scan(dir)?;
        folders.sort_by(|a, b| a.key.cmp(&b.key));
        let mut total: u64 = folders.iter().map(|f| f.bytes).sum();
        let oldest_ms = now_wall_ms - i64::from(self.max_age_days) * 86_400_000;
        // A day of slack: days are in the site's own time.
        let oldest_day = crate::time::rfc3339(oldest_ms - 86_400_000, 0);
        let mut pruned = Pruned::default();
        for folder in folders.iter().filter(|f| !f.held && !held.contains(&f.key.1)) {
            let too_old = folder.key.0.as_str() < oldest_day.get(..10).unwrap_or("");
            if !too_old && total <= self.max_bytes && pruned.bytes >= self.short_of {
                continue;
            }
            std::fs::remove_dir_all(&folder.path).map_err(failed(&folder.path, "deleting"))?;
            total -= folder.bytes;
            pruned.incidents += 1;
            pruned.bytes += folder.bytes;
        }
        remove_empty_days(dir);
        Ok(pruned)
    }
}

/// The folders of one incident, by their names alone.
pub(super) fn folders_of(dir: &Path, incident_id: &str) -> Result<Vec<PathBuf>, FileError> {
    let all = scan(dir)?.into_iter();
    Ok(all.filter(|f| f.key.1 == incident_id).map(|f| f.path).collect())
}

fn scan(dir: &Path) -> Result<Vec<Folder>, FileError> {
    let mut folders = Vec::new();
    for day in entries(dir)? {
        for incident in entries(&day)? {
            let bytes = entries(&incident)?.iter().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
            let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let held = incident.join(MARK).exists();
            folders.push(Folder { key: (name(&day), name(&incident)), path: incident, bytes, held });
        }
    }
    Ok(folders)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let read = std::fs::read_dir(dir).map_err(failed(dir, "listing"))?;
    Ok(read.filter_map(Result::ok).map(|e| e.path()).collect())
}

fn remove_empty_days(dir: &Path) {
    for day in entries(dir).unwrap_or_default() {
        // Fails on a folder that is not empty, which is what we want.
        let _ = std::fs::remove_dir(day);
    }
}
