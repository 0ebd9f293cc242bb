//! What the tests of this crate share.

use kerbside_site::config::Protocol;
use kerbside_wire::testing::{report, who};
use kerbside_wire::{Content, Message, Outgoing};
use tokio::runtime::{Builder, Runtime};

use crate::machine::{MachineSettings, Terms};

/// What a site asks for that says nothing of it.
pub(crate) const FULL: Terms = Terms { protocol: Protocol::V5, retain: true, max_qos: 1 };

pub(crate) fn settings() -> MachineSettings {
    MachineSettings {
        subscriptions: vec!["receipt".into(), "case".into()],
        session_base: 3_000_000,
        keep_alive_s: 30.0,
        connect_timeout_s: 35.0,
        ack_timeout_s: 60.0,
        backoff_min_s: 1.0,
        backoff_max_s: 60.0,
        terms: FULL,
        max_packet_v5: 1 << 24,
        max_packet_v311: 1 << 20,
    }
}

/// As the store thread hands it over.
pub(crate) fn message(seq: u64, topic: &str) -> Outgoing {
    let (topic, properties, content) = (topic.to_owned(), Vec::new(), Content::Event);
    Outgoing { seq, topic, qos: 1, retain: false, expiry_s: None, properties, body: vec![0; 10], content }
}

/// A report of that incident.
pub(crate) fn matter(incident_id: &str) -> Message {
    kerbside_wire::matter(&who(), &report(incident_id, 1), None, None).into()
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
