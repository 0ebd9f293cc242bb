//! Files that are whole under their name or not there at all: temporary name, sync, rename, folder synced. A power cut leaves the
//! old file or the new one.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Ending of a file that is being written; its name begins with a dot.
pub(crate) const PART: &str = ".part";

/// Writes a file durably.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes)?;
    sync_folder(folder(path))
}

/// The same; every user of the machine can read it, whatever the umask says.
pub(crate) fn write_public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, Some(0o644))?;
    sync_folder(folder(path))
}

/// Whole under its name; durable once its folder is synced.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, None)
}

fn put(path: &Path, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    let temporary = temporary(path);
    let mut file = create_anew(&temporary)?;
    if let Some(mode) = mode {
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    file.write_all(bytes)?;
    sync(&file)?;
    std::fs::rename(&temporary, path)
}

/// The name of a file while it is written.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}{PART}"))
}

/// Never through a link that somebody left under that name.
pub(crate) fn create_anew(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    File::options().write(true).create_new(true).open(path)
}

/// What was written to `file` is on the disk.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    #[cfg(test)]
    SYNCS.with(|syncs| syncs.set(syncs.get() + 1));
    file.sync_all()
}

/// The names in a folder are on the disk.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    sync(&File::open(path)?)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
thread_local! {
    /// How often this thread waited for the disk.
    pub(crate) static SYNCS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, foreign) = (dir.path().join("chain.pem"), dir.path().join("foreign"));
        std::fs::write(&foreign, "as it was").unwrap();
        std::os::unix::fs::symlink(&foreign, dir.path().join(".chain.pem.part")).unwrap();
        write(&path, b"one").unwrap();
        write_public(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read(&foreign).unwrap(), b"as it was");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left over");
    }
}
