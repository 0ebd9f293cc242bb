//! A message on the broker of the box's sensors, on a connection of its own: it is rare, and must not wait for readings.

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};

use super::error::OutputError;

/// Returns when the broker has it. The caller limits the time.
pub(super) async fn publish(
    client_id: &str,
    (host, port): (String, u16),
    topic: &str,
    payload: String,
) -> Result<(), OutputError> {
    let (client, mut events) = AsyncClient::new(MqttOptions::new(client_id, host, port), 2);
    let refused = |error: &dyn std::fmt::Display| OutputError::Refused(format!("the broker: {error}"));
    client.try_publish(topic, QoS::AtLeastOnce, false, payload).map_err(|error| refused(&error))?;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => break,
            Ok(_) => {}
            Err(error) => return Err(refused(&error)),
        }
    }
    // A farewell is polite; the broker has the message either way.
    if client.try_disconnect().is_ok() {
        let _ = events.poll().await;
    }
    Ok(())
}
