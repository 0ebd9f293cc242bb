//! Why a message of the centre counts for nothing. Texts are for people and the journal; reasons are counted.

use serde::Serialize;

use crate::limits;
use crate::text::clipped;

/// Why a message counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It came on a topic that is not this box's.
    #[error("not for this box: topic {0:?}")]
    Topic(String),
    /// Longer than any true one.
    #[error("{bytes} bytes; the limit is {limit}")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The broker kept it for whoever comes: it may be from any time.
    #[error("a retained command is never obeyed")]
    Retained,
    /// The centre did not order it.
    #[error("not a command of the centre: {0}")]
    NotGenuine(NotGenuine),
    /// A receipt or a case state that is not the centre's.
    #[error("not the centre's word: {0}")]
    Statement(NotGenuine),
    /// A grant of the centre that cannot be followed.
    #[error("not a command of the centre: {0}")]
    Grant(GrantRefusal),
    /// No message as the contract knows it.
    #[error("not a message of the contract: {0}")]
    Malformed(String),
}

// The texts above hold these already: as sources they would be shown a second time.
impl From<NotGenuine> for Refusal {
    fn from(why: NotGenuine) -> Self {
        Refusal::NotGenuine(why)
    }
}

impl From<GrantRefusal> for Refusal {
    fn from(why: GrantRefusal) -> Self {
        Refusal::Grant(why)
    }
}

/// Why a command or grant is not the centre's. Its id is not remembered, so that nobody can use up the ids of others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGenuine {
    /// The site names no key of the centre.
    #[error("no key of the centre is configured: [[centre.key]]")]
    NoKeys,
    /// `signature` is missing.
    #[error("not signed")]
    NotSigned,
    /// `keyid` is missing.
    #[error("signed, but `keyid` is missing")]
    NoKeyId,
    /// The site does not name that key.
    #[error("key {0:?} is not configured")]
    UnknownKey(String),
    /// The signature does not fit key and bytes.
    #[error("the signature is not that of key {0:?} over these bytes")]
    WrongSignature(String),
    /// That key's time has not come, or is over.
    #[error("key {0:?} does not count now: see not_before and not_after")]
    KeyNotValid(String),
    /// The site gives that key other work.
    #[error("key {key:?} may not sign {what}: see its scope")]
    OutOfScope {
        /// The key.
        key: String,
        /// What it signed.
        what: String,
    },
    /// A signed statement that may be somebody's recording.
    #[error("signed without `issued_at`, or issued too long ago or in the future")]
    NotFresh,
    /// It was signed for another box.
    #[error("for another box: {0:?}")]
    OtherBox(String),
    /// It was signed for another verb than its topic names.
    #[error("{signed:?} was signed, {topic:?} is the topic's verb")]
    OtherVerb {
        /// The verb that was signed.
        signed: String,
        /// The verb of the topic.
        topic: String,
    },
}

/// Why a genuine command is not obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefusal {
    /// Nobody vouches for the box's clock.
    #[error("the clock is not synchronised: it cannot be judged whether the command has expired")]
    ClockNotSynchronised,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// Its time has not come.
    #[error("issued in the future")]
    IssuedInFuture,
    /// Its id would have to be remembered for too long.
    #[error("valid for longer than {} days", limits::COMMAND_LIFE_MS / 86_400_000)]
    ValidTooLong,
    /// It may have been obeyed and forgotten.
    #[error("issued before the oldest command that is remembered")]
    OlderThanRemembered,
    /// The verb may be ordered of single boxes only.
    #[error("{0} is not taken from the topic of all boxes")]
    NotForAll(String),
    /// `args` are not those of the verb.
    #[error("args: {0}")]
    Arguments(String),
    /// No such verb.
    #[error("unknown verb {0:?}")]
    UnknownVerb(String),
}

/// Why a genuine grant is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// Pieces over MQTT go to no url.
    #[error("MQTT needs no url")]
    UrlWithMqtt,
    /// Neither PUT nor MQTT.
    #[error("only PUT and MQTT are known")]
    UnknownMethod,
    /// Its time is over, or cannot be judged.
    #[error("expired, or the clock is not synchronised")]
    Expired,
    /// Not `day/set/file`.
    #[error("{0:?} is no file of the evidence folder")]
    NotEvidence(String),
    /// Neither https nor http.
    #[error("{0}: only https is known")]
    UnknownScheme(String),
    /// None, or a longer one than any store makes.
    #[error("url with {0} bytes; 1 to {limit} are allowed", limit = limits::URL)]
    BadUrl(usize),
    /// Its time has not come.
    #[error("issued in the future")]
    IssuedInFuture,
    /// Its id would have to be remembered for too long, and an upload that never works would never end.
    #[error("valid for longer than {} days", limits::GRANT_LIFE_MS / 86_400_000)]
    ValidTooLong,
    /// It may have been followed and forgotten.
    #[error("issued before the oldest grant that is remembered")]
    OlderThanRemembered,
    /// The box keeps no more.
    #[error("too many uploads wait")]
    TooManyWait,
}

/// A reason without its particulars, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // Each is the variant of the same name above.
pub enum RefusalReason {
    Topic,
    TooLong,
    Retained,
    Malformed,
    NoKeys,
    NotSigned,
    NoKeyId,
    UnknownKey,
    WrongSignature,
    OtherBox,
    OtherVerb,
    ClockNotSynchronised,
    Expired,
    IssuedInFuture,
    ValidTooLong,
    OlderThanRemembered,
    NotForAll,
    Arguments,
    UnknownVerb,
    UrlWithMqtt,
    UnknownMethod,
    NotEvidence,
    UnknownScheme,
    BadUrl,
    TooManyWait,
    KeyNotValid,
    OutOfScope,
    NotFresh,
}

impl RefusalReason {
    /// As metrics say it.
    pub fn as_str(self) -> &'static str {
        match self {
            RefusalReason::Topic => "topic",
            RefusalReason::TooLong => "too_long",
            RefusalReason::Retained => "retained",
            RefusalReason::Malformed => "malformed",
            RefusalReason::NoKeys => "no_keys",
            RefusalReason::NotSigned => "not_signed",
            RefusalReason::NoKeyId => "no_key_id",
            RefusalReason::UnknownKey => "unknown_key",
            RefusalReason::WrongSignature => "wrong_signature",
            RefusalReason::OtherBox => "other_box",
            RefusalReason::OtherVerb => "other_verb",
            RefusalReason::ClockNotSynchronised => "clock_not_synchronised",
            RefusalReason::Expired => "expired",
            RefusalReason::IssuedInFuture => "issued_in_future",
            RefusalReason::ValidTooLong => "valid_too_long",
            RefusalReason::OlderThanRemembered => "older_than_remembered",
            RefusalReason::NotForAll => "not_for_all",
            RefusalReason::Arguments => "arguments",
            RefusalReason::UnknownVerb => "unknown_verb",
            RefusalReason::UrlWithMqtt => "url_with_mqtt",
            RefusalReason::UnknownMethod => "unknown_method",
            RefusalReason::NotEvidence => "not_evidence",
            RefusalReason::UnknownScheme => "unknown_scheme",
            RefusalReason::BadUrl => "bad_url",
            RefusalReason::TooManyWait => "too_many_wait",
            RefusalReason::KeyNotValid => "key_not_valid",
            RefusalReason::OutOfScope => "out_of_scope",
            RefusalReason::NotFresh => "not_fresh",
        }
    }
}

impl Refusal {
    /// For counters.
    pub fn reason(&self) -> RefusalReason {
        match self {
            Refusal::Topic(_) => RefusalReason::Topic,
            Refusal::TooLong { .. } => RefusalReason::TooLong,
            Refusal::Retained => RefusalReason::Retained,
            Refusal::NotGenuine(why) | Refusal::Statement(why) => why.reason(),
            Refusal::Grant(why) => why.reason(),
            Refusal::Malformed(_) => RefusalReason::Malformed,
        }
    }
}

impl NotGenuine {
    /// For counters.
    pub fn reason(&self) -> RefusalReason {
        match self {
            NotGenuine::NoKeys => RefusalReason::NoKeys,
            NotGenuine::NotSigned => RefusalReason::NotSigned,
            NotGenuine::NoKeyId => RefusalReason::NoKeyId,
            NotGenuine::UnknownKey(_) => RefusalReason::UnknownKey,
            NotGenuine::WrongSignature(_) => RefusalReason::WrongSignature,
            NotGenuine::KeyNotValid(_) => RefusalReason::KeyNotValid,
            NotGenuine::OutOfScope { .. } => RefusalReason::OutOfScope,
            NotGenuine::NotFresh => RefusalReason::NotFresh,
            NotGenuine::OtherBox(_) => RefusalReason::OtherBox,
            NotGenuine::OtherVerb { .. } => RefusalReason::OtherVerb,
        }
    }
}

impl CommandRefusal {
    /// For counters.
    pub fn reason(&self) -> RefusalReason {
        match self {
            CommandRefusal::ClockNotSynchronised => RefusalReason::ClockNotSynchronised,
            CommandRefusal::Expired => RefusalReason::Expired,
            CommandRefusal::IssuedInFuture => RefusalReason::IssuedInFuture,
            CommandRefusal::ValidTooLong => RefusalReason::ValidTooLong,
            CommandRefusal::OlderThanRemembered => RefusalReason::OlderThanRemembered,
            CommandRefusal::NotForAll(_) => RefusalReason::NotForAll,
            CommandRefusal::Arguments(_) => RefusalReason::Arguments,
            CommandRefusal::UnknownVerb(_) => RefusalReason::UnknownVerb,
        }
    }
}

impl GrantRefusal {
    /// For counters.
    pub fn reason(&self) -> RefusalReason {
        match self {
            GrantRefusal::UrlWithMqtt => RefusalReason::UrlWithMqtt,
            GrantRefusal::UnknownMethod => RefusalReason::UnknownMethod,
            GrantRefusal::Expired => RefusalReason::Expired,
            GrantRefusal::NotEvidence(_) => RefusalReason::NotEvidence,
            GrantRefusal::UnknownScheme(_) => RefusalReason::UnknownScheme,
            GrantRefusal::BadUrl(_) => RefusalReason::BadUrl,
            GrantRefusal::IssuedInFuture => RefusalReason::IssuedInFuture,
            GrantRefusal::ValidTooLong => RefusalReason::ValidTooLong,
            GrantRefusal::OlderThanRemembered => RefusalReason::OlderThanRemembered,
            GrantRefusal::TooManyWait => RefusalReason::TooManyWait,
        }
    }
}

/// Refuses a text that is empty or longer than `limit` bytes.
pub(crate) fn limited(what: &str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > limit {
        return Err(Refusal::Malformed(format!(
            "{what} with {} bytes; 1 to {limit} are allowed",
            text.len()
        )));
    }
    Ok(())
}

/// A time of RFC 3339, wall clock, ms.
pub(crate) fn instant(what: &str, text: &str) -> Result<i64, Refusal> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text);
    parsed.map(|t| t.timestamp_millis()).map_err(|e| Refusal::Malformed(format!("{what}: {e}")))
}

/// JSON that did not parse.
pub(crate) fn malformed(error: &serde_json::Error) -> Refusal {
    Refusal::Malformed(clipped(&error.to_string()))
}

/// An envelope of another type than its topic is for.
pub(crate) fn wrong_type(found: &str, expected: &str) -> Refusal {
    Refusal::Malformed(clipped(&format!("type {found:?} on the topic of {expected}")))
}
