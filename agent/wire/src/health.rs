//! `device.health`: what the program knows of itself.

use kerbside_domain::time::Moment;
use serde_json::{Map, Value, json};

use crate::clock::ClockTrust;
use crate::message::Message;
use crate::priority::Priority;
use crate::text::to_json;

/// Health that is older is of no use, s: the next comes after a minute.
const EXPIRY_S: u32 = 5 * 60;

/// `device.health`: the values as the program gives them, and how far its clock can be trusted.
pub fn health(values: &Map<String, Value>, at: Moment) -> Message {
    let mut data = values.clone();
    data.insert("clock".to_owned(), json!(ClockTrust::from(at.quality)));
    let mut message = Message::new("device.health.v1", "health", Priority::Telemetry, at, to_json(&data));
    message.qos = 0;
    message.expiry_s = Some(EXPIRY_S);
    message.conflation_key = Some("health".to_owned());
    message
}
