//! The patrol report: the account of a period.

use serde::{Deserialize, Serialize};

use crate::frame::CameraIx;
use crate::time::Moment;

/// The all-well, or not (contract: `patrol.report`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatrolReport {
    pub from: Moment,
    pub to: Moment,
    /// `all_well`, `open_matters` or `degraded`.
    pub verdict: String,
    pub cameras: Vec<CameraPatrol>,
    pub open_incidents: Vec<String>,
    pub cleared_by_themselves: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CameraPatrol {
    pub camera: CameraIx,
    pub watched_s: f64,
    pub blind_s: f64,
    pub moved_s: f64,
    pub off_s: f64,
    pub looks: u64,
    pub looks_due: u64,
}
