//! The files that are to be judged, by their names below a root: of a folder, of a bundle, or single ones in a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use super::bundle;

/// Folders below the root: `evidence/DAY/INCIDENT`, with one to spare.
const DEEPEST: usize = 4;
/// Files that are looked at; more is something else than evidence.
const MOST_FILES: usize = 200_000;
/// A manifest, a list, a trace. Longer ones are not read.
const LONGEST_TEXT: u64 = 32 << 20;

#[derive(Debug)]
pub(super) struct Folder {
    /// Regular files, by their path below the root with `/`.
    files: BTreeMap<String, PathBuf>,
    /// Only these are judged; `None`: all.
    chosen: Option<BTreeSet<String>>,
    /// The last two names of the path of the root: on the box, day and incident.
    location: String,
    /// A bundle lies unpacked here while it is judged.
    _unpacked: Option<tempfile::TempDir>,
}

impl Folder {
    /// One bundle, one folder, or files of one folder.
    pub(super) fn of(paths: &[PathBuf]) -> anyhow::Result<Folder> {
        match paths {
            [one] if one.is_dir() => Folder::below(one, None),
            [one] if bundle::is_zip(one) => {
                let unpacked = tempfile::tempdir().context("a temporary folder")?;
                bundle::unpack(one, unpacked.path()).with_context(|| one.display().to_string())?;
                Folder::below(unpacked.path(), None).map(|f| Folder { _unpacked: Some(unpacked), ..f })
            }
            files => Folder::single(files),
        }
    }

    fn below(root: &Path, chosen: Option<BTreeSet<String>>) -> anyhow::Result<Folder> {
        let mut files = BTreeMap::new();
        walk(root, "", DEEPEST, &mut files)?;
        let path = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let names: Vec<_> = path.iter().rev().take(2).map(|name| name.to_string_lossy()).collect();
        let location = names.into_iter().rev().collect::<Vec<_>>().join("/");
        Ok(Folder { files, chosen, location, _unpacked: None })
    }

    fn single(paths: &[PathBuf]) -> anyhow::Result<Folder> {
        let mut parent: Option<PathBuf> = None;
        let mut chosen = BTreeSet::new();
        for path in paths {
            ensure!(path.is_file(), "{}: no such file", path.display());
            let own = match path.parent() {
                Some(own) if !own.as_os_str().is_empty() => own,
                _ => Path::new("."),
            };
            if parent.get_or_insert_with(|| own.to_owned()) != own {
                bail!("{}: files of one folder at a time, or the folder", path.display());
            }
            chosen.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
        let parent = parent.context("no file was named")?;
        Folder::below(&parent, Some(chosen))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Whether this file is to be judged.
    pub(super) fn is_chosen(&self, name: &str) -> bool {
        self.chosen.as_ref().is_none_or(|chosen| chosen.contains(name))
    }

    /// What is missing shows only where a whole folder is judged.
    pub(super) fn is_whole(&self) -> bool {
        self.chosen.is_none()
    }

    /// The bytes of a short file; `None`: it is not there.
    pub(super) fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(path) = self.files.get(name) else { return Ok(None) };
        let bytes = path.metadata().with_context(|| path.display().to_string())?.len();
        ensure!(
            bytes <= LONGEST_TEXT,
            "{}: {bytes} bytes are too many for what it should be",
            path.display()
        );
        std::fs::read(path).map(Some).with_context(|| path.display().to_string())
    }

    /// SHA-256 in hex; `None`: it is not there.
    pub(super) fn sha256(&self, name: &str) -> anyhow::Result<Option<String>> {
        let Some(path) = self.files.get(name) else { return Ok(None) };
        let hashed = File::open(path).and_then(|mut file| kerbside_crypto::hash::of_file(&mut file));
        hashed.map(|(sha256, _)| Some(sha256)).with_context(|| path.display().to_string())
    }

    /// The folder of a file, below the root; empty: the root itself.
    pub(super) fn parent(name: &str) -> &str {
        name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The same with the names of the root.
    pub(super) fn place(&self, name: &str) -> String {
        let parent = Folder::parent(name);
        if parent.is_empty() { self.location.clone() } else { format!("{}/{parent}", self.location) }
    }
}

/// Regular files only: a link could lead to anything.
fn walk(dir: &Path, below: &str, depth: usize, files: &mut BTreeMap<String, PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    for entry in entries {
        let entry = entry.with_context(|| dir.display().to_string())?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().with_context(|| entry.path().display().to_string())?;
        if kind.is_file() {
            files.insert(name, entry.path());
            ensure!(files.len() <= MOST_FILES, "{}: more than {MOST_FILES} files", dir.display());
        } else if kind.is_dir() && depth > 0 {
            walk(&entry.path(), &format!("{name}/"), depth - 1, files)?;
        }
    }
    Ok(())
}
