//! What a signed list says of files: a manifest of evidence as the box wrote it, or the list of a bundle.

use kerbside_crypto::hash;
use kerbside_crypto::sign::PublicKey;
use serde::Serialize;

use super::folder::Folder;
use super::names::{BUNDLE_LIST, BundleList, MANIFEST_SUFFIX};
use super::trace::{self, Covered};
use crate::evidence::{Manifest, SIGNATURE_SUFFIX, Seal};

/// How far a list is to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "why")]
pub(super) enum Signed {
    /// By the key that was given.
    ByTheGivenKey,
    /// By the key that it names itself; none was given.
    ByItsOwnKey,
    /// An older version wrote it, or a box without a key.
    ByNobody,
    /// It is not what was signed, or another key signed it, or it is of another incident.
    Wrongly(String),
}

impl Signed {
    pub(super) fn counts(&self) -> bool {
        matches!(self, Signed::ByTheGivenKey | Signed::ByItsOwnKey)
    }
}

/// A list that was read and judged.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Listing {
    pub(super) path: String,
    pub(super) signed: Signed,
    pub(super) incident_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) camera_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seal: Option<Seal>,
    /// Where the journal holds it, and the checkpoint above that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) covered: Option<Covered>,
    /// Name below the root, and SHA-256 in hex.
    #[serde(skip)]
    pub(super) files: Vec<(String, String)>,
    #[serde(skip)]
    pub(super) is_manifest: bool,
}

impl Listing {
    /// All lists of a folder.
    pub(super) fn all(folder: &Folder, key: Option<PublicKey>) -> anyhow::Result<Vec<Listing>> {
        let mut all = Vec::new();
        for name in folder.names() {
            if name == BUNDLE_LIST {
                all.push(Listing::bundle(folder, name, key)?);
            } else if name.ends_with(MANIFEST_SUFFIX) {
                all.push(Listing::manifest(folder, name, key)?);
            }
        }
        refuse_strangers(&mut all);
        Ok(all)
    }

    fn manifest(folder: &Folder, name: &str, key: Option<PublicKey>) -> anyhow::Result<Listing> {
        let text = folder.read(name)?.unwrap_or_default();
        let Ok(manifest) = serde_json::from_slice::<Manifest>(&text) else {
            return Ok(Listing::unreadable(name, true));
        };
        let parent = Folder::parent(name);
        let beside = |path: &str| {
            let file = path.rsplit('/').next().unwrap_or(path);
            if parent.is_empty() { file.to_owned() } else { format!("{parent}/{file}") }
        };
        let mut listing = Listing {
            path: name.to_owned(),
            signed: signature(folder, name, &text, manifest.seal.as_ref(), key)?,
            incident_id: manifest.incident_id.clone(),
            kind: manifest.kind.map(|kind| kind.as_str().to_owned()),
            camera_id: Some(manifest.camera_id),
            covered: None,
            files: manifest.items.iter().map(|i| (beside(&i.path), i.sha256.clone())).collect(),
            is_manifest: true,
            seal: manifest.seal,
        };
        if listing.signed.counts() {
            listing.place(&folder.place(name));
        }
        if listing.signed.counts() {
            listing.trace(folder, &hash::hex(&hash::of(&text)))?;
        }
        Ok(listing)
    }

    fn bundle(folder: &Folder, name: &str, key: Option<PublicKey>) -> anyhow::Result<Listing> {
        let text = folder.read(name)?.unwrap_or_default();
        let Ok(list) = serde_json::from_slice::<BundleList>(&text) else {
            return Ok(Listing::unreadable(name, false));
        };
        Ok(Listing {
            path: name.to_owned(),
            signed: signature(folder, name, &text, list.seal.as_ref(), key)?,
            incident_id: list.incident_id,
            kind: None,
            camera_id: None,
            seal: list.seal,
            covered: None,
            files: list.files.into_iter().map(|f| (f.path, f.sha256)).collect(),
            is_manifest: false,
        })
    }

    fn unreadable(name: &str, is_manifest: bool) -> Listing {
        Listing {
            path: name.to_owned(),
            signed: Signed::Wrongly("it does not read as the list that it should be".to_owned()),
            incident_id: String::new(),
            kind: None,
            camera_id: None,
            seal: None,
            covered: None,
            files: Vec::new(),
            is_manifest,
        }
    }

    /// In `DAY/INCIDENT/` only the incident's own manifests may lie.
    fn place(&mut self, parent: &str) {
        let mut above = parent.rsplit('/');
        let (set, day) = (above.next().unwrap_or_default(), above.next().unwrap_or_default());
        let is_day = day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if is_day && set != self.incident_id {
            self.signed =
                Signed::Wrongly(format!("it is of incident {}, and lies with {set}", self.incident_id));
        }
    }

    /// The excerpt of the journal beside it, if it was handed out.
    fn trace(&mut self, folder: &Folder, sha256: &str) -> anyhow::Result<()> {
        let Some(seal) = &self.seal else { return Ok(()) };
        let Some(text) = folder.read(&trace::name_of(&self.path))? else { return Ok(()) };
        match trace::check(&text, sha256, seal) {
            Ok(covered) => self.covered = Some(covered),
            Err(why) => self.signed = Signed::Wrongly(format!("{}: {why}", trace::name_of(&self.path))),
        }
        Ok(())
    }
}

/// Where no folder name says which incident it is, all must be of one.
fn refuse_strangers(all: &mut [Listing]) {
    let flat = |listing: &Listing| Folder::parent(&listing.path).is_empty() && listing.signed.counts();
    let Some(first) = all.iter().find(|l| flat(l)).map(|l| l.incident_id.clone()) else { return };
    for other in all.iter_mut().filter(|l| flat(l) && l.incident_id != first) {
        other.signed =
            Signed::Wrongly(format!("it is of incident {}, and lies with {first}", other.incident_id));
    }
    let Some(bundle) = all.iter().find(|l| !l.is_manifest && l.signed.counts()) else { return };
    let incident = bundle.incident_id.clone();
    for other in all.iter_mut().filter(|l| l.signed.counts() && l.incident_id != incident) {
        other.signed =
            Signed::Wrongly(format!("it is of incident {}, the bundle of {incident}", other.incident_id));
    }
}

fn signature(
    folder: &Folder,
    name: &str,
    text: &[u8],
    seal: Option<&Seal>,
    key: Option<PublicKey>,
) -> anyhow::Result<Signed> {
    let Some(signature) = folder.read(&format!("{name}{SIGNATURE_SUFFIX}"))? else {
        return Ok(match seal {
            Some(_) => Signed::Wrongly(format!("its signature, {name}{SIGNATURE_SUFFIX}, is missing")),
            None => Signed::ByNobody,
        });
    };
    let own = seal.map(|seal| seal.key);
    let is_by = |key: Option<PublicKey>| key.is_some_and(|key| key.verifies_bytes(text, &signature));
    Ok(match (key, own) {
        (Some(key), _) if is_by(Some(key)) => Signed::ByTheGivenKey,
        (Some(key), Some(own)) if is_by(Some(own)) => {
            Signed::Wrongly(format!("signed by {own}, not by {key}"))
        }
        (None, own) if is_by(own) => Signed::ByItsOwnKey,
        _ => Signed::Wrongly("the signature does not fit: the list or the signature was changed".to_owned()),
    })
}
