//! Files of the evidence folder by the names that manifests and grants give them: regular files below it, and nothing that a link
//! leads to. Whoever can write there must not make the box send, or overwrite, another file of its own.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags};

/// Opens a file for reading. A link, a pipe, a device or a folder is an error at once, wherever in `path` it stands.
pub fn open(dir: &Path, path: &Path) -> io::Result<File> {
    let mut parts = path.components().peekable();
    // Where the folder itself lies is the operator's choice.
    let mut at = File::open(dir)?;
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(other("not below the evidence folder")) };
        // A pipe that nobody writes to would otherwise block; for regular files it means nothing.
        let kind = if parts.peek().is_some() { OFlags::DIRECTORY } else { OFlags::NONBLOCK };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | kind;
        at = rustix::fs::openat(&at, name, flags, Mode::empty()).map_err(no_link)?.into();
    }
    if at.metadata()?.is_file() { Ok(at) } else { Err(other("not a regular file")) }
}

/// All bytes of a file, opened in the same way.
pub fn read(dir: &Path, path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(dir, path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn no_link(error: rustix::io::Errno) -> io::Error {
    match error {
        rustix::io::Errno::LOOP => other("a link is not followed"),
        error => error.into(),
    }
}

fn other(why: &str) -> io::Error {
    io::Error::other(why)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_a_regular_file_below_the_folder_is_opened_and_nothing_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let (root, set) = (dir.path().join("evidence"), dir.path().join("evidence/day/set"));
        std::fs::create_dir_all(&set).unwrap();
        std::fs::write(set.join("clip.mp4"), "film").unwrap();
        std::fs::write(dir.path().join("box.key"), "secret").unwrap();
        symlink(dir.path().join("box.key"), set.join("link")).unwrap();
        symlink(dir.path(), root.join("day/away")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, set.join("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0)
            .unwrap();
        let read = |path: &str| {
            let mut text = String::new();
            open(&root, Path::new(path)).and_then(|mut f| f.read_to_string(&mut text)).map(|_| text)
        };
        assert_eq!(read("day/set/clip.mp4").unwrap(), "film");
        for (path, why) in [
            ("day/set/link", "a link is not followed"),
            ("day/set/pipe", "not a regular file"),
            ("day/set", "not a regular file"),
            ("day/set/none", "No such file"),
            ("day/away/box.key", "Not a directory"),
            ("../box.key", "not below"),
            ("/etc/hostname", "not below"),
        ] {
            let error = read(path).unwrap_err().to_string();
            assert!(error.contains(why), "{path}: {error}");
        }
    }
}
