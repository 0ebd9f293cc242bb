//! A copy of the networks that worked last, for the day on which the configured ones do not.
//!
//! A network works if it passes the trial of its loading (`onnx::trial`). Then its manifest and model are copied below the
//! data folder. If the next network is truncated, damaged, endless or does not fit, the copy is used instead.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kerbside_site::config::Models;

use crate::cascade::Cascade;
use crate::detector::Detector;
use crate::error::LoadError;
use crate::manifest::Manifest;
use crate::networks::{Manifests, load, load_cascade, only_words};

/// Where the copies lie below the data folder.
pub const FOLDER: &str = "models";

/// The networks of a site, ready to use.
#[derive(Debug)]
pub struct Networks {
    /// One a worker.
    pub cascades: Vec<Cascade>,
    pub manifests: Manifests,
    /// As configured, with the manifests that are really used.
    pub models: Models,
}

/// Loads what the site names. What cannot be used is logged by name and replaced by its copy in `last_good`; without a copy there
/// are no close-ups, or it is the error. `limit`: of one run.
pub fn load_or_last_good(models: &Models, last_good: &Path, limit: Duration) -> Result<Networks, LoadError> {
    let runtime = models.runtime.as_deref();
    let street = models.street.as_deref().ok_or(LoadError::NotConfigured)?;
    let street = tried_or_last_good(street, &last_good.join("street"), runtime, limit, Ok)?;
    let close_up = models.close_up.as_deref().and_then(|close_up| {
        let used = tried_or_last_good(close_up, &last_good.join("close_up"), runtime, limit, Ok);
        used.inspect_err(|error| tracing::error!(%error, "no close-ups until this is mended")).ok()
    });
    let witness = models.witness.as_deref().and_then(|witness| {
        let used = tried_or_last_good(witness, &last_good.join("witness"), runtime, limit, only_words);
        used.inspect_err(|error| tracing::error!(%error, "no second witness until this is mended")).ok()
    });
    let used = Models {
        street: Some(street.manifest.path.clone()),
        close_up: close_up.as_ref().map(|network| network.manifest.path.clone()),
        witness: witness.as_ref().map(|network| network.manifest.path.clone()),
        ..models.clone()
    };
    let (close_up, close_up_manifest) = close_up.map(|n| (n.detector, n.manifest)).unzip();
    let (witness, witness_manifest) = witness.map(|n| (n.detector, n.manifest)).unzip();
    let manifests =
        Manifests { street: street.manifest, close_up: close_up_manifest, witness: witness_manifest };
    let mut cascades = vec![Cascade::new(street.detector, close_up).with_witness(witness)];
    for _ in 1..models.workers {
        cascades.push(load_cascade(&used, limit)?.0);
    }
    Ok(Networks { cascades, manifests, models: used })
}

type Loaded = (Box<dyn Detector>, Manifest);

struct Network {
    detector: Box<dyn Detector>,
    manifest: Manifest,
}

impl Network {
    fn of((detector, manifest): Loaded) -> Network {
        Network { detector, manifest }
    }
}

fn tried_or_last_good(
    manifest: &Path,
    last_good: &Path,
    runtime: Option<&Path>,
    limit: Duration,
    accept: impl FnOnce(Loaded) -> Result<Loaded, LoadError>,
) -> Result<Network, LoadError> {
    let loaded = load(manifest, runtime, limit).and_then(accept).map(Network::of);
    let error = match loaded {
        Ok(network) => {
            if let Err(error) = copy_to(&network.manifest, last_good) {
                tracing::warn!(%error, folder = %last_good.display(), "the network could not be copied");
            }
            return Ok(network);
        }
        Err(error) => error,
    };
    let Some(copy) = manifest_in(last_good) else { return Err(error) };
    tracing::error!(%error, last_good = %copy.display(), "a network cannot be used; the copy that worked last is used");
    load(&copy, runtime, limit).map(Network::of)
}

/// The manifest in a folder of ours; a list of words is TOML too, and no manifest.
fn manifest_in(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?;
    let mut toml =
        files.flatten().map(|f| f.path()).filter(|path| path.extension().is_some_and(|e| e == "toml"));
    toml.find(|path| Manifest::read(path).is_ok())
}

/// Copies the network's files and its manifest, the manifest last: a copy that is not whole does not match its hash.
fn copy_to(manifest: &Manifest, folder: &Path) -> std::io::Result<()> {
    let files: Vec<&Path> = manifest.companions().into_iter().chain([manifest.path.as_path()]).collect();
    if files.iter().all(|from| is_copy(from, folder)) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    for from in &files {
        let Some(name) = from.file_name() else { continue };
        let unfinished = folder.join("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(&fs::read(from)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(name))?;
    }
    // Those of another name are of another network.
    for old in fs::read_dir(folder)?.flatten() {
        if files.iter().all(|file| file.file_name() != Some(&old.file_name())) {
            fs::remove_file(old.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

fn is_copy(from: &Path, folder: &Path) -> bool {
    let same = |name| Some(fs::read(from).ok()? == fs::read(folder.join(name)).ok()?);
    from.file_name().and_then(same) == Some(true)
}

#[cfg(test)]
#[cfg(feature = "inference")]
mod tests {
    use super::*;

    /// A tiny model, changed, with its manifest as the box's one.
    fn put(name: &str, into: &Path, change: impl Fn(&mut Vec<u8>)) -> PathBuf {
        let test = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/test");
        let text = fs::read_to_string(test.join(name).with_extension("toml")).unwrap();
        let mut model = fs::read(test.join(name).with_extension("onnx")).unwrap();
        change(&mut model);
        fs::write(into.join(name).with_extension("onnx"), model).unwrap();
        let manifest = into.join("network.toml");
        fs::write(&manifest, text).unwrap();
        manifest
    }

    fn models(street: PathBuf) -> Models {
        let runtime = std::env::var_os("KERBSIDE_ORT").map(PathBuf::from).unwrap_or_else(|| {
            let file = format!("../.deps/onnxruntime/{}/libonnxruntime.so.1.31.1", std::env::consts::ARCH);
            Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
        });
        Models { street: Some(street), close_up: None, witness: None, runtime: Some(runtime), workers: 1 }
    }

    fn used(site: &Models, last_good: &Path) -> Result<String, LoadError> {
        Ok(load_or_last_good(site, last_good, Duration::from_millis(500))?.manifests.street.name)
    }

    #[test]
    fn what_worked_last_goes_on_when_its_successor_cannot() {
        let (site, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (folder, last_good) = (site.path(), data.path().join(FOLDER));
        let truncated = |model: &mut Vec<u8>| model.truncate(100);
        // The first network of a box has none to fall back on.
        let first = used(&models(put("tiny-boxes", folder, truncated)), &last_good);
        assert!(matches!(first, Err(LoadError::ModelHash { .. })), "{first:?}");
        assert_eq!(used(&models(put("tiny-boxes", folder, |_| {})), &last_good).unwrap(), "tiny-boxes");
        for bad in ["tiny-ssd", "loop", "huge"] {
            let change = |model: &mut Vec<u8>| {
                if bad == "tiny-ssd" {
                    truncated(model)
                }
            };
            assert_eq!(used(&models(put(bad, folder, change)), &last_good).unwrap(), "tiny-boxes", "{bad}");
        }
        // A good one takes its place, also as the one to fall back on.
        assert_eq!(used(&models(put("tiny-ssd", folder, |_| {})), &last_good).unwrap(), "tiny-ssd");
        assert_eq!(used(&models(put("loop", folder, |_| {})), &last_good).unwrap(), "tiny-ssd");
    }
}
