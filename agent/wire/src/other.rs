//! Everything up that is no matter: patrol, state, health, position, sensors, evidence, replies.

use serde::Serialize;
use serde_json::Value;

use super::envelope::{Message, to_json};
use super::grant::Grant;
use super::matter::Clock;
use super::{Identity, rounded, topic};
use kerbside_domain::evidence::EvidenceItem;
use kerbside_domain::patrol::PatrolReport;
use kerbside_domain::position::{Position, PositionSource};
use kerbside_domain::reading::Reading;
use kerbside_domain::time::Moment;

const HOUR_S: u32 = 3600;
const DAY_S: u32 = 24 * HOUR_S;

/// A draft with the commonest choices: QoS 1, not retained, never expires.
fn draft(kind: &str, topic: impl Into<String>, lane: u8, at: Moment, data: String) -> Message {
    Message {
        id: None,
        kind: kind.to_owned(),
        subject: None,
        at,
        correlation: None,
        topic: topic.into(),
        lane,
        qos: 1,
        retain: false,
        expiry_s: None,
        data,
        slot: None,
    }
}

#[derive(Serialize)]
struct PatrolData<'a> {
    verdict: &'a str,
    from: String,
    to: String,
    cameras: Vec<CameraData>,
    open_incidents: &'a [String],
    cleared_by_themselves: u32,
    last_sequence: u64,
    clock: Clock,
}

#[derive(Serialize)]
struct CameraData {
    camera_id: String,
    watched_s: f64,
    blind_s: f64,
    moved_s: f64,
    off_s: f64,
    looks: u64,
    looks_due: u64,
}

/// `patrol.report`. `last_sequence`: the newest sequence given out, so that the centre sees what it lacks.
pub fn patrol(who: &Identity, report: &PatrolReport, last_sequence: u64) -> Message {
    let cameras = report.cameras.iter().map(|c| CameraData {
        camera_id: who.camera(c.camera).id,
        watched_s: rounded(c.watched_s, 1),
        blind_s: rounded(c.blind_s, 1),
        moved_s: rounded(c.moved_s, 1),
        off_s: rounded(c.off_s, 1),
        looks: c.frames,
        looks_due: c.frames_due,
    });
    let data = PatrolData {
        verdict: report.verdict.as_str(),
        from: who.time(report.from),
        to: who.time(report.to),
        cameras: cameras.collect(),
        open_incidents: &report.open_incidents,
        cleared_by_themselves: report.cleared_by_themselves,
        last_sequence,
        clock: report.to.quality.into(),
    };
    let mut draft = draft("patrol.report.v1", "patrol", 1, report.to, to_json(&data));
    draft.retain = true;
    let period_s = report.to.mono.since_s(report.from.mono);
    draft.expiry_s = Some((2.0 * period_s).ceil().max(60.0) as u32);
    draft
}

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
    clock: Clock,
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
    let (edge_id, version) = (who.edge_id.as_str(), who.version.as_str());
    let data = StateData {
        state: presence,
        session,
        edge_id,
        version,
        last_sequence,
        reason,
        key: who.key.as_deref(),
        clock: at.quality.into(),
    };
    let mut draft = draft("device.state.v1", "state", 0, at, to_json(&data));
    let name = match presence {
        Presence::Online => "online",
        Presence::Offline => "offline",
        Presence::Lost => "lost",
    };
    draft.id = Some(format!("state.{session}.{name}"));
    draft.retain = true;
    draft.slot = Some("state".to_owned());
    draft
}

/// `device.health`: what the health stage knows, as it gives it.
pub fn health(values: &serde_json::Map<String, Value>, at: Moment) -> Message {
    let mut data = values.clone();
    data.insert("clock".to_owned(), serde_json::json!(Clock::from(at.quality)));
    let mut draft = draft("device.health.v1", "health", 3, at, to_json(&data));
    draft.qos = 0;
    draft.expiry_s = Some(5 * 60);
    draft.slot = Some("health".to_owned());
    draft
}

#[derive(Serialize)]
struct PositionData {
    lon_deg: f64,
    lat_deg: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy_m: Option<f64>,
    source: PositionSource,
    frozen: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspicious: Option<String>,
}

/// `device.position`. An accuracy of 0 is an unknown one.
pub fn position(place: &Position, at: Moment) -> Message {
    let data = PositionData {
        lon_deg: rounded(place.lon_deg, 7),
        lat_deg: rounded(place.lat_deg, 7),
        accuracy_m: (place.accuracy_m > 0.0).then(|| rounded(place.accuracy_m, 1)),
        source: place.source,
        frozen: place.frozen,
        suspicious: place.suspicious.clone(),
    };
    let mut draft = draft("device.position.v1", "position", 3, at, to_json(&data));
    draft.retain = true;
    draft.slot = Some("position".to_owned());
    draft
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SensorObservation<'a> {
    sensor: &'a str,
    phenomenon_time: String,
    result_time: String,
    result: f64,
    unit_of_measurement: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspicious: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<bool>,
}

fn reading_data<'a>(who: &Identity, reading: &'a Reading, active: Option<bool>) -> SensorObservation<'a> {
    SensorObservation {
        sensor: &reading.sensor,
        phenomenon_time: who.time(reading.phenomenon),
        result_time: who.time(reading.arrived),
        result: reading.value,
        unit_of_measurement: &reading.unit,
        suspicious: reading.suspicious.as_deref(),
        active,
    }
}

/// `sensor.observation`.
pub fn observation(who: &Identity, reading: &Reading) -> Message {
    let data = to_json(&reading_data(who, reading, None));
    let topic = format!("obs/{}", topic::word(&reading.sensor));
    let mut draft = draft("sensor.observation.v1", topic, 3, reading.arrived, data);
    draft.qos = 0;
    draft.expiry_s = Some(HOUR_S);
    draft
}

/// `sensor.alarm`: a limit was crossed for long enough (`active`), or it is over.
pub fn alarm(who: &Identity, reading: &Reading, active: bool) -> Message {
    let data = to_json(&reading_data(who, reading, Some(active)));
    let topic = format!("obs/{}", topic::word(&reading.sensor));
    draft("sensor.alarm.v1", topic, 1, reading.arrived, data)
}

#[derive(Serialize)]
struct Manifest<'a> {
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
    role: kerbside_domain::evidence::EvidenceRole,
    media: &'a str,
    path: &'a str,
    bytes: u64,
    sha256: &'a str,
    captured_at: String,
}

/// What evidence is about: an incident, or an order of the centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About<'a> {
    Incident(&'a str),
    Command(&'a str),
}

impl<'a> About<'a> {
    fn id(self) -> &'a str {
        match self {
            About::Incident(id) | About::Command(id) => id,
        }
    }
}

/// `evidence.manifest`: what lies on the box for one revision of an incident, or for a command. `id` names the set.
pub fn evidence_manifest(
    who: &Identity,
    id: &str,
    about: About<'_>,
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
    });
    let (incident_id, command_id) = match about {
        About::Incident(id) => (Some(id), None),
        About::Command(id) => (None, Some(id)),
    };
    let data = to_json(&Manifest { incident_id, command_id, revision, files: files.collect() });
    let topic = format!("evidence/{}/manifest", topic::word(id));
    let mut draft = draft("evidence.manifest.v1", topic, 2, at, data);
    draft.correlation = Some(about.id().to_owned());
    draft
}

#[derive(Serialize)]
struct Ready<'a> {
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
    let incident_id = Some(set).filter(|s| !s.starts_with("cmd-"));
    let pieces = format!("mqtt:evidence/{}/chunk", topic::word(&set.to_lowercase()));
    // What follows the question mark is the key to the store.
    let url = if grant.is_by_mqtt() { Some(pieces.as_str()) } else { grant.url.split('?').next() };
    let uri = url.filter(|_| reason.is_none());
    let Grant { id: grant_id, path, sha256, .. } = grant;
    let id = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let data = Ready { id, incident_id, grant_id, path, uri, sha256, bytes, reason };
    let topic = format!("evidence/{}/ready", topic::word(&set.to_lowercase()));
    let mut draft = draft(kind, topic, 2, at, to_json(&data));
    draft.correlation = Some(set.to_owned());
    draft
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
    let mut draft = draft("evidence.failed.v1", topic, 2, at, to_json(&data));
    draft.correlation = Some(incident_id.to_owned());
    draft
}

/// `command.reply`. `result`: `done`, `refused` or `failed`; `reason` is for a person.
pub fn reply(
    command_id: &str,
    verb: &str,
    result: &str,
    reason: Option<&str>,
    detail: Value,
    at: Moment,
) -> Message {
    let mut data = serde_json::json!({"command_id": command_id, "verb": verb, "result": result});
    if let Some(map) = data.as_object_mut() {
        if let Some(reason) = reason {
            map.insert("reason".to_owned(), Value::from(reason));
        }
        if !detail.is_null() {
            map.insert("detail".to_owned(), detail);
        }
    }
    let mut draft = draft("command.reply.v1", "reply", 1, at, to_json(&data));
    draft.correlation = Some(command_id.to_owned());
    draft.expiry_s = Some(DAY_S);
    draft
}
