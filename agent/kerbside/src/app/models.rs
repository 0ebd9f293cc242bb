//! The detectors that can be used, and the models by which reports name them.

use kerbside_domain::model::ModelNames;
use kerbside_infer::last_good::{self, Networks};
use kerbside_infer::{Cascade, LIVE_RUN_LIMIT};
use kerbside_site::config::Site;

/// One detector a worker, and the site with the models that are really used.
///
/// A model that cannot be used does not stop the box: the last working one is used instead. Without one, sensors, journal and
/// link still run, and the cameras report that they are blind.
pub(super) fn load(mut site: Site) -> (Site, Vec<Cascade>, ModelNames) {
    if site.models.street.is_none() {
        tracing::warn!("no [models] street: cameras are recorded, nothing is detected");
        return (site, Vec::new(), ModelNames::default());
    }
    let last_good = site.device.data_dir.join(last_good::FOLDER);
    match last_good::load_or_last_good(&site.models, &last_good, LIVE_RUN_LIMIT) {
        Ok(Networks { cascades, manifests, models }) => {
            site.models = models;
            (site, cascades, manifests.names())
        }
        Err(error) => {
            tracing::error!(%error, "no detector can be loaded: the cameras count as blind");
            (site, Vec::new(), ModelNames::default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::tests::site_with;

    #[test]
    fn a_box_without_a_usable_model_starts_without_detectors() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("broken.toml"), "name = \"broken").unwrap();
        for models in ["", "[models]\nstreet = \"broken.toml\"\n"] {
            let (_, cascades, names) = load(site_with(dir.path(), models));
            assert!(cascades.is_empty() && names == ModelNames::default(), "{models:?}");
        }
    }
}
