//! A reading of a sensor, and the condition that a sensor is in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Moment;

/// A reading of a sensor, after its adapter checked it. Names follow OGC SensorThings on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Id of the sensor.
    pub sensor: Arc<str>,
    /// When the phenomenon was measured, if the sensor says so; else when it arrived.
    pub phenomenon: Moment,
    /// When it arrived.
    pub arrived: Moment,
    /// In the sensor's unit.
    pub value: f64,
    /// The sensor's unit, as configured.
    pub unit: Arc<str>,
    /// Why the reading is doubted, e.g. `out_of_range`, `stale`, `jump`.
    pub suspicious: Option<String>,
}

/// The condition of a sensor. Where several hold, the first that holds in the order of [`SensorCondition::ALL`] is said:
/// what a silent, implausible or stuck sensor showed last proves nothing, also no alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SensorCondition {
    /// No reading for longer than `max_age_s`.
    Silent,
    /// It reads what cannot be.
    Implausible,
    /// It has read the same for longer than what it measures can stay the same.
    Stuck,
    /// It is fresh, and its alarm is on.
    Alarm,
    /// It reads, believably, and its alarm is off.
    Fresh,
}

impl SensorCondition {
    /// All of them, the one that is said before the others first.
    pub const ALL: [SensorCondition; 5] = [
        SensorCondition::Silent,
        SensorCondition::Implausible,
        SensorCondition::Stuck,
        SensorCondition::Alarm,
        SensorCondition::Fresh,
    ];

    /// As it is written in messages and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            SensorCondition::Silent => "silent",
            SensorCondition::Implausible => "implausible",
            SensorCondition::Stuck => "stuck",
            SensorCondition::Alarm => "alarm",
            SensorCondition::Fresh => "fresh",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_written_as_it_reads() {
        for condition in SensorCondition::ALL {
            let text = serde_json::to_string(&condition).expect("a word");
            assert_eq!(text, format!("{:?}", condition.as_str()));
        }
    }
}
