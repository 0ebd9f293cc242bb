//! The patrol report: the account of a period, and every reason for which nobody may say that all is well.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::camera_state::Off;
use crate::frame::{BBox, CameraIx};
use crate::kind::Kind;
use crate::reading::SensorCondition;
use crate::time::Moment;

/// What a box says of a period (contract: `patrol.report`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatrolReport {
    /// When the period began.
    pub from: Moment,
    /// When it ended; in a report that a command ordered, when it was ordered.
    pub to: Moment,
    /// How long a regular period lasts, s.
    pub period_s: f64,
    /// All well, or not.
    pub verdict: PatrolVerdict,
    /// Why nobody may say that all is well; empty unless the verdict is [`PatrolVerdict::Degraded`].
    pub why: Vec<Doubt>,
    /// The account of each camera.
    pub cameras: Vec<CameraPatrol>,
    /// The incidents that are open at the end.
    pub open: Vec<PatrolIncident>,
    /// Incidents of the period that cleared by themselves: the centre did not say that it sent anybody.
    pub cleared: Vec<PatrolIncident>,
    /// More of the same than are listed.
    pub cleared_more: u32,
    /// Every sensor of the site.
    pub sensors: Vec<SensorPatrol>,
    /// Ids of the commands that are answered; empty: the report is a regular one.
    pub commands: Vec<String>,
}

/// All well, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatrolVerdict {
    /// Nothing is in doubt, and no incident is open.
    AllWell,
    /// Nothing is in doubt, and incidents are open.
    OpenMatters,
    /// Something is in doubt: nobody may say that all is well.
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

/// One reason for which nobody may say that all is well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// The reason.
    pub reason: DoubtReason,
    /// The camera that it is about.
    pub camera: Option<CameraIx>,
    /// The sensor that it is about.
    pub sensor: Option<Arc<str>>,
    /// What exactly, in words of the same lists as elsewhere: `covered`, `silent`, ...
    pub detail: Option<String>,
    /// For how long of the period, or since when, s.
    pub seconds: Option<f64>,
}

impl Doubt {
    /// About nothing in particular.
    pub fn new(reason: DoubtReason) -> Self {
        Doubt { reason, camera: None, sensor: None, detail: None, seconds: None }
    }
}

/// Why nobody may say that all is well. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtReason {
    /// The box has no camera.
    NoCamera,
    /// A camera showed nothing to judge by.
    CameraBlind,
    /// A camera pointed elsewhere.
    CameraMoved,
    /// The background of a camera was being learnt.
    CameraLearning,
    /// No pictures came.
    CameraOff,
    /// A command paused the analysis.
    CameraPaused,
    /// Too few of the frames that were due were analysed.
    FramesNotAnalysed,
    /// A zone was not searched yet for what lay there before the background was learnt.
    NotSwept,
    /// No reading came for too long.
    SensorSilent,
    /// A sensor reads what cannot be.
    SensorImplausible,
    /// A sensor reads the same for too long.
    SensorStuck,
    /// An alarm is on.
    SensorAlarm,
    /// Nobody vouches for the clock: the times of the report may be wrong.
    ClockUnvouched,
}

impl DoubtReason {
    /// All of them.
    pub const ALL: [DoubtReason; 13] = [
        DoubtReason::NoCamera,
        DoubtReason::CameraBlind,
        DoubtReason::CameraMoved,
        DoubtReason::CameraLearning,
        DoubtReason::CameraOff,
        DoubtReason::CameraPaused,
        DoubtReason::FramesNotAnalysed,
        DoubtReason::NotSwept,
        DoubtReason::SensorSilent,
        DoubtReason::SensorImplausible,
        DoubtReason::SensorStuck,
        DoubtReason::SensorAlarm,
        DoubtReason::ClockUnvouched,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            DoubtReason::NoCamera => "no_camera",
            DoubtReason::CameraBlind => "camera_blind",
            DoubtReason::CameraMoved => "camera_moved",
            DoubtReason::CameraLearning => "camera_learning",
            DoubtReason::CameraOff => "camera_off",
            DoubtReason::CameraPaused => "camera_paused",
            DoubtReason::FramesNotAnalysed => "frames_not_analysed",
            DoubtReason::NotSwept => "not_swept",
            DoubtReason::SensorSilent => "sensor_silent",
            DoubtReason::SensorImplausible => "sensor_implausible",
            DoubtReason::SensorStuck => "sensor_stuck",
            DoubtReason::SensorAlarm => "sensor_alarm",
            DoubtReason::ClockUnvouched => "clock_unvouched",
        }
    }

    /// For people, in Chinese and English.
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            DoubtReason::NoCamera => ("无摄像机", "no camera"),
            DoubtReason::CameraBlind => ("摄像机无法看清", "camera blind"),
            DoubtReason::CameraMoved => ("摄像机偏移", "camera moved"),
            DoubtReason::CameraLearning => ("正在学习背景", "background being learnt"),
            DoubtReason::CameraOff => ("摄像机无画面", "camera off"),
            DoubtReason::CameraPaused => ("分析已暂停", "analysis paused"),
            DoubtReason::FramesNotAnalysed => ("画面未及时分析", "frames not analysed"),
            DoubtReason::NotSwept => ("尚未普查原有物品", "not swept yet"),
            DoubtReason::SensorSilent => ("传感器无数据", "sensor silent"),
            DoubtReason::SensorImplausible => ("传感器读数不可信", "sensor implausible"),
            DoubtReason::SensorStuck => ("传感器读数不变", "sensor stuck"),
            DoubtReason::SensorAlarm => ("传感器告警", "sensor alarm"),
            DoubtReason::ClockUnvouched => ("时钟未校准", "clock not vouched for"),
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
    /// Frames that were analysed. Stored as `looks`.
    #[serde(rename = "looks")]
    pub frames: u64,
    /// Frames that should have been. Stored as `looks_due`.
    #[serde(rename = "looks_due")]
    pub frames_due: u64,
}

/// One incident, as a patrol report lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatrolIncident {
    /// ULID as text.
    pub id: String,
    /// What sort of incident it is.
    pub kind: Kind,
    /// Which camera saw it.
    pub camera: CameraIx,
    /// Where it is or was, in shares of the picture.
    pub bbox: BBox,
    /// Id of the zone that it is in.
    pub zone: String,
    /// When the object appeared.
    pub from: Moment,
    /// When it was last seen.
    pub to: Moment,
}

/// The account of one sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensorPatrol {
    /// Id of the sensor.
    pub sensor: Arc<str>,
    /// The condition that it is in.
    pub condition: SensorCondition,
    /// Its latest reading that can be believed, in its unit.
    pub value: Option<f64>,
    /// Its unit, as configured.
    pub unit: Arc<str>,
    /// How old that reading is, s.
    pub age_s: Option<f64>,
    /// Its alarm is on, as far as is known.
    pub alarm: bool,
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

    #[test]
    fn a_reason_is_written_as_it_reads() {
        for reason in DoubtReason::ALL {
            let text = serde_json::to_string(&reason).expect("a word");
            assert_eq!(text, format!("{:?}", reason.as_str()));
        }
    }
}
