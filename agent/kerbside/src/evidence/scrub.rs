//! Scrub: reads evidence again, slowly, and compares it with what was signed. A disk loses bits without a word; found early, the
//! centre can still ask for what else there is.
//!
//! One file in some minutes, in small pieces between the stage's other work. Where it stands, what it found and what of that was
//! reported lies in `scrub.json` beside the evidence folder, so that a restart goes on there, each finding is reported, and `doctor`
//! can tell. A finding is marked as reported once its report is durable; a power cut between the two has it reported twice.

mod state;
mod walk;

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use kerbside_crypto::hash;
use kerbside_domain::time::{Moment, Mono, rfc3339};
use kerbside_trace::evidence_file;

pub use state::{DamagedFile, SCRUB_FILE, ScrubState};

use super::manifest::Manifest;
use super::seal::SIGNATURE_SUFFIX;
use super::tuning::{SCRUB_PERIOD_S, SCRUB_PIECE_BYTES};

/// Makes a finding known; false: not now, it is asked again.
pub type Report = Box<dyn FnMut(&DamagedFile) -> bool + Send>;

/// One file that a manifest names.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    /// Below the evidence folder.
    path: String,
    sha256: String,
    manifest: String,
}

/// A file that is being read.
struct Reading {
    listed: Listed,
    file: File,
    hasher: hash::Hasher,
}

pub struct Scrub {
    root: PathBuf,
    state_file: PathBuf,
    utc_offset_s: i32,
    state: ScrubState,
    /// Files of the manifest in hand.
    listed: VecDeque<Listed>,
    /// Files of the folder in hand that were read: two manifests may name one.
    read: BTreeSet<String>,
    reading: Option<Reading>,
    due: Mono,
    report: Report,
}

impl std::fmt::Debug for Scrub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scrub({}, {:?})", self.root.display(), self.state)
    }
}

impl Scrub {
    /// `root`: the evidence folder.
    pub fn new(root: PathBuf, utc_offset_s: i32, report: Report) -> Scrub {
        let state_file = root.with_file_name(SCRUB_FILE);
        Scrub {
            state: ScrubState::read(&state_file).unwrap_or_default(),
            root,
            state_file,
            utc_offset_s,
            listed: VecDeque::new(),
            read: BTreeSet::new(),
            reading: None,
            due: Mono::ZERO,
            report,
        }
    }

    pub fn state(&self) -> &ScrubState {
        &self.state
    }

    /// A piece of work, small enough to do between others.
    pub fn turn(&mut self, now: Moment) {
        self.make_known();
        match self.reading.take() {
            Some(reading) => self.go_on(reading, now),
            None if now.mono >= self.due => self.next(now),
            None => {}
        }
    }

    fn make_known(&mut self) {
        let mut is_news = false;
        while let Some(found) = self.state.unreported() {
            found.reported = (self.report)(found);
            if !found.reported {
                break;
            }
            is_news = true;
        }
        if is_news {
            self.save();
        }
    }

    fn go_on(&mut self, mut reading: Reading, now: Moment) {
        let mut piece = vec![0; SCRUB_PIECE_BYTES];
        match reading.file.read(&mut piece) {
            Ok(0) => {
                let (found, _) = reading.hasher.finish_hex();
                let Listed { path, sha256, manifest } = reading.listed;
                let why =
                    (found != sha256).then(|| format!("its SHA-256 is {found}, {manifest} says {sha256}"));
                self.checked(path, why, now);
            }
            Ok(n) => {
                reading.hasher.update(piece.get(..n).unwrap_or_default());
                self.reading = Some(reading);
            }
            Err(error) => self.checked(reading.listed.path, Some(format!("cannot be read: {error}")), now),
        }
    }

    /// The next file: of the manifest in hand, or of the next manifest.
    fn next(&mut self, now: Moment) {
        let Some(listed) = self.listed.pop_front() else { return self.next_manifest(now) };
        match evidence_file::open(&self.root, Path::new(&listed.path)) {
            Ok(file) => self.reading = Some(Reading { listed, file, hasher: hash::Hasher::new() }),
            // Gone with its manifest: it was deleted when its time was over.
            Err(_) if !self.root.join(&listed.manifest).exists() => {}
            Err(error) => {
                let why = format!("{} names it, and it cannot be read: {error}", listed.manifest);
                self.checked(listed.path, Some(why), now);
            }
        }
    }

    fn next_manifest(&mut self, now: Moment) {
        self.due = now.mono.plus_s(SCRUB_PERIOD_S);
        let Some(manifest) = walk::next_manifest(&self.root, &self.state.cursor) else {
            self.state.rounds += u64::from(!self.state.cursor.is_empty());
            self.state.cursor.clear();
            self.state.forget_deleted(&self.root);
            return self.save();
        };
        if folder(&manifest) != folder(&self.state.cursor) {
            self.read.clear();
        }
        self.state.cursor.clone_from(&manifest);
        match self.items(&manifest) {
            Ok(listed) => (self.listed, self.due) = (listed, now.mono),
            Err(_) if !self.root.join(&manifest).exists() => {}
            Err(why) => self.checked(manifest, Some(why), now),
        }
    }

    /// What a manifest names, if it is as it was signed; else why not.
    fn items(&self, name: &str) -> Result<VecDeque<Listed>, String> {
        let read = |name: &str| evidence_file::read(&self.root, Path::new(name));
        let text = read(name).map_err(|e| format!("cannot be read: {e}"))?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|_| "does not read as a manifest".to_owned())?;
        if let Some(seal) = &manifest.seal {
            let signature = read(&format!("{name}{SIGNATURE_SUFFIX}"));
            if !seal.key.verifies_bytes(&text, &signature.unwrap_or_default()) {
                return Err("its signature does not fit".to_owned());
            }
        }
        let beside = |path: &str| format!("{}{}", folder(name), path.rsplit('/').next().unwrap_or(path));
        let listed = manifest.items.into_iter().map(|item| Listed {
            path: beside(&item.path),
            sha256: item.sha256,
            manifest: name.to_owned(),
        });
        Ok(listed.filter(|l| !self.read.contains(&l.path) && !self.state.knows(&l.path)).collect())
    }

    /// A file was looked at; the next one is for later.
    fn checked(&mut self, path: String, why: Option<String>, now: Moment) {
        self.due = now.mono.plus_s(SCRUB_PERIOD_S);
        self.state.checked += 1;
        self.read.insert(path.clone());
        if let Some(why) = why.filter(|_| !self.state.knows(&path)) {
            tracing::error!(path, why, "evidence is not as it was written");
            let found =
                DamagedFile { path, why, found_at: rfc3339(now.wall_ms, self.utc_offset_s), reported: false };
            self.state.damaged(found);
        }
        self.save();
    }

    fn save(&self) {
        if let Err(error) = self.state.write(&self.state_file) {
            tracing::debug!(%error, "where the scrub stands is not saved");
        }
    }
}

/// With its slash.
fn folder(name: &str) -> &str {
    name.rfind('/').and_then(|end| name.get(..=end)).unwrap_or_default()
}

/// The scrub's state beside an evidence folder; `None`: nothing was scrubbed there.
pub fn scrub_state(data_dir: &Path) -> Option<ScrubState> {
    ScrubState::read(&data_dir.join(SCRUB_FILE))
}
