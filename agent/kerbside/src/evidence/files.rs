//! Where evidence lies and how a file becomes durable: temporary name, sync, rename, folder synced.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use kerbside_domain::evidence::{EvidenceItem, EvidenceRequest, EvidenceRole};
use kerbside_domain::time::{Moment, rfc3339};
use kerbside_trace::evidence_file;

use crate::durable::{self, create_anew};

/// A file could not be made durable or deleted.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {doing}: {cause}")]
pub struct FileError {
    pub path: PathBuf,
    pub doing: &'static str,
    pub cause: std::io::Error,
}

pub(super) fn failed(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.to_owned();
    move |cause| FileError { path, doing, cause }
}

pub(super) fn role_name(role: EvidenceRole) -> &'static str {
    match role {
        EvidenceRole::Before => "before",
        EvidenceRole::Trigger => "trigger",
        EvidenceRole::Annotated => "annotated",
        EvidenceRole::CloseUp => "close_up",
        EvidenceRole::Sheet => "sheet",
        EvidenceRole::After => "after",
        EvidenceRole::Snapshot => "snapshot",
        EvidenceRole::Clip => "clip",
        EvidenceRole::Manifest => "manifest",
    }
}

fn media_of(role: EvidenceRole) -> (&'static str, &'static str) {
    match role {
        EvidenceRole::Clip => ("mp4", "video/mp4"),
        EvidenceRole::Manifest => ("json", "application/json"),
        _ => ("jpg", "image/jpeg"),
    }
}

/// `DIR/2026-11-21/SET/`, by the day the incident was reported, in the site's own time.
pub(super) fn folder(request: &EvidenceRequest, utc_offset_s: i32) -> PathBuf {
    let day = rfc3339(request.trigger_at.wall_ms, utc_offset_s);
    Path::new(day.get(..10).unwrap_or("undated")).join(request.subject.set_id())
}

/// The ids of masked copies end so; the upload knows them by it.
pub(super) const MASKED: &str = "-masked";

/// The name of one file, before and after it is durable.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    folder: PathBuf,
    id: String,
    role: EvidenceRole,
}

impl Place {
    pub(super) fn new(
        root: &Path,
        request: &EvidenceRequest,
        role: EvidenceRole,
        utc_offset_s: i32,
    ) -> Place {
        let id = format!("r{}-{}", request.revision, role_name(role));
        Place::named(root, request, id, role, utc_offset_s)
    }

    /// With an id of its own; a file is never written twice under one name.
    pub(super) fn named(
        root: &Path,
        request: &EvidenceRequest,
        id: String,
        role: EvidenceRole,
        utc_offset_s: i32,
    ) -> Place {
        Place { root: root.to_owned(), folder: folder(request, utc_offset_s), id, role }
    }

    /// Makes the folder, durably.
    pub(super) fn prepare(&self) -> Result<(), FileError> {
        let folder = self.root.join(&self.folder);
        if folder.is_dir() {
            return Ok(());
        }
        std::fs::create_dir_all(&folder).map_err(failed(&folder, "creating the folder"))?;
        let parents = folder.ancestors().skip(1).take(3).filter(|p| p.is_dir());
        parents.into_iter().try_for_each(sync_folder)
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join(&self.folder).join(self.temporary_name())
    }

    fn temporary_name(&self) -> String {
        format!(".{}{}", self.name(), durable::PART)
    }

    /// The file's own name.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.id, media_of(self.role).0)
    }

    /// Its name says that heads and number plates are masked in it.
    pub(super) fn is_masked(&self) -> bool {
        self.id.ends_with(MASKED)
    }

    /// A child wrote it: what it left there must be a file, and nothing that leads elsewhere.
    pub(super) fn open_temporary(&self) -> std::io::Result<File> {
        evidence_file::open(&self.root, &self.folder.join(self.temporary_name()))
    }

    /// Makes the temporary file durable under its own name.
    pub(super) fn adopt(&self, captured: Moment) -> Result<EvidenceItem, FileError> {
        let temporary = self.temporary();
        let mut file = self.open_temporary().map_err(failed(&temporary, "opening"))?;
        let (sha256, bytes) =
            kerbside_crypto::hash::of_file(&mut file).map_err(failed(&temporary, "reading"))?;
        durable::sync(&file).map_err(failed(&temporary, "syncing"))?;
        let relative = self.folder.join(self.name());
        let path = self.root.join(&relative);
        std::fs::rename(&temporary, &path).map_err(failed(&path, "renaming"))?;
        sync_folder(&self.root.join(&self.folder))?;
        Ok(EvidenceItem {
            id: self.id.clone(),
            role: self.role,
            media: media_of(self.role).1.to_owned(),
            path: relative.to_string_lossy().into_owned(),
            bytes,
            sha256,
            captured,
            masked: false,
            enlarged: None,
            from_sub_stream: false,
            signature: None,
        })
    }

    /// Writes a small file that belongs to this one, durably, before this one is there.
    pub(super) fn write_beside(&self, suffix: &str, bytes: &[u8]) -> Result<(), FileError> {
        self.prepare()?;
        let path = self.root.join(&self.folder).join(self.name() + suffix);
        durable::replace(&path, bytes).map_err(failed(&path, "writing"))
    }

    /// Writes `bytes` under the temporary name.
    pub(super) fn write_temporary(&self, bytes: &[u8]) -> Result<(), FileError> {
        self.prepare()?;
        let temporary = self.temporary();
        let mut file = create_anew(&temporary).map_err(failed(&temporary, "creating"))?;
        file.write_all(bytes).map_err(failed(&temporary, "writing"))
    }

    /// Writes `bytes` and makes them durable.
    pub(super) fn write(&self, bytes: &[u8], captured: Moment) -> Result<EvidenceItem, FileError> {
        self.write_temporary(bytes)?;
        self.adopt(captured)
    }
}

fn sync_folder(path: &Path) -> Result<(), FileError> {
    durable::sync_folder(path).map_err(failed(path, "syncing the folder"))
}
