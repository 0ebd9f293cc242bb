//! A value and the threshold that it was held against.

use serde::{Deserialize, Serialize};

/// What was measured. The name says the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// How long it stood, s. At least.
    DwellS,
    /// How long it was alone, s. At least.
    AloneS,
    /// Share of the time that somebody stayed with it. At least.
    AttendedShare,
    /// The same of the one who stayed longest. At least.
    SteadiestShare,
    /// Others who paused beside it. At least.
    Visits,
    /// Share of its box that it fills. At least.
    FilledShare,
    /// How much it looks like itself, correlation. At least.
    Similarity,
    /// Share of the picture. At least.
    AreaShare,
    /// Ground that it covers, m2. At least.
    GroundM2,
    /// Score of a label that names it as a full bin. At least.
    OverflowScore,
    /// The goods' part of what the witness sees of goods, people and vehicles. At least.
    GoodsShare,
    /// Frames in which the detector was shown it. At least.
    DetectorFrames,
    /// Score of a label that names it as a bin in order. At most.
    BinScore,
    /// Score of a label that names it as goods. At most.
    GoodsScore,
    /// Share of the picture. At most.
    LargestAreaShare,
    /// Longer side by shorter side. At most.
    AspectRatio,
    /// Share of the time that people hid it. At most.
    HiddenByPeopleShare,
    /// Share of the time that vehicles hid it. At most.
    HiddenByVehiclesShare,
    /// How long its box was a person's box, s. At most.
    SameAsPersonS,
    /// How long its box was a vehicle's box, s. At most.
    SameAsVehicleS,
    /// Share of the time that people and their shade were all there was. At most.
    ShadeShare,
    /// People who pause beside it now. At most.
    PeopleBeside,
    /// Open incidents of the camera. At most.
    OpenIncidents,
}

impl Measure {
    /// All of them.
    pub const ALL: [Measure; 23] = [
        Measure::DwellS,
        Measure::AloneS,
        Measure::AttendedShare,
        Measure::SteadiestShare,
        Measure::Visits,
        Measure::FilledShare,
        Measure::Similarity,
        Measure::AreaShare,
        Measure::GroundM2,
        Measure::OverflowScore,
        Measure::GoodsShare,
        Measure::DetectorFrames,
        Measure::BinScore,
        Measure::GoodsScore,
        Measure::LargestAreaShare,
        Measure::AspectRatio,
        Measure::HiddenByPeopleShare,
        Measure::HiddenByVehiclesShare,
        Measure::SameAsPersonS,
        Measure::SameAsVehicleS,
        Measure::ShadeShare,
        Measure::PeopleBeside,
        Measure::OpenIncidents,
    ];

    /// The threshold is the most that is allowed, not the least.
    pub fn is_at_most(self) -> bool {
        match self {
            Measure::DwellS
            | Measure::AloneS
            | Measure::AttendedShare
            | Measure::SteadiestShare
            | Measure::Visits
            | Measure::FilledShare
            | Measure::Similarity
            | Measure::AreaShare
            | Measure::GroundM2
            | Measure::OverflowScore
            | Measure::GoodsShare
            | Measure::DetectorFrames => false,
            Measure::BinScore
            | Measure::GoodsScore
            | Measure::LargestAreaShare
            | Measure::AspectRatio
            | Measure::HiddenByPeopleShare
            | Measure::HiddenByVehiclesShare
            | Measure::SameAsPersonS
            | Measure::SameAsVehicleS
            | Measure::ShadeShare
            | Measure::PeopleBeside
            | Measure::OpenIncidents => true,
        }
    }
}

/// A value against a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What was measured.
    pub measure: Measure,
    /// How much it was, to four decimals.
    pub value: f64,
    /// The least, or the most, that would have been an incident.
    pub threshold: f64,
}

impl Check {
    /// Rounds, so that the same is written on every machine.
    pub(in crate::incident) fn new(
        measure: Measure,
        value: impl Into<f64>,
        threshold: impl Into<f64>,
    ) -> Check {
        let rounded = |v: f64| if v.is_finite() { (v * 1e4).round() / 1e4 } else { f64::from(f32::MAX) };
        Check { measure, value: rounded(value.into()), threshold: rounded(threshold.into()) }
    }
}
