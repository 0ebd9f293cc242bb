//! Where the box is.

use serde::{Deserialize, Serialize};

use crate::time::Moment;

/// Where a position comes from. On the wire `surveyed`, `gnss_mean`, `gnss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionSource {
    /// A person measured it.
    Surveyed,
    /// The mean of many fixes.
    GnssMean,
    /// The latest fix.
    Gnss,
}

/// Where the box is, for `device.position`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Longitude, WGS 84.
    pub lon_deg: f64,
    /// Latitude, WGS 84.
    pub lat_deg: f64,
    /// How far off it may be, m, as its source says.
    pub accuracy_m: f64,
    /// Where it comes from.
    pub source: PositionSource,
    /// The mean is settled and moves no more.
    pub frozen: bool,
    /// When it was last determined.
    pub at: Moment,
    /// Why it is doubted.
    pub suspicious: Option<String>,
}
