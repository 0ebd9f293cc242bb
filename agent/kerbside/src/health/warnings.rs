//! What a person should put right about cameras that are watched, as their threads say it: for `/healthz` and `device.health`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kerbside_media::CameraWarning;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

/// Of all cameras. At most one of each kind holds for a camera.
#[derive(Clone, Debug, Default)]
pub(crate) struct CameraWarnings(Arc<Mutex<BTreeMap<String, BTreeMap<&'static str, CameraWarning>>>>);

impl CameraWarnings {
    pub(crate) fn set(&self, camera: &str, warning: CameraWarning) {
        self.0.lock().entry(camera.to_owned()).or_default().insert(warning.as_str(), warning);
    }

    /// Its capture child is gone; the next one says it again.
    pub(crate) fn clear(&self, camera: &str) {
        self.0.lock().remove(camera);
    }

    /// By camera and kind, in words; empty: nothing is to be put right.
    pub(crate) fn values(&self) -> Map<String, Value> {
        self.by_camera(|warning| json!(warning.what()))
    }

    /// The same with the cures.
    pub(crate) fn page(&self) -> Map<String, Value> {
        self.by_camera(|warning| {
            let (cure, chinese) = warning.cure();
            json!({ "what": warning.what(), "cure": format!("{cure} ({chinese})") })
        })
    }

    fn by_camera(&self, value: impl Fn(CameraWarning) -> Value) -> Map<String, Value> {
        let all = self.0.lock();
        let of_camera = |warnings: &BTreeMap<&'static str, CameraWarning>| {
            warnings.iter().map(|(kind, warning)| ((*kind).to_owned(), value(*warning))).collect()
        };
        all.iter().map(|(id, warnings)| (id.clone(), Value::Object(of_camera(warnings)))).collect()
    }
}
