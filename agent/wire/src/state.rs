//! `device.state`: birth, graceful offline, last will. Retained, so that whoever comes later reads it.

use kerbside_domain::time::Moment;
use serde::Serialize;

use crate::clock::ClockTrust;
use crate::identity::Identity;
use crate::message::Message;
use crate::priority::Priority;
use crate::text::to_json;

/// Whether the box is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Birth: the link is up.
    Online,
    /// It went on purpose.
    Offline,
    /// Last will: the broker lost it.
    Lost,
}

impl Presence {
    fn as_str(self) -> &'static str {
        match self {
            Presence::Online => "online",
            Presence::Offline => "offline",
            Presence::Lost => "lost",
        }
    }
}

#[derive(Serialize)]
struct StateData<'a> {
    state: Presence,
    session: u64,
    edge_id: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    /// Sessions and sequence numbers count within it.
    #[serde(skip_serializing_if = "Option::is_none")]
    journal_id: Option<&'a str>,
    clock: ClockTrust,
}

/// `device.state`. `session` rises with every connection, so that a late will does not overwrite a newer birth.
pub fn state(
    who: &Identity,
    presence: Presence,
    session: u64,
    last_sequence: Option<u64>,
    reason: Option<&str>,
    at: Moment,
) -> Message {
    let data = StateData {
        state: presence,
        session,
        edge_id: &who.edge_id,
        version: &who.version,
        last_sequence,
        reason,
        key: who.key.as_deref(),
        journal_id: who.journal_id.as_deref(),
        clock: at.quality.into(),
    };
    let mut message = Message::new("device.state.v1", "state", Priority::Incident, at, to_json(&data));
    let journal = who.journal_id.iter().map(|id| format!(".{id}")).collect::<String>();
    message.id = Some(format!("state.{session}.{}{journal}", presence.as_str()));
    message.retain = true;
    message.conflation_key = Some("state".to_owned());
    message
}
