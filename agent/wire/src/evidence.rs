//! `evidence.manifest`, `evidence.ready`, `evidence.failed`: what lies on the box, what reached the centre, what does not come.

use kerbside_domain::evidence::{EvidenceItem, EvidenceRole};
use kerbside_domain::time::Moment;
use serde::Serialize;

use crate::grant::{Grant, incident_of, set_and_file};
use crate::identity::Identity;
use crate::message::Message;
use crate::priority::Priority;
use crate::text::{rounded, to_json};
use crate::topic;

/// Type of the message that names files, without the leading `kerbside.`.
pub const MANIFEST_KIND: &str = "evidence.manifest.v1";
/// Type of the message that says what does not come, without the leading `kerbside.`.
const FAILED_KIND: &str = "evidence.failed.v1";

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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    masked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    enlarged: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    from_sub_stream: bool,
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
        masked: i.masked,
        enlarged: i.enlarged.map(|factor| rounded(factor.into(), 1)),
        from_sub_stream: i.from_sub_stream,
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

/// What became of one file.
#[derive(Serialize)]
struct FileData<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_id: Option<&'a str>,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> FileData<'a> {
    /// Of the file at `path`, below the evidence folder.
    fn new(path: &'a str) -> Self {
        let (set, file) = set_and_file(path);
        FileData {
            id: file.rsplit_once('.').map_or(file, |(stem, _)| stem),
            incident_id: incident_of(set),
            grant_id: None,
            path,
            uri: None,
            sha256: None,
            bytes: None,
            reason: None,
        }
    }

    /// On the topic of its set.
    fn message(&self, kind: &str, at: Moment) -> Message {
        let (set, _) = set_and_file(self.path);
        ready_of(kind, &set.to_lowercase(), set, at, to_json(self))
    }
}

/// `id`: of the set, or of what was asked for. `about`: the incident or command.
fn ready_of(kind: &str, id: &str, about: &str, at: Moment, data: String) -> Message {
    let topic = format!("evidence/{}/ready", topic::word(id));
    let mut message = Message::new(kind, topic, Priority::Evidence, at, data);
    message.correlation_id = Some(about.to_owned());
    message
}

/// The end of one upload.
fn upload_over(grant: &Grant, kind: &str, bytes: Option<u64>, reason: Option<&str>, at: Moment) -> Message {
    let (set, _) = grant.set_and_file();
    let pieces = format!("mqtt:evidence/{}/chunk", topic::word(&set.to_lowercase()));
    // What follows the question mark is the key to the store.
    let url = if grant.is_by_mqtt() { Some(pieces.as_str()) } else { grant.url.split('?').next() };
    let data = FileData {
        grant_id: Some(&grant.id),
        uri: url.filter(|_| reason.is_none()),
        sha256: Some(&grant.sha256),
        bytes,
        reason,
        ..FileData::new(&grant.path)
    };
    data.message(kind, at)
}

/// `evidence.ready`: the file of a grant is where the centre wanted it.
pub fn evidence_ready(grant: &Grant, bytes: u64, at: Moment) -> Message {
    upload_over(grant, "evidence.ready.v1", Some(bytes), None, at)
}

/// `evidence.failed`: the file of a grant will not come by this grant.
pub fn evidence_not_sent(grant: &Grant, reason: &str, at: Moment) -> Message {
    upload_over(grant, FAILED_KIND, None, Some(reason), at)
}

/// `evidence.failed`: what was promised does not come, and why. On the topic of `ready`, which it ends.
pub fn evidence_failed(id: &str, incident_id: &str, reason: &str, at: Moment) -> Message {
    let data = serde_json::json!({"id": id, "incident_id": incident_id, "reason": reason});
    ready_of(FAILED_KIND, id, incident_id, at, to_json(&data))
}

/// `evidence.failed`: a file that was named is no longer on the disk as it was written. `path`: below the evidence folder.
pub fn evidence_damaged(path: &str, reason: &str, at: Moment) -> Message {
    FileData { reason: Some(reason), ..FileData::new(path) }.message(FAILED_KIND, at)
}
