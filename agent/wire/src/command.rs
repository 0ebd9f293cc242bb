//! Commands: what the centre may order, and when the box obeys. Pure; the delivery keeps what was ordered before.
//!
//! A command counts only with a signature of one of the centre's keys, for this box (or, for a few verbs, for all boxes of
//! the division), within its time, and once: the ids of what was obeyed are kept. There is no shell.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Identity;
use super::down::{Refusal, clipped, instant, limited};
use super::signed::{Signed, target};
use kerbside_crypto::sign::CentreKey;
use kerbside_domain::time::{ClockQuality, Moment};

pub const COMMAND: &str = "kerbside.command.v1";
const ID_LIMIT: usize = 128;
/// A command may be valid for so long at most: its id must be remembered until then.
pub const MAX_LIFE_MS: i64 = 7 * 86_400_000;
/// A command may be issued so long in the future: the centre's clock is another one.
const SKEW_MS: i64 = 5 * 60_000;
/// What may be ordered of all boxes at once.
const FOR_ALL: [&str; 2] = ["detector.pause", "snapshot"];
/// Most messages one `resend` may ask for.
pub const RESEND_LIMIT: u64 = 1000;
/// Longest clip and longest pause, s.
const CLIP_LIMIT_S: f64 = 120.0;
const PAUSE_LIMIT_S: f64 = 86_400.0;
/// Most journal records in one reply.
const LOG_LIMIT: u32 = 100;

/// An order from the centre as it came; see [`Command::genuine`].
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub id: String,
    pub verb: String,
    pub target: String,
    pub actor: String,
    pub issued_at_ms: i64,
    pub expires_at_ms: i64,
    pub args: Value,
    /// As its topic says: its verb, and whether it was sent to all boxes of a division.
    pub topic_verb: String,
    pub to_all: bool,
    pub signed: Signed,
}

#[derive(Deserialize)]
struct Data {
    id: String,
    target: String,
    verb: String,
    actor: String,
    issued_at: String,
    expires_at: String,
    #[serde(default)]
    args: Value,
}

/// What the box does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb")]
pub enum Order {
    /// Say again what was said with these sequence numbers.
    #[serde(rename = "resend")]
    Resend { from: u64, to: u64 },
    /// The newest records of the journal, of these kinds or of all but messages.
    #[serde(rename = "log.pull")]
    LogPull {
        #[serde(default)]
        kinds: Vec<String>,
        last: u32,
    },
    /// Look again at an incident.
    #[serde(rename = "recheck")]
    Recheck { incident_id: String },
    /// A picture of what the camera sees now.
    #[serde(rename = "snapshot")]
    Snapshot { camera_id: Option<String> },
    /// What the camera saw, if the ring still holds it. Wall clock, ms.
    #[serde(rename = "clip")]
    Clip { camera_id: String, from_ms: i64, to_ms: i64 },
    /// No judgement for so long; 0 ends a pause. `None`: all cameras.
    #[serde(rename = "detector.pause")]
    Pause { camera_id: Option<String>, for_s: f64 },
    #[serde(rename = "restart")]
    Restart,
}

impl Order {
    /// The delivery does it by itself; everything else is done by the stages.
    pub fn is_for_delivery(&self) -> bool {
        matches!(self, Order::Resend { .. } | Order::LogPull { .. })
    }
}

/// Reads a command; nothing in it is believed yet.
pub fn read(topic_verb: &str, to_all: bool, payload: &[u8]) -> Result<Command, Refusal> {
    let signed = Signed::read(payload, COMMAND)?;
    let data: Data =
        serde_json::from_str(&signed.text).map_err(|e| Refusal::Malformed(clipped(&e.to_string())))?;
    for (what, text) in
        [("id", &data.id), ("actor", &data.actor), ("verb", &data.verb), ("target", &data.target)]
    {
        limited(what, text, ID_LIMIT)?;
    }
    let (issued_at_ms, expires_at_ms) =
        (instant("issued_at", &data.issued_at)?, instant("expires_at", &data.expires_at)?);
    let Data { id, target, verb, actor, args, .. } = data;
    let topic_verb = topic_verb.to_owned();
    Ok(Command { id, verb, target, actor, issued_at_ms, expires_at_ms, args, topic_verb, to_all, signed })
}

impl Command {
    /// Whose signature it carries, if it is one of the centre's keys and meant for this box and verb. Whatever fails here
    /// was not ordered by the centre: its id is not remembered, so that nobody can use up the ids of others.
    pub fn genuine(&self, who: &Identity, keys: &[CentreKey]) -> Result<String, String> {
        let key = self.signed.signer(keys)?;
        if self.target != target(who, self.to_all) {
            return Err(format!("for another box: {:?}", clipped(&self.target)));
        }
        if self.verb != self.topic_verb {
            let (signed, topic) = (clipped(&self.verb), clipped(&self.topic_verb));
            return Err(format!("{signed:?} was signed, {topic:?} is the topic's verb"));
        }
        Ok(key.id.clone())
    }

    /// What is to be done about a genuine command at `now`, or why nothing is. `floor_ms`: what was issued up to then may
    /// have been obeyed and forgotten.
    pub fn order(&self, now: Moment, floor_ms: i64) -> Result<Order, String> {
        if now.quality == ClockQuality::None {
            let why = "the clock is not synchronised: it cannot be judged whether the command has expired";
            return Err(why.to_owned());
        }
        if self.expires_at_ms <= now.wall_ms {
            return Err("expired".to_owned());
        }
        if self.issued_at_ms > now.wall_ms + SKEW_MS {
            return Err("issued in the future".to_owned());
        }
        if self.expires_at_ms - self.issued_at_ms > MAX_LIFE_MS {
            return Err(format!("valid for longer than {} days", MAX_LIFE_MS / 86_400_000));
        }
        if self.issued_at_ms <= floor_ms {
            return Err("issued before the oldest command that is remembered".to_owned());
        }
        if self.to_all && !FOR_ALL.contains(&self.verb.as_str()) {
            return Err(format!("{} is not taken from the topic of all boxes", clipped(&self.verb)));
        }
        order(&self.verb, &self.args)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    from: u64,
    to: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    #[serde(default)]
    kinds: Vec<String>,
    last: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Incident {
    incident_id: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Camera {
    camera_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    camera_id: String,
    from: String,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    camera_id: Option<String>,
    for_s: f64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn args<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, String> {
    let value = if value.is_null() { Value::Object(serde_json::Map::new()) } else { value.clone() };
    serde_json::from_value(value).map_err(|e| format!("args: {}", clipped(&e.to_string())))
}

fn order(verb: &str, value: &Value) -> Result<Order, String> {
    match verb {
        "resend" => match args(value)? {
            Range { from, to } if from <= to && to - from < RESEND_LIMIT => Ok(Order::Resend { from, to }),
            _ => Err(format!("args: from..to must be at most {RESEND_LIMIT} sequence numbers, in order")),
        },
        "log.pull" => match args(value)? {
            Log { kinds, last } if (1..=LOG_LIMIT).contains(&last) && kinds.len() <= 16 => {
                Ok(Order::LogPull { kinds, last })
            }
            _ => Err(format!("args: last must be 1 to {LOG_LIMIT}, kinds at most 16")),
        },
        "recheck" => {
            let Incident { incident_id } = args(value)?;
            Ok(Order::Recheck { incident_id: clipped(&incident_id) })
        }
        "snapshot" => args(value).map(|Camera { camera_id }| Order::Snapshot { camera_id }),
        "clip" => {
            let Span { camera_id, from, to } = args(value)?;
            let at = |what, text: &str| instant(what, text).map_err(|e| format!("args: {e}"));
            let (from_ms, to_ms) = (at("from", &from)?, at("to", &to)?);
            if from_ms < to_ms && (to_ms - from_ms) as f64 <= CLIP_LIMIT_S * 1000.0 {
                Ok(Order::Clip { camera_id, from_ms, to_ms })
            } else {
                Err(format!("args: from..to must be at most {CLIP_LIMIT_S} s, in order"))
            }
        }
        "detector.pause" => match args(value)? {
            Pause { camera_id, for_s } if (0.0..=PAUSE_LIMIT_S).contains(&for_s) => {
                Ok(Order::Pause { camera_id, for_s })
            }
            _ => Err(format!("args: for_s must be 0 to {PAUSE_LIMIT_S}")),
        },
        "restart" => args(value).map(|Nothing {}| Order::Restart),
        other => Err(format!("unknown verb {:?}", clipped(other))),
    }
}

#[cfg(test)]
pub(crate) mod tests;
