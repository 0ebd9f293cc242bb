//! How to reach a broker.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use kerbside_site::config::Tls;
use rumqttc::v5::mqttbytes::v5::{PubAck, PubAckReason, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, EventLoop, MqttOptions};

/// Longest message taken, bytes.
const INBOUND_LIMIT: u32 = 1 << 20;
/// Requests that wait for the next poll: more than one message can cause.
const CLIENT_REQUESTS: usize = 256;
/// Messages that the broker has not acknowledged yet.
const UNACKNOWLEDGED: u16 = 100;
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How to reach a broker.
#[derive(Clone, Debug, Default)]
pub struct BrokerAddress {
    /// `mqtt://host[:port]` or `mqtts://host[:port]`.
    pub broker: String,
    pub tls: Option<Tls>,
}

impl From<crate::cli::BrokerArgs> for BrokerAddress {
    fn from(args: crate::cli::BrokerArgs) -> Self {
        let crate::cli::BrokerArgs { broker, ca_file, cert_file, key_file } = args;
        BrokerAddress { broker, tls: ca_file.map(|ca_file| Tls { ca_file, cert_file, key_file }) }
    }
}

/// Host and port of a broker's address, and whether it is TLS.
pub fn parse_broker(url: &str) -> anyhow::Result<(String, u16, bool)> {
    let (rest, tls) = match (url.strip_prefix("mqtt://"), url.strip_prefix("mqtts://")) {
        (Some(rest), _) => (rest, false),
        (_, Some(rest)) => (rest, true),
        _ => bail!("broker {url:?}: mqtt://HOST[:PORT] or mqtts://HOST[:PORT] is expected"),
    };
    let rest = rest.trim_end_matches('/');
    let default = if tls { 8883 } else { 1883 };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            (host, port.parse().with_context(|| format!("broker {url:?}: port {port:?}"))?)
        }
        _ => (rest, default),
    };
    if host.is_empty() {
        bail!("broker {url:?}: the host is missing");
    }
    Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port, tls))
}

/// A client that is not connected before its first poll. `name` begins its id.
pub(super) fn connect(broker: &BrokerAddress, name: &str) -> anyhow::Result<(AsyncClient, EventLoop)> {
    let (host, port, tls) = parse_broker(&broker.broker)?;
    let id = format!("{name}-{}", ulid::Ulid::generate().to_string().to_lowercase());
    let mut options = MqttOptions::new(id, host, port);
    options.set_clean_start(true);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_max_packet_size(Some(INBOUND_LIMIT));
    options.set_outgoing_inflight_upper_limit(UNACKNOWLEDGED);
    if tls {
        let tls = broker.tls.as_ref().context("mqtts:// needs the centre's CA file: --ca-file")?;
        let config = kerbside_link::tls::client_config(tls)?;
        options.set_transport(rumqttc::Transport::tls_with_config(config.into()));
    }
    Ok(AsyncClient::new(options, CLIENT_REQUESTS))
}

/// Whether the broker took a message; the error says by name why it did not.
pub(super) fn taken(ack: &PubAck) -> anyhow::Result<()> {
    let (why, cure) = match ack.reason {
        PubAckReason::Success => return Ok(()),
        PubAckReason::NoMatchingSubscribers => {
            tracing::warn!(
                "the broker took the message, and no box reads that topic: is the box's name right?"
            );
            return Ok(());
        }
        PubAckReason::NotAuthorized => ("not authorised", "let this user write there (its access list)"),
        PubAckReason::QuotaExceeded => {
            ("quota exceeded", "look at the limits of this user and of its queues")
        }
        PubAckReason::TopicNameInvalid => ("topic name invalid", "is the name of division and box right?"),
        PubAckReason::PayloadFormatInvalid => ("payload format invalid", "it wants another content here"),
        PubAckReason::PacketIdentifierInUse => ("packet identifier in use", "try again"),
        PubAckReason::ImplementationSpecificError => ("an error of its own", "its log says more"),
        PubAckReason::UnspecifiedError => ("an error that it does not name", "its log says more"),
    };
    bail!("the broker refuses the message: {why}; {cure}")
}

/// Whether the broker sends what was asked for; the error says by name why it does not.
pub(super) fn subscribed(ack: &SubAck) -> anyhow::Result<()> {
    let refused = ack.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
    let why = refused.map(|code| format!("{code:?}")).unwrap_or_default();
    ensure!(
        refused.is_none(),
        "the broker refuses the subscription: {why}; let this user read there (its access list)"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_addresses() {
        let parse = |u| parse_broker(u).ok();
        assert_eq!(parse("mqtt://127.0.0.1:1884"), Some(("127.0.0.1".into(), 1884, false)));
        assert_eq!(parse("mqtts://broker.example/"), Some(("broker.example".into(), 8883, true)));
        assert_eq!(parse("mqtt://[::1]:1883"), Some(("::1".into(), 1883, false)));
        assert_eq!((parse("http://x"), parse("mqtt://"), parse("mqtt://h:x")), (None, None, None));
    }
}
