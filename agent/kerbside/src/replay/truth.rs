//! The truth of a clip: the file `NAME.truth.toml`, which lists what really happens in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use kerbside_domain::camera_state::Blind;
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::{Act, Kind};
use kerbside_site::text;

/// How the footage came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Footage {
    /// Rendered.
    Synthetic,
    /// Real, with things pasted in.
    Composite,
    /// As a camera gave it.
    Real,
}

/// `NAME.truth.toml` beside a clip.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    pub clip: PathBuf,
    /// Configuration of the clip's scene, relative to the truth.
    #[serde(default)]
    pub site: Option<PathBuf>,
    pub footage: Footage,
    /// Which scene it shows.
    #[expect(dead_code, reason = "for people who read the file")]
    pub scene: String,
    #[serde(default)]
    pub split: Option<String>,
    /// RFC 3339: what the wall clock showed at the first frame.
    #[serde(default)]
    pub start_wall: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "for people who read the file")]
    pub note: Option<String>,
    /// Weather and light in a word, e.g. `day`, `night`, `rain`. False reports are counted by it.
    #[serde(default)]
    pub condition: Option<String>,
    #[serde(default, rename = "event")]
    pub events: Vec<TrueEvent>,
    /// When the camera cannot see, and why.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<BlindPeriod>,
}

/// A time during which the camera really cannot see.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlindPeriod {
    pub blind: Blind,
    pub start_s: f64,
    /// Absent: to the end of the clip.
    #[serde(default)]
    pub end_s: Option<f64>,
    #[serde(default)]
    pub tolerance_s: Option<f64>,
}

/// One thing that should be reported.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrueEvent {
    pub kind: Kind,
    #[serde(default)]
    pub act: Option<Act>,
    /// The thing is at rest and alone (a stall: set up), seconds from the clip's start.
    pub start_s: f64,
    #[serde(default)]
    pub end_s: Option<f64>,
    /// x, y, w, h in shares of the picture.
    pub bbox_norm: [f32; 4],
    #[serde(default)]
    pub tolerance_s: Option<f64>,
    #[serde(default)]
    pub tolerance_norm: Option<f32>,
}

#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    #[error("{path}: cannot be read: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{path}: {why}")]
    Parse { path: PathBuf, why: String },
}

impl Truth {
    pub fn load(path: &Path) -> Result<Truth, TruthError> {
        let bytes = std::fs::read(path).map_err(|cause| TruthError::Read { path: path.to_owned(), cause })?;
        let text = text::decode(bytes)
            .map_err(|why| TruthError::Parse { path: path.to_owned(), why: why.to_string() })?;
        toml::from_str(&text).map_err(|e| TruthError::Parse {
            path: path.to_owned(),
            why: e.to_string().trim_end().to_owned(),
        })
    }

    /// Wall clock at the first frame, ms since the Unix epoch; `None` when absent.
    pub fn start_wall_ms(&self) -> Option<i64> {
        let text = self.start_wall.as_deref()?;
        chrono::DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_millis())
    }
}

impl TrueEvent {
    pub fn bbox(&self) -> BBox {
        let [x, y, w, h] = self.bbox_norm;
        BBox { x, y, w, h }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_named() {
        let error = toml::from_str::<Truth>("clip = \"a\"\nfotage = \"real\"\n").unwrap_err().to_string();
        assert!(error.contains("fotage"), "{error}");
    }
}
