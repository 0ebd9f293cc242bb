//! The bodies of journal records that are folded into the state. Field names are those of version 0.1: a journal lives for
//! years.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kerbside_crypto::hash::Hash;
use kerbside_domain::case::{CaseUpdate, Receipt};
use kerbside_domain::time::Mono;
use kerbside_wire::text::to_json;
use kerbside_wire::{CommandAction, Grant, StageAction};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock_story::ClockStory;
use super::forgotten::Forgotten;
use crate::journal::{Entry, Record, RecordKind};

/// One incident as the core wants it kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedIncident {
    pub id: String,
    /// The core's key of the place, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Opaque to the trace; `None` forgets the incident.
    pub record: Option<Value>,
}

/// Something that came down and that a stage must act on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageInput {
    Receipt(Receipt),
    Case(CaseUpdate),
    Command(StageCommand),
    /// Stays until its upload is over, whatever the core has consumed.
    Grant(Grant),
}

impl StageInput {
    /// The journal entry that makes it durable. `received`: by which it is known again; older versions do not look at it.
    pub(super) fn entry(&self, received: Option<&Hash>) -> Entry {
        let kind = match self {
            StageInput::Receipt(_) => RecordKind::Receipt,
            StageInput::Case(_) => RecordKind::Case,
            StageInput::Grant(_) => RecordKind::Grant,
            StageInput::Command(_) => RecordKind::Command,
        };
        let mut body = serde_json::to_value(self).unwrap_or_default();
        let inner = body.as_object_mut().and_then(|outer| outer.values_mut().next());
        if let (Some(Value::Object(inner)), Some(received)) = (inner, received) {
            inner.insert("received".to_owned(), json!(received));
        }
        Entry::new(kind, body.to_string())
    }
}

/// [`StageInput`] with the number of its journal record; the core says `consumed` with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredInput {
    pub n: u64,
    pub input: StageInput,
}

/// A command that was judged and that a stage must carry out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageCommand {
    pub id: String,
    pub verb: String,
    pub expires_at_ms: i64,
    #[serde(rename = "order")]
    pub action: StageAction,
    /// Until when it may be begun, on the clock of this run; what time it was when it came is judged then. `None`: it waited over
    /// a restart.
    #[serde(skip)]
    pub until: Option<Mono>,
}

/// Body of a `command` record: what was ordered by whom, and what was decided. The signed text proves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CommandRecord {
    pub(super) id: String,
    #[serde(default)]
    pub(super) verb: String,
    #[serde(default)]
    pub(super) actor: String,
    #[serde(default)]
    pub(super) key: String,
    #[serde(default)]
    pub(super) issued_at_ms: i64,
    #[serde(default)]
    pub(super) expires_at_ms: i64,
    #[serde(rename = "order", default, skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<CommandAction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
    #[serde(default)]
    pub(super) signed: String,
    #[serde(default)]
    pub(super) signature: String,
}

impl CommandRecord {
    /// What a stage must carry out, if it is for a stage.
    pub(super) fn stage_command(&self) -> Option<StageCommand> {
        let Some(CommandAction::Stage(action)) = &self.action else { return None };
        Some(StageCommand {
            id: self.id.clone(),
            verb: self.verb.clone(),
            expires_at_ms: self.expires_at_ms,
            action: action.clone(),
            until: None,
        })
    }
}

/// Counters that survive the drop of old segments: they head each segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CarriedCounters {
    /// Last sequence number given out.
    pub(super) seq: u64,
    /// How often the journal was opened for writing.
    pub(super) opens: u64,
    /// Of a version before: a command issued up to then may have been obeyed and forgotten; wall clock of the centre, ms.
    #[serde(default)]
    pub(super) floor_ms: i64,
    /// Commands that were obeyed and are forgotten.
    #[serde(default, skip_serializing_if = "Forgotten::is_empty")]
    pub(super) forgotten: Forgotten,
    /// Absent in a journal of version 0.1: from its first record on `mono_us` counts on over restarts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) clock: Option<ClockStory>,
    /// Names this journal; absent in one that version 0.1 began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) journal_id: Option<String>,
    /// Newest record that a signed checkpoint covers.
    #[serde(default)]
    pub(super) covered_n: u64,
    /// The newest checkpoint; absent before the first that is numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint: Option<LastCheckpoint>,
}

/// What the next checkpoint says of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastCheckpoint {
    pub(super) number: u64,
    pub(super) digest: Hash,
}

impl CarriedCounters {
    /// Whether a command that was issued then, and whose id is not remembered, may have been obeyed before.
    pub(super) fn has_forgotten(&self, issued_at_ms: i64) -> bool {
        issued_at_ms <= self.floor_ms || self.forgotten.covers(issued_at_ms)
    }
}

/// Body of a `boot` record, as far as it is read. Counters beside it are [`CarriedCounters`].
#[derive(Default, Deserialize)]
pub(super) struct BootRecord {
    /// `mono_us` counts on over restarts.
    #[serde(default)]
    pub(super) lived: bool,
    #[serde(default)]
    pub(super) journal_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct PubackRecord {
    pub(super) seqs: Vec<u64>,
}

#[derive(Deserialize)]
pub(super) struct DeadLetterRecord {
    pub(super) seq: u64,
}

#[derive(Deserialize)]
pub(super) struct ConsumedRecord {
    pub(super) upto: u64,
}

#[derive(Deserialize)]
pub(super) struct UploadRecord {
    pub(super) grant_id: String,
    pub(super) acked: u64,
}

/// `text`, which shows this record or a part of it, without what in it opens somebody's store: the query of a pre-signed url and
/// the headers of a grant.
pub fn without_secrets<'a>(record: &Record, text: &'a str) -> Cow<'a, str> {
    if record.kind != RecordKind::Grant {
        return text.into();
    }
    let Some(StageInput::Grant(grant)) = parse(&record.body) else {
        return r#"{"grant":"(left out: it does not read as one)"}"#.into();
    };
    let open = grant.url.split_once('?').map_or(grant.url.clone(), |(open, _)| format!("{open}?{LEFT_OUT}"));
    let headers: BTreeMap<&String, &str> = grant.headers.keys().map(|name| (name, LEFT_OUT)).collect();
    let value = |name: &str, value: String| format!("\"{name}\":{value}");
    text.replace(&value("url", to_json(&grant.url)), &value("url", to_json(&open)))
        .replace(&value("headers", to_json(&grant.headers)), &value("headers", to_json(&headers)))
        .into()
}

/// In place of what nobody is shown.
const LEFT_OUT: &str = "(left out)";

/// Reads a body. Bodies that do not parse are of a later version or none of ours.
pub(super) fn parse<T: serde::de::DeserializeOwned>(bytes: impl AsRef<[u8]>) -> Option<T> {
    serde_json::from_slice(bytes.as_ref()).ok()
}
