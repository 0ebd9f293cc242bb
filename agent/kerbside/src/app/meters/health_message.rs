//! The body of the message `device.health`. Its keys are the contract's.

use kerbside_seeing::incident::Core;
use kerbside_site::config::Site;
use kerbside_trace::delivery::DeliveryStats;
use serde_json::{Map, Value, json};

/// `stats`: `None` when the delivery did not answer.
pub(crate) fn health_values(site: &Site, core: &Core, stats: Option<&DeliveryStats>) -> Map<String, Value> {
    let mut values = Map::new();
    let cameras: Map<String, Value> = site
        .cameras
        .iter()
        .map(|c| (c.id.clone(), core.camera_state(c.ix).map_or(Value::Null, |state| json!(state))))
        .collect();
    values.insert("cameras".to_owned(), Value::Object(cameras));
    let sensors: Map<String, Value> =
        core.sensor_conditions().map(|(id, condition)| (id.to_owned(), json!(condition))).collect();
    if !sensors.is_empty() {
        values.insert("sensors".to_owned(), Value::Object(sensors));
    }
    values.insert("open_incidents".to_owned(), json!(core.open_incidents().count()));
    if let Some(ends_s) = site.centre.tls.as_ref().and_then(kerbside_link::certificates::ends_s) {
        let ends = kerbside_domain::time::rfc3339(ends_s.saturating_mul(1000), site.device.utc_offset_s);
        values.insert("certificate_expires".to_owned(), json!(ends));
    }
    if let Some(stats) = stats {
        let waiting: Vec<usize> = stats.outbox.iter().map(|p| p.queued + p.waiting).collect();
        values.insert("outbox".to_owned(), json!(waiting));
        values.insert("buried".to_owned(), json!(stats.dead_lettered));
        values.insert("read_errors".to_owned(), json!(stats.read_errors));
        values.insert("evicted".to_owned(), json!(stats.evicted));
        values.insert("journal_bytes".to_owned(), json!(stats.journal_bytes));
        if let Some(by_s) = stats.clock_jumped_by_s {
            let (jumps, paused) = (stats.clock_jumps, stats.deletion_paused);
            values.insert(
                "clock_jumped".to_owned(),
                json!({"by_s": by_s, "times": jumps, "deletion_paused": paused}),
            );
        }
        if !stats.refusals.is_empty() {
            values.insert("inbound_refused".to_owned(), json!(stats.refusals));
        }
        if stats.unanswered > 0 {
            values.insert("inbound_unanswered".to_owned(), json!(stats.unanswered));
        }
    }
    values
}
