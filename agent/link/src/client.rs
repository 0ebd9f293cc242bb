//! One connection's MQTT client, version 5 or 3.1.1 behind one face. The only file that names rumqttc's types.

use std::collections::HashMap;
use std::time::Duration;

use rumqttc::v5::mqttbytes as m5;
use rumqttc::v5::mqttbytes::v5 as p5;
use rumqttc::{self as v4, Outgoing as Written, Transport, v5};

use super::machine::{Event, Verdict};
use super::{LinkError, Settings, tls};
use kerbside_site::config::Protocol;
use kerbside_wire::Outgoing;
use kerbside_wire::envelope::{CONTENT_TYPE, Content};

/// The broker keeps the subscriptions and what comes down that long while the box is away, s.
const SESSION_EXPIRY_S: u32 = 7 * 24 * 3600;
/// Longest message from above that is let in; more than `wire` will look at, so that it is refused with a word.
const INCOMING_LIMIT: u32 = 64 * 1024;
const INCOMING_LIMIT_V4: usize = 1 << 20;
/// Messages from above that may wait for their acknowledgement.
const RECEIVE_MAX: u16 = 32;
/// Requests between two polls: the window, acknowledgements, subscriptions.
const CHANNEL: usize = 128;
/// Packet ids before they are used again; more than the window, so that a withheld PUBACK blocks nobody at once.
const PACKET_IDS: u16 = 100;

/// Hands requests to the poll; never waits.
#[derive(Debug)]
pub enum Sender {
    V5 { client: v5::AsyncClient, held: HashMap<u64, p5::Publish> },
    V4 { client: v4::AsyncClient, held: HashMap<u64, v4::Publish> },
}

/// What is polled.
#[allow(missing_debug_implementations)] // The event loops have none.
pub enum Poller {
    V5(Box<v5::EventLoop>),
    V4(Box<v4::EventLoop>),
}

/// What a poll brought, before messages from above have a token.
enum Raw {
    Plain(Event),
    Publish5(p5::Publish),
    Publish4(v4::Publish),
}

/// What the broker says when the box is gone without a word.
#[derive(Clone, Debug)]
pub struct Will {
    pub topic: String,
    pub body: Vec<u8>,
}

/// A new client; nothing is connected before the first poll. Certificates and password are read anew each time, so
/// that a rotated one is used without a restart.
pub fn new(settings: &Settings, will: Will) -> Result<(Sender, Poller), LinkError> {
    let centre = &settings.centre;
    let password = match &centre.password_file {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            let text = read.map_err(|source| LinkError::Password { path: path.clone(), source })?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        None => String::new(),
    };
    let transport = match &centre.tls {
        Some(tls) => Transport::tls_with_config(tls::client_config(tls)?.into()),
        None => Transport::tcp(),
    };
    Ok(match centre.protocol {
        Protocol::V5 => {
            let mut o = v5::MqttOptions::new(settings.client_id.clone(), centre.host.clone(), centre.port);
            o.set_transport(transport);
            o.set_keep_alive(settings.keep_alive());
            o.set_clean_start(false);
            o.set_session_expiry_interval(Some(SESSION_EXPIRY_S));
            o.set_receive_maximum(Some(RECEIVE_MAX));
            o.set_max_packet_size(Some(INCOMING_LIMIT));
            o.set_connection_timeout(settings.connect_timeout_s);
            o.set_manual_acks(true);
            o.set_outgoing_inflight_upper_limit(PACKET_IDS);
            if let Some(user) = &centre.username {
                o.set_credentials(user.clone(), password);
            }
            let properties = p5::LastWillProperties {
                delay_interval: None,
                payload_format_indicator: Some(1),
                message_expiry_interval: None,
                content_type: Some(CONTENT_TYPE.to_owned()),
                response_topic: None,
                correlation_data: None,
                user_properties: Vec::new(),
            };
            o.set_last_will(p5::LastWill::new(
                will.topic,
                will.body,
                m5::QoS::AtLeastOnce,
                true,
                Some(properties),
            ));
            let (client, poller) = v5::AsyncClient::new(o, CHANNEL);
            (Sender::V5 { client, held: HashMap::new() }, Poller::V5(Box::new(poller)))
        }
        Protocol::V311 => {
            let mut o = v4::MqttOptions::new(settings.client_id.clone(), centre.host.clone(), centre.port);
            o.set_transport(transport);
            o.set_keep_alive(settings.keep_alive());
            o.set_clean_session(false);
            o.set_max_packet_size(INCOMING_LIMIT_V4, INCOMING_LIMIT_V4);
            o.set_manual_acks(true);
            o.set_inflight(PACKET_IDS);
            if let Some(user) = &centre.username {
                o.set_credentials(user.clone(), password);
            }
            o.set_last_will(v4::LastWill::new(will.topic, will.body, v4::QoS::AtLeastOnce, true));
            let (client, mut poller) = v4::AsyncClient::new(o, CHANNEL);
            poller.network_options.set_connection_timeout(settings.connect_timeout_s);
            (Sender::V4 { client, held: HashMap::new() }, Poller::V4(Box::new(poller)))
        }
    })
}

impl Sender {
    /// Queues a publish. An error means that this client is of no use any more.
    pub fn publish(&self, parcel: Outgoing) -> Result<(), LinkError> {
        let Outgoing { topic, qos, retain, expiry_s, properties, body, content, .. } = parcel;
        let sent = match self {
            Sender::V5 { client, .. } => {
                let qos = if qos == 0 { m5::QoS::AtMostOnce } else { m5::QoS::AtLeastOnce };
                let properties = p5::PublishProperties {
                    payload_format_indicator: Some(u8::from(content == Content::Event)),
                    message_expiry_interval: expiry_s,
                    content_type: Some(content.media_type().to_owned()),
                    user_properties: properties,
                    ..Default::default()
                };
                client
                    .try_publish_with_properties(topic, qos, retain, body, properties)
                    .map_err(|e| e.to_string())
            }
            Sender::V4 { client, .. } => {
                let qos = if qos == 0 { v4::QoS::AtMostOnce } else { v4::QoS::AtLeastOnce };
                client.try_publish(topic, qos, retain, body).map_err(|e| e.to_string())
            }
        };
        sent.map_err(LinkError::Connection)
    }

    pub fn subscribe(&self, filters: Vec<String>) -> Result<(), LinkError> {
        let sent = match self {
            Sender::V5 { client, .. } => {
                // A command that is retained is refused also when it comes fresh.
                let filter =
                    |f| p5::Filter { preserve_retain: true, ..p5::Filter::new(f, m5::QoS::AtLeastOnce) };
                let filters = filters.into_iter().map(filter);
                client.try_subscribe_many(filters).map_err(|e| e.to_string())
            }
            Sender::V4 { client, .. } => {
                let filters = filters.into_iter().map(|f| v4::SubscribeFilter::new(f, v4::QoS::AtLeastOnce));
                client.try_subscribe_many(filters).map_err(|e| e.to_string())
            }
        };
        sent.map_err(LinkError::Connection)
    }

    /// Acknowledges what came down under `token`.
    pub fn ack(&mut self, token: u64) -> Result<(), LinkError> {
        let sent = match self {
            Sender::V5 { client, held } => match held.remove(&token) {
                Some(publish) => client.try_ack(&publish).map_err(|e| e.to_string()),
                None => Ok(()),
            },
            Sender::V4 { client, held } => match held.remove(&token) {
                Some(publish) => client.try_ack(&publish).map_err(|e| e.to_string()),
                None => Ok(()),
            },
        };
        sent.map_err(LinkError::Connection)
    }

    pub fn disconnect(&self) -> Result<(), LinkError> {
        let sent = match self {
            Sender::V5 { client, .. } => client.try_disconnect().map_err(|e| e.to_string()),
            Sender::V4 { client, .. } => client.try_disconnect().map_err(|e| e.to_string()),
        };
        sent.map_err(LinkError::Connection)
    }

    /// Keeps what came down until it is acknowledged, and makes the event of it.
    pub fn receive(&mut self, polled: Polled, next_token: &mut u64) -> Event {
        let token = *next_token;
        match (polled.0, self) {
            (Raw::Plain(event), _) => event,
            (Raw::Publish5(publish), Sender::V5 { held, .. }) => {
                *next_token += 1;
                let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                let (payload, retain) = (publish.payload.to_vec(), publish.retain);
                held.insert(token, publish);
                Event::Received { token, topic, payload, retain }
            }
            (Raw::Publish4(publish), Sender::V4 { held, .. }) => {
                *next_token += 1;
                let (topic, payload, retain) =
                    (publish.topic.clone(), publish.payload.to_vec(), publish.retain);
                held.insert(token, publish);
                Event::Received { token, topic, payload, retain }
            }
            // A poller and a sender of different versions are never paired.
            _ => Event::Alive,
        }
    }
}

/// What one poll brought.
#[allow(missing_debug_implementations)] // Lives for one turn of the loop.
pub struct Polled(Raw);

impl Poller {
    /// Not cancel-safe: a poll that was begun is polled to its end, or the client is thrown away.
    pub async fn poll(&mut self) -> Polled {
        Polled(match self {
            Poller::V5(poller) => match poller.poll().await {
                Ok(v5::Event::Incoming(packet)) => incoming5(packet),
                Ok(v5::Event::Outgoing(out)) => Raw::Plain(outgoing(&out)),
                Err(e) => Raw::Plain(Event::Lost { by_peer: closed_by_peer5(&e), why: e.to_string() }),
            },
            Poller::V4(poller) => match poller.poll().await {
                Ok(v4::Event::Incoming(packet)) => incoming4(packet),
                Ok(v4::Event::Outgoing(out)) => Raw::Plain(outgoing(&out)),
                Err(e) => Raw::Plain(Event::Lost { by_peer: closed_by_peer4(&e), why: e.to_string() }),
            },
        })
    }
}

fn outgoing(out: &Written) -> Event {
    match out {
        Written::Publish(pkid) => Event::Written { pkid: *pkid },
        _ => Event::Sent,
    }
}

fn incoming5(packet: p5::Packet) -> Raw {
    Raw::Plain(match packet {
        p5::Packet::ConnAck(ack) => {
            let properties = ack.properties.as_ref();
            Event::Connected {
                session_present: ack.session_present,
                receive_max: properties.and_then(|p| p.receive_max),
                max_packet: properties.and_then(|p| p.max_packet_size),
            }
        }
        p5::Packet::PubAck(ack) => Event::Acked { pkid: ack.pkid, verdict: verdict(ack.reason) },
        p5::Packet::Publish(publish) => return Raw::Publish5(publish),
        _ => Event::Alive,
    })
}

fn incoming4(packet: v4::Packet) -> Raw {
    Raw::Plain(match packet {
        v4::Packet::ConnAck(ack) => {
            Event::Connected { session_present: ack.session_present, receive_max: None, max_packet: None }
        }
        v4::Packet::PubAck(ack) => Event::Acked { pkid: ack.pkid, verdict: Verdict::Taken },
        v4::Packet::Publish(publish) => return Raw::Publish4(publish),
        _ => Event::Alive,
    })
}

fn verdict(reason: p5::PubAckReason) -> Verdict {
    use p5::PubAckReason as R;
    match reason {
        R::Success | R::NoMatchingSubscribers => Verdict::Taken,
        R::TopicNameInvalid | R::PayloadFormatInvalid => Verdict::Never(format!("{reason:?}")),
        R::UnspecifiedError
        | R::ImplementationSpecificError
        | R::NotAuthorized
        | R::PacketIdentifierInUse
        | R::QuotaExceeded => Verdict::NotNow(format!("{reason:?}")),
    }
}

/// The peer closed or reset, or said DISCONNECT: it may have been our message that it did not like.
fn closed_by_peer5(e: &v5::ConnectionError) -> bool {
    match e {
        v5::ConnectionError::MqttState(s) => {
            matches!(s, v5::StateError::ConnectionAborted | v5::StateError::ServerDisconnect { .. })
                || matches!(s, v5::StateError::Io(e) if closed(e))
                || matches!(s, v5::StateError::Deserialization(m5::Error::Io(e)) if closed(e))
        }
        v5::ConnectionError::Io(e) => closed(e),
        _ => false,
    }
}

fn closed_by_peer4(e: &v4::ConnectionError) -> bool {
    match e {
        v4::ConnectionError::MqttState(s) => {
            matches!(s, v4::StateError::ConnectionAborted) || matches!(s, v4::StateError::Io(e) if closed(e))
        }
        v4::ConnectionError::Io(e) => closed(e),
        _ => false,
    }
}

fn closed(e: &std::io::Error) -> bool {
    use std::io::ErrorKind as K;
    matches!(e.kind(), K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof)
}

/// How long a goodbye may take to be written.
pub const GOODBYE: Duration = Duration::from_secs(2);
