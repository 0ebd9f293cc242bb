//! The evidence folder: `DAY/SET/` with the files of one incident or command, and the box's own marks beside them.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

use super::files::{FileError, failed};
use crate::durable::{self, PART};

/// When a set was first met, on the delivery's clock, which counts on over restarts.
pub(super) const DATE_FILE: &str = ".first-met";
/// The set is not to be deleted.
pub(super) const HOLD_FILE: &str = ".hold";
/// Ending of a file that is being signed; its name begins with a dot.
pub(super) const SIGNED: &str = ".signed";

/// Whether a file beside the evidence is the box's own mark, or one that was being written. By its name alone; no evidence begins
/// with a dot.
pub(crate) fn is_mark(name: &str) -> bool {
    let is_unfinished = [PART, SIGNED].iter().any(|ending| name.ends_with(ending));
    [DATE_FILE, HOLD_FILE].contains(&name) || name.starts_with('.') && is_unfinished
}

/// The folders of one incident, by their names alone.
pub(crate) fn folders_of(dir: &Path, incident_id: &str) -> Result<Vec<PathBuf>, FileError> {
    let mut parts = Path::new(incident_id).components();
    let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else { return Ok(Vec::new()) };
    let of_days = folders(dir)?.into_iter().map(|day| day.join(name));
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

/// The same written durably, through no link.
pub(super) fn write_small(folder: &Path, name: &str, text: &str) -> Result<(), FileError> {
    let written = write_over(&folder.join(name), text).and_then(|file| durable::sync(&file));
    written.map_err(failed(&folder.join(name), "writing"))
}

/// The same without waiting for the disk: for what is found out again after a power cut. What was there before is written over in
/// place, so that the file is never empty in between.
pub(super) fn note_small(folder: &Path, name: &str, text: &str) -> Result<(), FileError> {
    write_over(&folder.join(name), text).map(drop).map_err(failed(&folder.join(name), "writing"))
}

fn write_over(path: &Path, text: &str) -> std::io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let mut file = File::options().write(true).create(true).truncate(false).custom_flags(flags).open(path)?;
    file.write_all(text.as_bytes())?;
    let end = file.stream_position()?;
    file.set_len(end)?;
    Ok(file)
}

/// A folder, and no link to one.
pub(super) fn is_true_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|m| m.is_dir())
}

/// The folders in a folder, without those that a link leads to: nothing outside of the evidence folder is looked at or deleted.
pub(super) fn folders(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    Ok(entries(dir)?.into_iter().filter(|path| is_true_folder(path)).collect())
}

/// What a folder holds; nothing if it does not exist.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let read = std::fs::read_dir(dir).map_err(failed(dir, "listing"))?;
    Ok(read.filter_map(Result::ok).map(|e| e.path()).collect())
}
