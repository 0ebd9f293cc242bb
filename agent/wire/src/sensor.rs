//! `sensor.observation` and `sensor.alarm`, with the names of OGC SensorThings.

use kerbside_domain::reading::{Reading, SensorCondition};
use kerbside_domain::time::Moment;
use serde::Serialize;

use crate::identity::Identity;
use crate::message::Message;
use crate::priority::Priority;
use crate::text::to_json;
use crate::topic;

/// An observation that is older is of no use, s.
const EXPIRY_S: u32 = 3600;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReadingData<'a> {
    sensor: &'a str,
    phenomenon_time: String,
    result_time: String,
    result: f64,
    unit_of_measurement: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspicious: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<bool>,
}

fn reading_data<'a>(who: &Identity, reading: &'a Reading, active: Option<bool>) -> ReadingData<'a> {
    ReadingData {
        sensor: &reading.sensor,
        phenomenon_time: who.time(reading.phenomenon),
        result_time: who.time(reading.arrived),
        result: reading.value,
        unit_of_measurement: &reading.unit,
        suspicious: reading.suspicious.as_deref(),
        active,
    }
}

/// `sensor.observation`.
pub fn observation(who: &Identity, reading: &Reading) -> Message {
    let data = to_json(&reading_data(who, reading, None));
    let topic = format!("obs/{}", topic::word(&reading.sensor));
    let mut message =
        Message::new("sensor.observation.v1", topic, Priority::Telemetry, reading.arrived, data);
    message.qos = 0;
    message.expiry_s = Some(EXPIRY_S);
    message
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConditionData<'a> {
    sensor: &'a str,
    condition: SensorCondition,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    phenomenon_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_of_measurement: Option<&'a str>,
}

/// `sensor.alarm`: what the sensor reads proves nothing any more (silent, implausible, stuck), or it does again. `last`: the latest
/// reading that could be believed.
pub fn sensor_condition(
    who: &Identity,
    sensor: &str,
    condition: SensorCondition,
    last: Option<&Reading>,
    at: Moment,
) -> Message {
    let data = to_json(&ConditionData {
        sensor,
        condition,
        active: condition == SensorCondition::Alarm,
        phenomenon_time: last.map(|r| who.time(r.phenomenon)),
        result_time: last.map(|r| who.time(r.arrived)),
        result: last.map(|r| r.value),
        unit_of_measurement: last.map(|r| &*r.unit),
    });
    Message::new("sensor.alarm.v1", format!("obs/{}", topic::word(sensor)), Priority::Reply, at, data)
}

/// `sensor.alarm`: a limit was crossed for long enough (`active`), or it is over.
pub fn alarm(who: &Identity, reading: &Reading, active: bool) -> Message {
    let data = to_json(&reading_data(who, reading, Some(active)));
    let topic = format!("obs/{}", topic::word(&reading.sensor));
    Message::new("sensor.alarm.v1", topic, Priority::Reply, reading.arrived, data)
}
