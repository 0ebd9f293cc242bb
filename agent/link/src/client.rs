//! One connection's MQTT client, version 5 or 3.1.1 behind one face.
//!
//! rumqttc gives the packets ([`codec`] is the only file that names its types); the connection is driven here, because its event
//! loop cannot be throttled: it reads up to ten packets for each one that it writes, and acknowledgements stand in one line
//! with reports. Here reading stops while too much is unacknowledged, and writing never waits for reading.
//!
//! | file | owns |
//! |---|---|
//! | [`codec`] | bytes to packets and back |
//! | [`connection`] | what is written next, when is read, which acknowledgement belongs to what |
//! | [`stream`] | the way to the broker: TCP, TLS, WebSocket |
//! | [`websocket`] | MQTT's bytes in WebSocket messages |

mod codec;
mod connection;
mod reasons;
mod stream;
#[cfg(test)]
mod tests;
mod websocket;

use std::pin::Pin;
use std::time::Duration;

use kerbside_domain::time::Moment;
use kerbside_wire::{Identity, Presence, state};

use codec::{Codec, Hello, Login, Will};

pub(crate) use connection::Connection;

use crate::error::LinkError;
use crate::machine::{LinkEvent, Terms};
use crate::settings::LinkSettings;
use crate::tuning::GOODBYE;

/// What the broker says when the box is gone without a word.
#[derive(Clone, Debug)]
pub(crate) struct LastWill {
    pub(crate) topic: String,
    pub(crate) body: Vec<u8>,
}

impl LastWill {
    pub(crate) fn new(who: &Identity, session: u64, at: Moment) -> Self {
        let lost = state(who, Presence::Lost, session, None, None, at);
        LastWill { topic: lost.full_topic(who), body: lost.envelope(who, None).into_bytes() }
    }
}

/// The way to the broker.
#[allow(missing_debug_implementations)] // A stream has none.
pub(crate) enum Wire {
    None,
    Opening(Pin<Box<dyn Future<Output = Result<Connection, LinkError>> + Send>>),
    Open(Box<Connection>),
}

impl Wire {
    pub(crate) fn opening(settings: &LinkSettings, terms: Terms, will: LastWill) -> Self {
        Wire::Opening(Box::pin(open(settings.clone(), terms, will)))
    }

    /// What happens next on it. May be dropped and called again.
    pub(crate) async fn event(&mut self, may_read: bool) -> LinkEvent {
        loop {
            match self {
                Wire::None => std::future::pending().await,
                Wire::Opening(opening) => match opening.await {
                    Ok(connection) => *self = Wire::Open(Box::new(connection)),
                    Err(e) => {
                        *self = Wire::None;
                        return LinkEvent::Lost { why: e.to_string(), by_peer: false };
                    }
                },
                Wire::Open(connection) => return connection.event(may_read).await,
            }
        }
    }

    /// Says DISCONNECT, and waits until it is written and the broker has closed, or the time is up.
    pub(crate) async fn disconnect(&mut self) {
        let Some(connection) = self.open() else { return };
        connection.disconnect();
        let closed = async { while !matches!(connection.event(true).await, LinkEvent::Lost { .. }) {} };
        // A broker that does not close is left all the same.
        let _ = tokio::time::timeout(GOODBYE, closed).await;
    }

    pub(crate) fn open(&mut self) -> Option<&mut Connection> {
        match self {
            Wire::Open(connection) => Some(connection),
            Wire::None | Wire::Opening(_) => None,
        }
    }
}

/// Connects and says CONNECT; its answer comes as an event. Certificates and password are read anew each time, so that a
/// rotated one is used without a restart.
async fn open(settings: LinkSettings, terms: Terms, will: LastWill) -> Result<Connection, LinkError> {
    let password = settings.password()?;
    let limit = Duration::from_secs(settings.connect_timeout_s);
    let stream = tokio::time::timeout(limit, stream::open(&settings.centre)).await;
    let stream = stream
        .map_err(|_| LinkError::Connection(format!("no connection within {} s", limit.as_secs())))??;
    let login = settings.centre.username.clone().map(|user| Login { user, password });
    let hello = Hello {
        client_id: settings.client_id.clone(),
        keep_alive_s: settings.keep_alive().as_secs() as u16,
        will: Will { topic: will.topic, body: will.body, retain: terms.retain, qos: terms.max_qos.min(1) },
        login,
    };
    Connection::new(stream, Codec::new(terms.protocol), &hello)
}
