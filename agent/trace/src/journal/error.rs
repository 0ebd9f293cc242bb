//! What can go wrong with a journal.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("journal {path}: cannot {what}: {cause}")]
    Io { what: &'static str, path: PathBuf, cause: std::io::Error },
    #[error("journal record {n} at {path}:{offset} does not read as written")]
    Unreadable { n: u64, path: PathBuf, offset: u64 },
    #[error("journal entry of kind {kind:?} with {bytes} bytes: not a kind, or longer than {limit} bytes")]
    BadEntry { kind: String, bytes: usize, limit: usize },
}

impl JournalError {
    /// There was no room on the disk.
    pub fn is_full(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, JournalError::Io { cause, .. } if matches!(cause.kind(), StorageFull | QuotaExceeded))
    }

    /// The box could not look: it is out of file handles or memory, or may not. No word about what lies on the disk.
    pub fn is_of_the_box(&self) -> bool {
        use rustix::io::Errno;
        let JournalError::Io { cause, .. } = self else { return false };
        let errno = Errno::from_io_error(cause);
        [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::ACCESS, Errno::PERM]
            .iter()
            .any(|e| errno == Some(*e))
    }
}

pub(super) type Result<T> = std::result::Result<T, JournalError>;

/// An error of the file system, with what was tried on which file.
pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.to_owned();
    move |cause| JournalError::Io { what, path, cause }
}
