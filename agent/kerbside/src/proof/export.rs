//! `kerbside evidence export`: everything of an incident in one bundle, with what is needed to check it without the box: the
//! signatures, the excerpt of the journal up to the checkpoint that covers each manifest, the public key, and how to do it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use kerbside_crypto::hash;
use kerbside_crypto::sign::SigningKey;
use kerbside_trace::delivery::KEY_FILE;
use kerbside_trace::evidence_file;
use kerbside_trace::journal::audit;

use super::bundle::Bundle;
use super::names::{BUNDLE_LIST, BundleList, MANIFEST_SUFFIX, PUBLIC_KEY, README};
use super::trace::{self, Excerpts};
use crate::evidence::{Manifest, SIGNATURE_SUFFIX, Seal, folders_of};

const README_TEXT: &str = include_str!("export/README.txt");

/// One manifest of the incident, as it lies on the box.
struct OnTheBox {
    /// Below the evidence folder, with `/`.
    name: String,
    text: Vec<u8>,
    manifest: Manifest,
}

pub(super) fn run(incident: &str, data: &Path, to: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let root = data.join("evidence");
    let manifests = manifests(&root, incident)?;
    let mut excerpts = excerpts(data, &manifests)?;
    // Without it the list of the bundle is not signed; the manifests are.
    let key = SigningKey::read(&data.join(KEY_FILE));
    let seal = manifests.iter().rev().find_map(|m| m.manifest.seal.clone());
    let mut bundle = Bundle::new(to)?;
    let mut notes = Vec::new();
    for one in &manifests {
        bundle.add(&one.name, &one.text)?;
        signature(&mut bundle, &root, one, &mut notes)?;
        match excerpts.take(&one.name) {
            Some(text) => bundle.add(&trace::name_of(&one.name), text.as_bytes())?,
            None => notes.push(format!("{}: no checkpoint covers it yet", one.name)),
        }
    }
    files(&mut bundle, &root, &manifests, &mut notes)?;
    let public = key.as_ref().map(SigningKey::public).ok().or(seal.as_ref().map(|seal| seal.key));
    if let Some(public) = public {
        bundle.add(PUBLIC_KEY, public.to_pem().as_bytes())?;
    }
    bundle.add(README, README_TEXT.as_bytes())?;
    list(&mut bundle, incident, seal, &key)?;
    if let Err(error) = key {
        notes.push(format!("the list of the bundle is not signed: {error}"));
    }
    let count = bundle.files().len();
    bundle.finish()?;
    writeln!(out, "{}: {count} files of incident {incident}", to.display()).context("standard output")?;
    notes.iter().try_for_each(|note| writeln!(out, "  {note}")).context("standard output")
}

fn manifests(root: &Path, incident: &str) -> anyhow::Result<Vec<OnTheBox>> {
    let mut all = Vec::new();
    for folder in folders_of(root, incident)? {
        let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for path in entries.filter_map(Result::ok).map(|e| e.path()) {
            let name = relative(root, &path);
            if !name.ends_with(MANIFEST_SUFFIX) {
                continue;
            }
            let text =
                evidence_file::read(root, Path::new(&name)).with_context(|| path.display().to_string())?;
            let manifest = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
            all.push(OnTheBox { name, text, manifest });
        }
    }
    ensure!(!all.is_empty(), "{}: no evidence of incident {incident}", root.display());
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// Reads the whole journal once; without one the bundle has no excerpts.
fn excerpts(data: &Path, manifests: &[OnTheBox]) -> anyhow::Result<Excerpts> {
    let wanted: BTreeMap<String, String> =
        manifests.iter().map(|m| (m.name.clone(), hash::hex(&hash::of(&m.text)))).collect();
    let mut excerpts = Excerpts::of(wanted);
    let folder = audit::folder(data);
    if folder != data {
        audit::read(&folder, &mut |record, line| excerpts.record(record, line))?;
    }
    Ok(excerpts)
}

fn signature(
    bundle: &mut Bundle,
    root: &Path,
    one: &OnTheBox,
    notes: &mut Vec<String>,
) -> anyhow::Result<()> {
    let name = format!("{}{SIGNATURE_SUFFIX}", one.name);
    if let Ok(file) = evidence_file::open(root, Path::new(&name)) {
        return bundle.add_from(&name, file);
    }
    notes.push(format!("{}: not signed", one.name));
    Ok(())
}

/// What the manifests name. Anything else in the folder is nobody's evidence and stays.
fn files(
    bundle: &mut Bundle,
    root: &Path,
    manifests: &[OnTheBox],
    notes: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut named: BTreeMap<String, &str> = BTreeMap::new();
    for one in manifests {
        let folder = one.name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for item in &one.manifest.items {
            let file = item.path.rsplit('/').next().unwrap_or(&item.path);
            named.insert(format!("{folder}/{file}"), &item.sha256);
        }
    }
    for (name, sha256) in named {
        let Ok(file) = evidence_file::open(root, Path::new(&name)) else {
            notes.push(format!("{name}: is gone"));
            continue;
        };
        bundle.add_from(&name, file)?;
        if bundle.files().last().is_some_and(|added| added.sha256 != sha256) {
            notes.push(format!("{name}: is not as it was signed"));
        }
    }
    Ok(())
}

/// What was handed out, signed: what is taken out of the bundle, or put in, shows.
fn list(
    bundle: &mut Bundle,
    incident: &str,
    seal: Option<Seal>,
    key: &Result<SigningKey, impl std::error::Error>,
) -> anyhow::Result<()> {
    let seal = key.as_ref().ok().and_then(|key| seal.map(|seal| Seal { key: key.public(), ..seal }));
    let list =
        BundleList { version: 1, incident_id: incident.to_owned(), seal, files: bundle.files().to_vec() };
    let mut text = serde_json::to_vec_pretty(&list).context("the list of the bundle")?;
    text.push(b'\n');
    bundle.add(BUNDLE_LIST, &text)?;
    if let (Ok(key), true) = (key, list.seal.is_some()) {
        bundle.add(&format!("{BUNDLE_LIST}{SIGNATURE_SUFFIX}"), &key.sign_bytes(&text))?;
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> String {
    let below: PathBuf = path.strip_prefix(root).unwrap_or(path).to_owned();
    below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}
