//! A bundle as a folder or as one file: how its files are written, and how they are unpacked again. A zip, since whoever gets it can
//! open it with what his desk has; not compressed, since pictures and clips are.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use kerbside_crypto::hash;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::names::BundleFile;
use crate::durable::temporary;

/// What a bundle may unpack to, bytes and files: an incident has a few clips of some megabytes.
const MOST_BYTES: u64 = 8 << 30;
const MOST_FILES: usize = 20_000;
/// Files are copied in pieces of that many bytes.
const PIECE: usize = 64 * 1024;

pub(super) fn is_zip(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip"))
}

/// A bundle in the making; [`Bundle::finish`] gives it its name.
pub(super) struct Bundle {
    sink: Sink,
    path: PathBuf,
    files: Vec<BundleFile>,
}

enum Sink {
    Folder,
    Zip(Box<ZipWriter<File>>),
}

impl Bundle {
    /// Nothing that is there already is touched.
    pub(super) fn new(path: &Path) -> anyhow::Result<Bundle> {
        ensure!(!path.exists(), "{}: is there already; name a new one", path.display());
        let temporary = temporary(path);
        let context = || temporary.display().to_string();
        let sink = if is_zip(path) {
            Sink::Zip(Box::new(ZipWriter::new(File::create(&temporary).with_context(context)?)))
        } else {
            std::fs::create_dir(&temporary).with_context(context)?;
            Sink::Folder
        };
        Ok(Bundle { sink, path: path.to_owned(), files: Vec::new() })
    }

    /// Names and hashes of what is in it.
    pub(super) fn files(&self) -> &[BundleFile] {
        &self.files
    }

    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.add_from(name, bytes)
    }

    pub(super) fn add_from(&mut self, name: &str, mut from: impl std::io::Read) -> anyhow::Result<()> {
        let written = (|| {
            let mut piece = vec![0; PIECE];
            let mut hasher = hash::Hasher::new();
            let mut to = self.begin(name)?;
            loop {
                let n = from.read(&mut piece)?;
                let read = piece.get(..n).unwrap_or_default();
                if read.is_empty() {
                    break;
                }
                hasher.update(read);
                to.write_all(read)?;
            }
            Ok::<_, anyhow::Error>(hasher.finish_hex())
        })();
        let (sha256, bytes) = written.with_context(|| format!("{name} into {}", self.path.display()))?;
        self.files.push(BundleFile { path: name.to_owned(), bytes, sha256 });
        Ok(())
    }

    fn begin(&mut self, name: &str) -> anyhow::Result<Box<dyn std::io::Write + '_>> {
        match &mut self.sink {
            Sink::Zip(zip) => {
                let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
                zip.start_file(name, options.large_file(true))?;
                Ok(Box::new(zip))
            }
            Sink::Folder => {
                let path = temporary(&self.path).join(name);
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent)?;
                }
                Ok(Box::new(File::create_new(path)?))
            }
        }
    }

    /// Durable, under its own name.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let temporary = temporary(&self.path);
        let context = || self.path.display().to_string();
        if let Sink::Zip(zip) = self.sink {
            zip.finish().with_context(context)?.sync_all().with_context(context)?;
        }
        std::fs::rename(&temporary, &self.path).with_context(context)
    }
}

/// Unpacks a bundle below `to`. What is larger, elsewhere or otherwise packed than a bundle is refused.
pub(super) fn unpack(path: &Path, to: &Path) -> anyhow::Result<()> {
    let mut archive = ZipArchive::new(File::open(path)?)?;
    ensure!(archive.len() <= MOST_FILES, "{} files are too many for a bundle", archive.len());
    let mut room = MOST_BYTES;
    for i in 0..archive.len() {
        let packed = archive.by_index_raw(i)?.compression();
        ensure!(
            packed == CompressionMethod::Stored,
            "somebody has packed it anew ({packed}): unpack it, and check the folder"
        );
        let entry = archive.by_index(i)?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().to_owned();
        let inside = entry.enclosed_name().with_context(|| format!("{name:?} would lie outside"))?;
        let target = to.join(inside);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut file = File::create_new(&target).with_context(|| format!("{name:?} is in it twice"))?;
        let copied =
            std::io::copy(&mut entry.take(room.saturating_add(1)), &mut file).with_context(|| name)?;
        room = room.checked_sub(copied).context("it is larger than a bundle")?;
    }
    Ok(())
}
