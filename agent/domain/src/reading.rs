//! A reading of a sensor.

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
