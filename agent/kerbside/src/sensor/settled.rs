//! The file that keeps a settled position over restarts.

use std::path::Path;

use super::mean::FixedMean;
use crate::durable;

/// The settled mean of an earlier run. Anything else is no error: the box measures again.
pub(super) fn load(path: &Path) -> Option<FixedMean> {
    let text = std::fs::read_to_string(path).ok()?;
    serde_json::from_str::<FixedMean>(&text).ok().filter(FixedMean::is_frozen)
}

pub(super) fn save(path: &Path, mean: &FixedMean) -> std::io::Result<()> {
    durable::write(path, serde_json::to_string(mean)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_settled_mean_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("position.json");
        assert!(load(&path).is_none(), "no file");
        save(&path, &FixedMean::default()).unwrap();
        assert!(load(&path).is_none(), "not settled");
        std::fs::write(&path, "{").unwrap();
        assert!(load(&path).is_none(), "damaged");
        let settled = r#"{"origin":[121.0,31.0],"medians":[],"frozen":{"mean":[1.0,2.0],"sigma_m":0.5}}"#;
        std::fs::write(&path, settled).unwrap();
        let mean = load(&path).unwrap();
        save(&path, &mean).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), settled);
    }
}
