//! How to reach the broker.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kerbside_site::config::Centre;
use kerbside_wire::{Identity, topic};

use crate::error::LinkError;
use crate::machine::{MachineSettings, Terms};
use crate::status::LinkWatch;
use crate::tuning::{
    ACK_TIMEOUT_MIN_S, BACKOFF_MIN_S, CONNECT_TIMEOUT_S, KEEP_ALIVE_MIN_S, MAX_PACKET_V5, MAX_PACKET_V311,
    RENEWAL_PERIOD_S,
};

/// How to reach the broker.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    pub centre: Centre,
    /// Client id, and certificate CN.
    pub client_id: String,
    /// Connecting, TLS included.
    pub connect_timeout_s: u64,
    pub backoff_min_s: f64,
    pub backoff_max_s: f64,
    /// A message without PUBACK for that long costs the connection; `None`: twice the keep-alive, at least 20 s.
    pub ack_timeout_s: Option<f64>,
    /// Between two looks whether certificates, keys or the password were replaced, s.
    pub renewal_s: f64,
    /// Where the link says how it is.
    pub status: LinkWatch,
}

impl LinkSettings {
    pub fn new(centre: &Centre, edge_id: &str) -> Self {
        LinkSettings {
            centre: centre.clone(),
            client_id: edge_id.to_owned(),
            connect_timeout_s: CONNECT_TIMEOUT_S,
            backoff_min_s: BACKOFF_MIN_S,
            // With the time that a silence takes to be noticed: a link is there again within twice the keep-alive.
            backoff_max_s: (0.4 * f64::from(centre.keep_alive_s)).clamp(2.0, 60.0),
            ack_timeout_s: None,
            renewal_s: RENEWAL_PERIOD_S,
            status: LinkWatch::default(),
        }
    }

    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_secs(u64::from(self.centre.keep_alive_s.max(KEEP_ALIVE_MIN_S)))
    }

    /// Files that vouch for the box, or for the broker.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let tls = self.centre.tls.iter();
        let of_tls = tls.flat_map(|t| [Some(&t.ca_file), t.cert_file.as_ref(), t.key_file.as_ref()]);
        of_tls.flatten().chain(&self.centre.password_file).map(PathBuf::as_path)
    }

    pub(crate) fn machine(&self, who: &Identity, session_base: u64) -> MachineSettings {
        let keep_alive_s = self.keep_alive().as_secs_f64();
        MachineSettings {
            subscriptions: topic::subscriptions(&who.division, &who.edge_id),
            session_base,
            keep_alive_s,
            connect_timeout_s: self.connect_timeout_s as f64 + 5.0,
            ack_timeout_s: self.ack_timeout_s.unwrap_or((2.0 * keep_alive_s).max(ACK_TIMEOUT_MIN_S)),
            backoff_min_s: self.backoff_min_s,
            backoff_max_s: self.backoff_max_s,
            terms: self.terms(),
            max_packet_v5: MAX_PACKET_V5,
            max_packet_v311: MAX_PACKET_V311,
        }
    }

    /// What the site asks of the broker.
    pub(crate) fn terms(&self) -> Terms {
        Terms { protocol: self.centre.protocol, retain: self.centre.retain, max_qos: 1 }
    }

    /// Of the MQTT user; empty without one.
    pub(crate) fn password(&self) -> Result<String, LinkError> {
        let Some(path) = &self.centre.password_file else { return Ok(String::new()) };
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|cause| LinkError::Password { path: path.clone(), cause })?;
        Ok(text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']).to_owned())
    }
}
