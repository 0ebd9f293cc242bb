//! `command.reply`: what became of a command.

use kerbside_domain::time::Moment;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::message::Message;
use crate::priority::Priority;
use crate::text::to_json;

/// A centre that was away for longer asks again, s.
const EXPIRY_S: u32 = 24 * 3600;

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyResult {
    /// It was carried out.
    Done,
    /// It was not obeyed.
    Refused,
    /// It was obeyed, and could not be carried out.
    Failed,
}

/// `command.reply`. `reason` is for a person; `detail`, unless it is null, for the centre's software.
pub fn reply(
    command_id: &str,
    verb: &str,
    result: ReplyResult,
    reason: Option<&str>,
    detail: Value,
    at: Moment,
) -> Message {
    let mut data = json!({"command_id": command_id, "verb": verb, "result": result});
    if let Some(map) = data.as_object_mut() {
        if let Some(reason) = reason {
            map.insert("reason".to_owned(), Value::from(reason));
        }
        if !detail.is_null() {
            map.insert("detail".to_owned(), detail);
        }
    }
    let mut message = Message::new("command.reply.v1", "reply", Priority::Reply, at, to_json(&data));
    message.correlation_id = Some(command_id.to_owned());
    message.expiry_s = Some(EXPIRY_S);
    message
}
