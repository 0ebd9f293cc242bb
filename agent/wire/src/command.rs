//! Commands: what the centre may order, and when the box obeys. The trace keeps what was ordered before.
//!
//! A command counts only with a signature of one of the centre's keys, for this box (or, for a few verbs, for all boxes of
//! the division), within its time, and once: the ids of what was obeyed are kept. There is no shell.

mod action;
mod arguments;
#[cfg(test)]
mod tests;

use kerbside_crypto::sign::CentreKey;
use kerbside_domain::time::Moment;
use serde::Deserialize;
use serde_json::Value;

pub use action::{CommandAction, StageAction, StoreAction};

use crate::identity::Identity;
use crate::limits;
use crate::refusal::{CommandRefusal, NotGenuine, Refusal, instant, limited, malformed};
use crate::scope;
use crate::signed::{Signed, target};
use crate::text::clipped;

/// CloudEvents type of a command.
pub const COMMAND: &str = "kerbside.command.v1";
/// What may be ordered of all boxes at once.
const FOR_ALL: [&str; 2] = ["detector.pause", "snapshot"];

/// A command as it came, parsed; nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedCommand {
    /// Names it once and for all.
    pub id: String,
    /// What it orders.
    pub verb: String,
    /// For which box it was signed.
    pub target: String,
    /// Who ordered it, for the trace.
    pub actor: String,
    /// Wall clock of the centre, ms.
    pub issued_at_ms: i64,
    /// Wall clock of the centre, ms.
    pub expires_at_ms: i64,
    /// The arguments of its verb.
    pub args: Value,
    /// The verb that its topic names.
    pub topic_verb: String,
    /// It was sent to all boxes of a division.
    pub to_all: bool,
    /// The text that was signed, and the signature.
    pub signed: Signed,
}

/// Whether there is such a verb.
#[cfg(test)]
pub(crate) fn knows(verb: &str) -> bool {
    !matches!(arguments::action(verb, &Value::Null), Err(CommandRefusal::UnknownVerb(_)))
}

#[derive(Deserialize)]
struct CommandData {
    id: String,
    target: String,
    verb: String,
    actor: String,
    issued_at: String,
    expires_at: String,
    #[serde(default)]
    args: Value,
}

impl SignedCommand {
    /// Reads a command from its topic and payload.
    pub fn read(topic_verb: &str, to_all: bool, payload: &[u8]) -> Result<SignedCommand, Refusal> {
        let signed = Signed::read(payload, COMMAND)?;
        let data: CommandData = serde_json::from_str(&signed.text).map_err(|e| malformed(&e))?;
        for (what, text) in
            [("id", &data.id), ("actor", &data.actor), ("verb", &data.verb), ("target", &data.target)]
        {
            limited(what, text, limits::ID)?;
        }
        let (issued_at_ms, expires_at_ms) =
            (instant("issued_at", &data.issued_at)?, instant("expires_at", &data.expires_at)?);
        let CommandData { id, target, verb, actor, args, .. } = data;
        let topic_verb = topic_verb.to_owned();
        Ok(SignedCommand {
            id,
            verb,
            target,
            actor,
            issued_at_ms,
            expires_at_ms,
            args,
            topic_verb,
            to_all,
            signed,
        })
    }

    /// The key that signed it, if it is one of the centre's and meant for this box and verb. Whatever fails here was not
    /// ordered by the centre.
    pub fn signer<'k>(
        &self,
        who: &Identity,
        keys: &'k [CentreKey],
        now: Moment,
    ) -> Result<&'k CentreKey, NotGenuine> {
        let key = self.signed.signer(keys, &[&self.verb, scope::COMMAND], now)?;
        if self.target != target(who, self.to_all) {
            return Err(NotGenuine::OtherBox(clipped(&self.target)));
        }
        if self.verb != self.topic_verb {
            let (signed, topic) = (clipped(&self.verb), clipped(&self.topic_verb));
            return Err(NotGenuine::OtherVerb { signed, topic });
        }
        Ok(key)
    }

    /// What is to be done about a genuine command at `now`, or why nothing is. `is_forgotten`: it may have
    /// been obeyed and forgotten.
    pub fn action(&self, now: Moment, is_forgotten: bool) -> Result<CommandAction, CommandRefusal> {
        if !now.is_vouched() {
            return Err(CommandRefusal::ClockNotSynchronised);
        }
        if self.expires_at_ms <= now.wall_ms {
            return Err(CommandRefusal::Expired);
        }
        if self.issued_at_ms > now.wall_ms + limits::CLOCK_SKEW_MS {
            return Err(CommandRefusal::IssuedInFuture);
        }
        if self.expires_at_ms - self.issued_at_ms > limits::COMMAND_LIFE_MS {
            return Err(CommandRefusal::ValidTooLong);
        }
        if is_forgotten {
            return Err(CommandRefusal::OlderThanRemembered);
        }
        if self.to_all && !FOR_ALL.contains(&self.verb.as_str()) {
            return Err(CommandRefusal::NotForAll(clipped(&self.verb)));
        }
        arguments::action(&self.verb, &self.args)
    }
}
