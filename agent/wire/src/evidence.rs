//! `evidence.manifest`, `evidence.ready`, `evidence.failed`: what lies on the box, what reached the centre, what does not come.

use kerbside_domain::evidence::{EvidenceItem, EvidenceRole};
use kerbside_domain::time::Moment;
use serde::Serialize;

use crate::grant::{COMMAND_SET, Grant};
use crate::identity::Identity;
use crate::message::Message;
use crate::priority::Priority;
use crate::text::to_json;
use crate::topic;

/// Type of the message that names files, without the leading `kerbside.`.
pub const MANIFEST_KIND: &str = "evidence.manifest.v1";

#[derive(Serialize)]
struct ManifestData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    incident_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_id: Option<&'a str>,
    revision: u32,
    files: Vec<ManifestFile<'a>>,
}

#[derive(Serialize)]
struct ManifestFile<'a> {
    id: &'a str,
    role: EvidenceRole,
    media: &'a str,
    path: &'a str,
    bytes: u64,
    sha256: &'a str,
    captured_at: String,
    /// Of the manifest file itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
}

/// What evidence is about: an incident, or a command of the centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestSubject<'a> {
    /// The incident's id.
    Incident(&'a str),
    /// The command's id.
    Command(&'a str),
}

/// `evidence.manifest`: what lies on the box for one revision of an incident, or for a command. `id` names the set.
pub fn evidence_manifest(
    who: &Identity,
    id: &str,
    about: ManifestSubject<'_>,
    revision: u32,
    items: &[EvidenceItem],
    at: Moment,
) -> Message {
    let files = items.iter().map(|i| ManifestFile {
        id: &i.id,
        role: i.role,
        media: &i.media,
        path: &i.path,
        bytes: i.bytes,
        sha256: &i.sha256,
        captured_at: who.time(i.captured),
        signature: i.signature.as_deref(),
    });
    let (incident_id, command_id) = match about {
        ManifestSubject::Incident(id) => (Some(id), None),
        ManifestSubject::Command(id) => (None, Some(id)),
    };
    let data = to_json(&ManifestData { incident_id, command_id, revision, files: files.collect() });
    let topic = format!("evidence/{}/manifest", topic::word(id));
    let mut message = Message::new(MANIFEST_KIND, topic, Priority::Evidence, at, data);
    message.correlation_id = incident_id.or(command_id).map(str::to_owned);
    message
}

#[derive(Serialize)]
struct UploadData<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident_id: Option<&'a str>,
    grant_id: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    sha256: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// The end of one upload, on the topic of its set.
fn upload_over(grant: &Grant, kind: &str, bytes: Option<u64>, reason: Option<&str>, at: Moment) -> Message {
    let (set, file) = grant.set_and_file();
    let pieces = format!("mqtt:evidence/{}/chunk", topic::word(&set.to_lowercase()));
    // What follows the question mark is the key to the store.
    let url = if grant.is_by_mqtt() { Some(pieces.as_str()) } else { grant.url.split('?').next() };
    let data = UploadData {
        id: file.rsplit_once('.').map_or(file, |(stem, _)| stem),
        incident_id: grant.incident_id(),
        grant_id: &grant.id,
        path: &grant.path,
        uri: url.filter(|_| reason.is_none()),
        sha256: &grant.sha256,
        bytes,
        reason,
    };
    let topic = format!("evidence/{}/ready", topic::word(&set.to_lowercase()));
    let mut message = Message::new(kind, topic, Priority::Evidence, at, to_json(&data));
    message.correlation_id = Some(set.to_owned());
    message
}

/// `evidence.ready`: the file of a grant is where the centre wanted it.
pub fn evidence_ready(grant: &Grant, bytes: u64, at: Moment) -> Message {
    upload_over(grant, "evidence.ready.v1", Some(bytes), None, at)
}

/// `evidence.failed`: the file of a grant will not come by this grant.
pub fn evidence_not_sent(grant: &Grant, reason: &str, at: Moment) -> Message {
    upload_over(grant, "evidence.failed.v1", None, Some(reason), at)
}

/// `evidence.failed`: what was promised does not come, and why. On the topic of `ready`, which it ends.
pub fn evidence_failed(id: &str, incident_id: &str, reason: &str, at: Moment) -> Message {
    let data = serde_json::json!({"id": id, "incident_id": incident_id, "reason": reason});
    let topic = format!("evidence/{}/ready", topic::word(id));
    let mut message = Message::new("evidence.failed.v1", topic, Priority::Evidence, at, to_json(&data));
    message.correlation_id = Some(incident_id.to_owned());
    message
}

/// `evidence.failed`: a file that was named is no longer on the disk as it was written. `path`: below the evidence folder.
pub fn evidence_damaged(path: &str, reason: &str, at: Moment) -> Message {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let set = folder.rsplit('/').next().unwrap_or_default();
    let id = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let mut data = serde_json::json!({"id": id, "path": path, "reason": reason});
    if !set.starts_with(COMMAND_SET) {
        data["incident_id"] = set.into();
    }
    let topic = format!("evidence/{}/ready", topic::word(&set.to_lowercase()));
    let mut message = Message::new("evidence.failed.v1", topic, Priority::Evidence, at, to_json(&data));
    message.correlation_id = Some(set.to_owned());
    message
}
