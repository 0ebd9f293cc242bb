//! One connection's MQTT client, version 5 or 3.1.1 behind one face. The only file that names rumqttc's types.

use std::collections::{HashMap, VecDeque};

use rumqttc::v5::mqttbytes as m5;
use rumqttc::v5::mqttbytes::v5 as p5;
use rumqttc::{self as v4, Outgoing as Written, Transport, v5};

use kerbside_site::config::Protocol;
use kerbside_wire::{CONTENT_TYPE, Content, Outgoing};

use crate::error::LinkError;
use crate::machine::{LinkEvent, Verdict};
use crate::settings::LinkSettings;
use crate::tls;
use crate::tuning::{
    ACKS_UNWRITTEN, CLIENT_REQUESTS, INBOUND_LIMIT, INBOUND_LIMIT_V311, PACKET_IDS, RECEIVE_MAX,
    SESSION_EXPIRY_S,
};

/// Hands requests to the poll; never waits.
#[derive(Debug)]
pub(crate) struct Sender {
    client: Client,
    /// What came down, by token, until it is acknowledged.
    unacknowledged: HashMap<u64, Unacknowledged>,
    /// Acknowledgements that wait until the client has written those before.
    acks: VecDeque<Unacknowledged>,
    unwritten_acks: usize,
}

#[derive(Debug)]
enum Client {
    V5(v5::AsyncClient),
    V4(v4::AsyncClient),
}

/// What is kept of a message of the centre: what its acknowledgement needs.
#[derive(Debug)]
enum Unacknowledged {
    V5(p5::Publish),
    V4(v4::Publish),
}

/// What is polled.
#[allow(missing_debug_implementations)] // The event loops have none.
pub(crate) enum Poller {
    V5(Box<v5::EventLoop>),
    V4(Box<v4::EventLoop>),
}

/// What a poll brought, before messages of the centre have a token.
enum Raw {
    Plain(LinkEvent),
    /// The client wrote an acknowledgement.
    AckWritten,
    Publish5(p5::Publish),
    Publish4(v4::Publish),
}

/// What the broker says when the box is gone without a word.
#[derive(Clone, Debug)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) body: Vec<u8>,
}

/// A new client; nothing is connected before the first poll. Certificates and password are read anew each time, so
/// that a rotated one is used without a restart.
pub(crate) fn new(settings: &LinkSettings, will: Will) -> Result<(Sender, Poller), LinkError> {
    let centre = &settings.centre;
    let password = match &centre.password_file {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            let text = read.map_err(|cause| LinkError::Password { path: path.clone(), cause })?;
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
            o.set_max_packet_size(Some(INBOUND_LIMIT));
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
            let (client, poller) = v5::AsyncClient::new(o, CLIENT_REQUESTS);
            (Sender::new(Client::V5(client)), Poller::V5(Box::new(poller)))
        }
        Protocol::V311 => {
            let mut o = v4::MqttOptions::new(settings.client_id.clone(), centre.host.clone(), centre.port);
            o.set_transport(transport);
            o.set_keep_alive(settings.keep_alive());
            o.set_clean_session(false);
            o.set_max_packet_size(INBOUND_LIMIT_V311, INBOUND_LIMIT_V311);
            o.set_manual_acks(true);
            o.set_inflight(PACKET_IDS);
            if let Some(user) = &centre.username {
                o.set_credentials(user.clone(), password);
            }
            o.set_last_will(v4::LastWill::new(will.topic, will.body, v4::QoS::AtLeastOnce, true));
            let (client, mut poller) = v4::AsyncClient::new(o, CLIENT_REQUESTS);
            poller.network_options.set_connection_timeout(settings.connect_timeout_s);
            (Sender::new(Client::V4(client)), Poller::V4(Box::new(poller)))
        }
    })
}

impl Sender {
    fn new(client: Client) -> Self {
        Sender { client, unacknowledged: HashMap::new(), acks: VecDeque::new(), unwritten_acks: 0 }
    }

    /// Queues a publish. An error means that this client is of no use any more.
    pub(crate) fn publish(&self, outgoing: Outgoing) -> Result<(), LinkError> {
        let Outgoing { topic, qos, retain, expiry_s, properties, body, content, .. } = outgoing;
        let sent = match &self.client {
            Client::V5(client) => {
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
            Client::V4(client) => {
                let qos = if qos == 0 { v4::QoS::AtMostOnce } else { v4::QoS::AtLeastOnce };
                client.try_publish(topic, qos, retain, body).map_err(|e| e.to_string())
            }
        };
        sent.map_err(LinkError::Connection)
    }

    pub(crate) fn subscribe(&self, filters: Vec<String>) -> Result<(), LinkError> {
        let sent = match &self.client {
            Client::V5(client) => {
                // A retained command is refused also when it comes at once.
                let filter =
                    |f| p5::Filter { preserve_retain: true, ..p5::Filter::new(f, m5::QoS::AtLeastOnce) };
                let filters = filters.into_iter().map(filter);
                client.try_subscribe_many(filters).map_err(|e| e.to_string())
            }
            Client::V4(client) => {
                let filters = filters.into_iter().map(|f| v4::SubscribeFilter::new(f, v4::QoS::AtLeastOnce));
                client.try_subscribe_many(filters).map_err(|e| e.to_string())
            }
        };
        sent.map_err(LinkError::Connection)
    }

    /// Acknowledges what came down under `token`.
    pub(crate) fn ack(&mut self, token: u64) -> Result<(), LinkError> {
        self.acks.extend(self.unacknowledged.remove(&token));
        self.write_acks()
    }

    /// Few at once: the client's queue has room for reports whatever the broker sends.
    fn write_acks(&mut self) -> Result<(), LinkError> {
        while self.unwritten_acks < ACKS_UNWRITTEN
            && let Some(message) = self.acks.pop_front()
        {
            let (sent, is_written) = match (&self.client, &message) {
                (Client::V5(client), Unacknowledged::V5(publish)) => {
                    let sent = client.try_ack(publish).map_err(|e| e.to_string());
                    (sent, publish.qos != m5::QoS::AtMostOnce)
                }
                (Client::V4(client), Unacknowledged::V4(publish)) => {
                    let sent = client.try_ack(publish).map_err(|e| e.to_string());
                    (sent, publish.qos != v4::QoS::AtMostOnce)
                }
                // A client and a message of different versions are never paired.
                _ => continue,
            };
            sent.map_err(LinkError::Connection)?;
            self.unwritten_acks += usize::from(is_written);
        }
        Ok(())
    }

    pub(crate) fn disconnect(&self) -> Result<(), LinkError> {
        let sent = match &self.client {
            Client::V5(client) => client.try_disconnect().map_err(|e| e.to_string()),
            Client::V4(client) => client.try_disconnect().map_err(|e| e.to_string()),
        };
        sent.map_err(LinkError::Connection)
    }

    /// Keeps what came down until it is acknowledged, and makes the event of it.
    pub(crate) fn receive(&mut self, polled: Polled, next_token: &mut u64) -> LinkEvent {
        let (message, topic, payload, retain) = match polled.0 {
            Raw::Plain(event) => return event,
            Raw::AckWritten => {
                self.unwritten_acks = self.unwritten_acks.saturating_sub(1);
                return match self.write_acks() {
                    Ok(()) => LinkEvent::Sent,
                    Err(e) => LinkEvent::Lost { why: e.to_string(), by_peer: false },
                };
            }
            Raw::Publish5(mut publish) => {
                let topic = String::from_utf8_lossy(&std::mem::take(&mut publish.topic)).into_owned();
                let payload = std::mem::take(&mut publish.payload).to_vec();
                let retain = publish.retain;
                (Unacknowledged::V5(p5::Publish { properties: None, ..publish }), topic, payload, retain)
            }
            Raw::Publish4(mut publish) => {
                let topic = std::mem::take(&mut publish.topic);
                let payload = std::mem::take(&mut publish.payload).to_vec();
                let retain = publish.retain;
                (Unacknowledged::V4(publish), topic, payload, retain)
            }
        };
        let token = *next_token;
        *next_token += 1;
        self.unacknowledged.insert(token, message);
        LinkEvent::Received { token, topic, payload, retain }
    }
}

/// What one poll brought.
#[allow(missing_debug_implementations)] // Lives for one turn of the loop.
pub(crate) struct Polled(Raw);

impl Poller {
    /// Not cancel-safe: a poll that was begun is polled to its end, or the client is thrown away.
    pub(crate) async fn poll(&mut self) -> Polled {
        Polled(match self {
            Poller::V5(poller) => match poller.poll().await {
                Ok(v5::Event::Incoming(packet)) => incoming5(packet),
                Ok(v5::Event::Outgoing(out)) => outgoing(&out),
                Err(e) => Raw::Plain(LinkEvent::Lost { by_peer: closed_by_peer5(&e), why: e.to_string() }),
            },
            Poller::V4(poller) => match poller.poll().await {
                Ok(v4::Event::Incoming(packet)) => incoming4(packet),
                Ok(v4::Event::Outgoing(out)) => outgoing(&out),
                Err(e) => Raw::Plain(LinkEvent::Lost { by_peer: closed_by_peer4(&e), why: e.to_string() }),
            },
        })
    }
}

fn outgoing(out: &Written) -> Raw {
    match out {
        Written::Publish(pkid) => Raw::Plain(LinkEvent::Written { pkid: *pkid }),
        Written::PubAck(_) | Written::PubRec(_) => Raw::AckWritten,
        _ => Raw::Plain(LinkEvent::Sent),
    }
}

fn incoming5(packet: p5::Packet) -> Raw {
    Raw::Plain(match packet {
        p5::Packet::ConnAck(ack) => {
            let properties = ack.properties.as_ref();
            LinkEvent::Connected {
                session_present: ack.session_present,
                receive_max: properties.and_then(|p| p.receive_max),
                max_packet: properties.and_then(|p| p.max_packet_size),
            }
        }
        p5::Packet::PubAck(ack) => LinkEvent::PubAck { pkid: ack.pkid, verdict: verdict(ack.reason) },
        p5::Packet::Publish(publish) => return Raw::Publish5(publish),
        _ => LinkEvent::Alive,
    })
}

fn incoming4(packet: v4::Packet) -> Raw {
    Raw::Plain(match packet {
        v4::Packet::ConnAck(ack) => {
            LinkEvent::Connected { session_present: ack.session_present, receive_max: None, max_packet: None }
        }
        v4::Packet::PubAck(ack) => LinkEvent::PubAck { pkid: ack.pkid, verdict: Verdict::Taken },
        v4::Packet::Publish(publish) => return Raw::Publish4(publish),
        _ => LinkEvent::Alive,
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
