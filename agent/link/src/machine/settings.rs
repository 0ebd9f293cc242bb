//! How the machine behaves.

use kerbside_site::config::Protocol;

/// What one connection asks of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub protocol: Protocol,
    /// The will and states are retained.
    pub retain: bool,
    pub max_qos: u8,
}

#[derive(Clone, Debug)]
pub struct MachineSettings {
    pub subscriptions: Vec<String>,
    pub session_base: u64,
    pub keep_alive_s: f64,
    pub connect_timeout_s: f64,
    pub ack_timeout_s: f64,
    pub backoff_min_s: f64,
    pub backoff_max_s: f64,
    /// What the site asks for.
    pub terms: Terms,
    /// Longest packet where a broker of MQTT 5 names no limit, and where one of 3.1.1 is spoken to, bytes.
    pub max_packet_v5: usize,
    pub max_packet_v311: usize,
}
