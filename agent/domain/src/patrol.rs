//! The patrol report: the account of a period.

use serde::{Deserialize, Serialize};

use crate::camera_state::Off;
use crate::frame::CameraIx;
use crate::time::Moment;

/// What a box says of a period (contract: `patrol.report`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatrolReport {
    /// When the period began.
    pub from: Moment,
    /// When it ended.
    pub to: Moment,
    /// All well, or not.
    pub verdict: PatrolVerdict,
    /// The account of each camera.
    pub cameras: Vec<CameraPatrol>,
    /// Ids of the incidents that are open at the end.
    pub open_incidents: Vec<String>,
    /// Incidents of the period that cleared and that nobody closed.
    pub cleared_by_themselves: u32,
}

/// All well, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatrolVerdict {
    /// Every camera watched for long enough, and no incident is open.
    AllWell,
    /// Every camera watched for long enough, and incidents are open.
    OpenMatters,
    /// A camera did not watch for long enough: nobody may say that all is well.
    Degraded,
}

impl PatrolVerdict {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            PatrolVerdict::AllWell => "all_well",
            PatrolVerdict::OpenMatters => "open_matters",
            PatrolVerdict::Degraded => "degraded",
        }
    }
}

/// The account of one camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CameraPatrol {
    /// Which camera.
    pub camera: CameraIx,
    /// How long it watched, s.
    pub watched_s: f64,
    /// How long it was blind, s.
    pub blind_s: f64,
    /// How long it pointed elsewhere, s.
    pub moved_s: f64,
    /// How long no picture came, s.
    pub off_s: f64,
    /// Why no picture came, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_reason: Option<Off>,
    /// Frames that came. Stored as `looks`.
    #[serde(rename = "looks")]
    pub frames: u64,
    /// Frames that should have come. Stored as `looks_due`.
    #[serde(rename = "looks_due")]
    pub frames_due: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_written_as_it_reads() {
        for verdict in [PatrolVerdict::AllWell, PatrolVerdict::OpenMatters, PatrolVerdict::Degraded] {
            let text = serde_json::to_string(&verdict).expect("a word");
            assert_eq!(text, format!("{:?}", verdict.as_str()));
        }
    }
}
