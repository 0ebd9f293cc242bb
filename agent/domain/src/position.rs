//! Where the box is.

use serde::{Deserialize, Serialize};

use crate::time::Moment;

/// Where a position comes from. On the wire `surveyed`, `gnss_mean`, `gnss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionSource {
    Surveyed,
    GnssMean,
    Gnss,
}

/// Where the box is, for `device.position`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    pub lon_deg: f64,
    pub lat_deg: f64,
    pub accuracy_m: f64,
    pub source: PositionSource,
    /// The mean is settled and moves no more.
    pub frozen: bool,
    pub at: Moment,
    pub suspicious: Option<String>,
}
