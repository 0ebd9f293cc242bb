//! Loading what a site names: manifests, models, the runtime.

use std::path::Path;
use std::time::Duration;

use kerbside_domain::model::ModelNames;
use kerbside_site::config::Models;

use crate::cascade::Cascade;
use crate::detector::Detector;
use crate::error::LoadError;
use crate::manifest::Manifest;

/// What describes the networks of a [`Cascade`].
#[derive(Clone, Debug)]
pub struct Manifests {
    pub street: Manifest,
    pub close_up: Option<Manifest>,
    pub witness: Option<Manifest>,
}

impl Manifests {
    /// How reports name the networks.
    pub fn names(&self) -> ModelNames {
        ModelNames {
            street: Some(self.street.model_name()),
            close_up: self.close_up.as_ref().map(Manifest::model_name),
            witness: self.witness.as_ref().map(Manifest::model_name),
        }
    }
}

/// The networks of a site, ready to use, and their descriptions. `limit`: the longest one run may take.
pub fn load_cascade(models: &Models, limit: Duration) -> Result<(Cascade, Manifests), LoadError> {
    let street = models.street.as_deref().ok_or(LoadError::NotConfigured)?;
    let load = |manifest| load(manifest, models.runtime.as_deref(), limit);
    let (street, manifest) = load(street)?;
    let (close_up, close_up_manifest) = models.close_up.as_deref().map(load).transpose()?.unzip();
    let witness = models.witness.as_deref().map(|path| load(path).and_then(only_words)).transpose()?;
    let (witness, witness_manifest) = witness.unzip();
    let manifests = Manifests { street: manifest, close_up: close_up_manifest, witness: witness_manifest };
    Ok((Cascade::new(street, close_up).with_witness(witness), manifests))
}

/// A witness names a whole picture.
pub(crate) fn only_words(
    (detector, manifest): (Box<dyn Detector>, Manifest),
) -> Result<(Box<dyn Detector>, Manifest), LoadError> {
    match manifest.words {
        Some(_) => Ok((detector, manifest)),
        None => Err(LoadError::NoWords { path: manifest.path }),
    }
}

/// The model of a manifest, ready to use, and its description. `limit`: the longest one run may take.
#[cfg(feature = "inference")]
pub fn load(
    manifest: &Path,
    runtime: Option<&Path>,
    limit: Duration,
) -> Result<(Box<dyn Detector>, Manifest), LoadError> {
    let detector = crate::onnx::OrtDetector::load(manifest, runtime, limit)?;
    crate::heap::trim();
    let manifest = detector.manifest().clone();
    Ok((Box::new(detector), manifest))
}

#[cfg(not(feature = "inference"))]
pub fn load(
    _manifest: &Path,
    _runtime: Option<&Path>,
    _limit: Duration,
) -> Result<(Box<dyn Detector>, Manifest), LoadError> {
    Err(LoadError::NoRuntime {
        tried: "nothing: this program was built without the feature `inference`".into(),
    })
}
