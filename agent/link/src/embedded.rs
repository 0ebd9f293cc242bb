//! A broker inside the program (rumqttd), for the demo and the tests only: it keeps everything in memory.

use std::collections::HashMap;
use std::net::SocketAddr;

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

use super::LinkError;

/// Starts a broker for MQTT 5 at `v5` and, on a port of its own, for MQTT 3.1.1 at `v4`. It runs until the process
/// ends. Returns once the port answers.
pub fn start(v5: SocketAddr, v4: Option<SocketAddr>) -> Result<(), LinkError> {
    let server = |name: &str, listen| ServerSettings {
        name: name.to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 10_000,
            max_payload_size: 1 << 20,
            max_inflight_count: 100,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    };
    let config = Config {
        id: 0,
        router: RouterConfig {
            max_connections: 1000,
            max_outgoing_packet_count: 200,
            max_segment_size: 10 << 20,
            max_segment_count: 10,
            ..RouterConfig::default()
        },
        v5: Some(HashMap::from([("v5".to_owned(), server("v5", v5))])),
        v4: v4.map(|listen| HashMap::from([("v4".to_owned(), server("v4", listen))])),
        ..Config::default()
    };
    // `start` blocks as long as the broker runs.
    std::thread::Builder::new()
        .name("broker".into())
        .spawn(move || {
            if let Err(e) = Broker::new(config).start() {
                tracing::error!(error = %e, "embedded broker ended");
            }
        })
        .map_err(|e| LinkError::Connection(format!("embedded broker: {e}")))?;
    std::iter::once(v5).chain(v4).try_for_each(answers)
}

/// The listener is bound on the broker's own thread: try until it takes a connection.
fn answers(address: SocketAddr) -> Result<(), LinkError> {
    let mut last = String::new();
    for _ in 0..200 {
        match std::net::TcpStream::connect(address) {
            Ok(_) => return Ok(()),
            Err(e) => last = e.to_string(),
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err(LinkError::Connection(format!("embedded broker at {address}: {last}")))
}
