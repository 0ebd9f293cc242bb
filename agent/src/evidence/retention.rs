//! Retention: the evidence folder stays within its bytes and age; the oldest incident goes first, whole.

use std::path::{Path, PathBuf};

use super::files::{FileError, failed};

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
    /// The disk lacks that much: so much goes, whatever the other limits say.
    pub lacking: u64,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// `2026-11-21/INCIDENT`: sorts by age, since incident ids begin with their time.
    key: (String, String),
    bytes: u64,
}

impl Retention {
    /// Deletes what is too old by `now_wall_ms` or too much, but nothing of the incidents in `held`.
    pub fn prune(&self, dir: &Path, now_wall_ms: i64, held: &[String]) -> Result<Pruned, FileError> {
        let mut folders = scan(dir)?;
        folders.sort_by(|a, b| a.key.cmp(&b.key));
        let mut total: u64 = folders.iter().map(|f| f.bytes).sum();
        let oldest_ms = now_wall_ms - i64::from(self.max_age_days) * 86_400_000;
        // A day of slack: days are in the site's own time.
        let oldest_day = crate::time::rfc3339(oldest_ms - 86_400_000, 0);
        let mut pruned = Pruned::default();
        for folder in folders.iter().filter(|f| !held.contains(&f.key.1)) {
            let too_old = folder.key.0.as_str() < oldest_day.get(..10).unwrap_or("");
            if !too_old && total <= self.max_bytes && pruned.bytes >= self.lacking {
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

fn scan(dir: &Path) -> Result<Vec<Folder>, FileError> {
    let mut folders = Vec::new();
    for day in entries(dir)? {
        for incident in entries(&day)? {
            let bytes = entries(&incident)?.iter().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
            let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            folders.push(Folder { key: (name(&day), name(&incident)), path: incident, bytes });
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
