//! A receiver's sentences and a sensor's readings on the box's own broker.

use anyhow::Result;

use crate::Broker;

/// Topic of the sensor that the tests configure.
pub const TOPIC: &str = "sensors/bin-1";

/// A fix of good quality at this latitude and 121.37608 E, `second` seconds after eight o'clock, with its
/// checksum changed by `damage`.
pub fn gga(second: u32, lat_deg: f64, damage: u8) -> String {
    let body = format!(
        "GNGGA,08{:02}{:02}.00,31{:07.4},N,12122.5648,E,1,12,0.8,9.4,M,8.0,M,,",
        second / 60,
        second % 60,
        (lat_deg - 31.0) * 60.0
    );
    let sum = body.bytes().fold(damage, |sum, b| sum ^ b);
    format!("${body}*{sum:02X}\r\n")
}

/// Retained on [`TOPIC`], so that it is there whenever the agent subscribes. `what`: `-m TEXT` or `-f FILE`.
pub fn publish(broker: &Broker, what: [&str; 2]) -> Result<()> {
    broker.publish_retained(TOPIC, what)
}
