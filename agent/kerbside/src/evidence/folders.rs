//! The evidence folder: `DAY/SET/` with the files of one incident or command.

use std::path::{Component, Path, PathBuf};

use super::files::{FileError, failed};

/// The folders of one incident, by their names alone.
pub(super) fn folders_of(dir: &Path, incident_id: &str) -> Result<Vec<PathBuf>, FileError> {
    let mut parts = Path::new(incident_id).components();
    let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else { return Ok(Vec::new()) };
    let days = entries(dir)?.into_iter().filter(|day| is_true_folder(day));
    let of_days = days.map(|day| day.join(name));
    Ok(of_days.filter(|folder| is_true_folder(folder)).collect())
}

/// A folder, and no link to one.
pub(super) fn is_true_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|m| m.is_dir())
}

/// What a folder holds; nothing if it does not exist.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let read = std::fs::read_dir(dir).map_err(failed(dir, "listing"))?;
    Ok(read.filter_map(Result::ok).map(|e| e.path()).collect())
}
