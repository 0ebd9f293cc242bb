//! `device.position`: where the box stands.

use kerbside_domain::position::{Position, PositionSource};
use kerbside_domain::time::Moment;
use serde::Serialize;

use crate::message::Message;
use crate::priority::Priority;
use crate::text::{rounded, to_json};

#[derive(Serialize)]
struct PositionData {
    lon_deg: f64,
    lat_deg: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy_m: Option<f64>,
    source: PositionSource,
    frozen: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspicious: Option<String>,
}

/// `device.position`. An accuracy of 0 is an unknown one.
pub fn position(place: &Position, at: Moment) -> Message {
    let data = PositionData {
        lon_deg: rounded(place.lon_deg, 7),
        lat_deg: rounded(place.lat_deg, 7),
        accuracy_m: (place.accuracy_m > 0.0).then(|| rounded(place.accuracy_m, 1)),
        source: place.source,
        frozen: place.frozen,
        suspicious: place.suspicious.clone(),
    };
    let mut message = Message::new("device.position.v1", "position", Priority::Telemetry, at, to_json(&data));
    message.retain = true;
    message.conflation_key = Some("position".to_owned());
    message
}
