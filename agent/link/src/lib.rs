//! Link: the outbox's way to the broker and back. MQTT 5 or 3.1.1, plain or TLS.
//!
//! What to do when is decided by an I/O-free state machine ([`machine`]); [`shell`] is the thin task around it that
//! polls the MQTT client. The client's memory is disposable: every connection is a new client, and the delivery hands
//! over again whatever has no acknowledgement. Journal and outbox are known only through [`LinkPort`].

pub mod certificates;
pub mod client;
#[cfg(feature = "embedded-broker")]
pub mod embedded;
pub mod machine;
pub mod shell;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod upload;

use std::sync::Arc;
use std::time::Duration;

use kerbside_domain::time::Clock;
use kerbside_site::config::{Centre, Protocol};
use kerbside_trace::delivery::LinkPort;
use kerbside_wire::Identity;

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("TLS {what} {path}: {reason}")]
    Tls { what: &'static str, path: std::path::PathBuf, reason: String },
    #[error("password file {path}: {source}")]
    Password { path: std::path::PathBuf, source: std::io::Error },
    #[error("{0}")]
    Connection(String),
}

/// How to reach the broker.
#[derive(Clone, Debug)]
pub struct Settings {
    pub centre: Centre,
    /// Client id, and certificate CN.
    pub client_id: String,
    /// Connecting, TLS included; 4G is slow.
    pub connect_timeout_s: u64,
    pub backoff_min_s: f64,
    pub backoff_max_s: f64,
    /// A message without PUBACK for that long costs the connection; `None`: twice the keep-alive, at least 20 s.
    pub ack_timeout_s: Option<f64>,
    /// Between two looks whether certificates, keys or the password were replaced, s.
    pub renewal_s: f64,
}

impl Settings {
    pub fn new(centre: &Centre, edge_id: &str) -> Self {
        Settings {
            centre: centre.clone(),
            client_id: edge_id.to_owned(),
            connect_timeout_s: 30,
            backoff_min_s: 1.0,
            // With the time that a silence takes to be noticed: a link is there again within twice the keep-alive.
            backoff_max_s: (0.4 * f64::from(centre.keep_alive_s)).clamp(2.0, 60.0),
            ack_timeout_s: None,
            renewal_s: 10.0,
        }
    }

    /// rumqttc refuses less than 5 s.
    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_secs(u64::from(self.centre.keep_alive_s.max(5)))
    }

    /// Files that vouch for the box, or for the broker.
    fn files(&self) -> impl Iterator<Item = &std::path::Path> {
        let tls = self.centre.tls.iter();
        let of_tls = tls.flat_map(|t| [Some(&t.ca_file), t.cert_file.as_ref(), t.key_file.as_ref()]);
        of_tls.flatten().chain(&self.centre.password_file).map(std::path::PathBuf::as_path)
    }

    fn machine(&self, who: &Identity, session_base: u64) -> machine::Settings {
        let keep_alive_s = self.keep_alive().as_secs_f64();
        machine::Settings {
            subscriptions: kerbside_wire::topic::subscriptions(&who.division, &who.edge_id),
            session_base,
            keep_alive_s,
            connect_timeout_s: self.connect_timeout_s as f64 + 5.0,
            ack_timeout_s: self.ack_timeout_s.unwrap_or((2.0 * keep_alive_s).max(20.0)),
            backoff_min_s: self.backoff_min_s,
            backoff_max_s: self.backoff_max_s,
            // 3.1.1 brokers do not say how much they take; this is the MQTT limit that mosquitto and EMQX ship with or above.
            default_max_packet: match self.centre.protocol {
                Protocol::V5 => 16 << 20,
                Protocol::V311 => 1 << 20,
            },
        }
    }
}

/// The running link. Dropping it does not stop the task; [`LinkHandle::stop`] does.
#[derive(Debug)]
pub struct LinkHandle {
    stop: tokio::sync::watch::Sender<Option<f64>>,
    task: tokio::task::JoinHandle<()>,
}

impl LinkHandle {
    /// Sends what waits for at most `grace_s`, says offline, disconnects. Returns when the task has ended.
    pub async fn stop(self, grace_s: f64) {
        // Fails only when the task has ended already.
        let _ = self.stop.send(Some(grace_s));
        let _ = self.task.await;
    }

    /// Ends at once, without a word: the last will speaks. For tests of what a crash leaves.
    pub fn abort(self) {
        self.task.abort();
    }
}

/// Starts the link on the current tokio runtime.
pub fn spawn(settings: Settings, port: LinkPort, clock: Arc<dyn Clock>) -> LinkHandle {
    let (stop, stopping) = tokio::sync::watch::channel(None);
    let task = tokio::spawn(shell::run(settings, port, clock, stopping));
    LinkHandle { stop, task }
}
