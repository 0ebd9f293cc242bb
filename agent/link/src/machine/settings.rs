//! How the machine behaves.

#[derive(Clone, Debug)]
pub struct MachineSettings {
    pub subscriptions: Vec<String>,
    pub session_base: u64,
    pub keep_alive_s: f64,
    pub connect_timeout_s: f64,
    pub ack_timeout_s: f64,
    pub backoff_min_s: f64,
    pub backoff_max_s: f64,
    /// Longest packet where the broker names no limit, bytes.
    pub default_max_packet: usize,
}
