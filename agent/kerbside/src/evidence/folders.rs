//! The evidence folder: `DAY/SET/` with the files of one incident or command.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

use super::files::{FileError, failed};

/// The folders of one incident, by their names alone.
pub(crate) fn folders_of(dir: &Path, incident_id: &str) -> Result<Vec<PathBuf>, FileError> {
    let mut parts = Path::new(incident_id).components();
    let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else { return Ok(Vec::new()) };
    let days = entries(dir)?.into_iter().filter(|day| is_true_folder(day));
    let of_days = days.map(|day| day.join(name));
    Ok(of_days.filter(|folder| is_true_folder(folder)).collect())
}

/// Longer text is none of ours, bytes.
const SMALL: u64 = 256;

/// A small file of the box's own beside the evidence; through no link.
pub(super) fn read_small(folder: &Path, name: &str) -> Option<String> {
    let file = kerbside_trace::evidence_file::open(folder, Path::new(name)).ok()?;
    let mut text = String::new();
    file.take(SMALL).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The same written, through no link.
pub(super) fn write_small(folder: &Path, name: &str, text: &str) -> Result<(), FileError> {
    let file = folder.join(name);
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let options = File::options().write(true).create(true).truncate(true).custom_flags(flags).open(&file);
    let written = options.and_then(|mut open| {
        open.write_all(text.as_bytes())?;
        open.sync_all()
    });
    written.map_err(failed(&file, "writing"))
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
