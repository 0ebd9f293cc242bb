//! `patrol.report`: the account of a period.

use kerbside_domain::camera_state::Off;
use kerbside_domain::patrol::{Doubt, PatrolIncident, PatrolReport, SensorPatrol};
use serde::Serialize;

use crate::clock::ClockTrust;
use crate::identity::Identity;
use crate::limits;
use crate::message::Message;
use crate::outgoing::packet_bound;
use crate::priority::Priority;
use crate::text::{rounded, to_json};

/// A patrol report counts for two periods, and at least that long, s.
const MIN_EXPIRY_S: f64 = 60.0;
/// Most entries of each list, tried one after the other until the report is small enough. What a list leaves out it counts;
/// cameras and sensors are never left out.
const LIST_STEPS: [usize; 6] = [64, 32, 16, 8, 4, 0];
/// So many reasons stand in every report.
const WHY_AT_LEAST: usize = 8;

#[derive(Serialize)]
struct PatrolData<'a> {
    verdict: &'a str,
    why: Vec<DoubtData<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    why_more: usize,
    from: String,
    to: String,
    cameras: Vec<CameraData>,
    sensors: Vec<SensorData<'a>>,
    open: Vec<IncidentData<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    open_more: usize,
    open_incidents: Vec<&'a str>,
    cleared: Vec<IncidentData<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    cleared_more: usize,
    cleared_by_themselves: usize,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    commands: &'a [String],
    last_sequence: u64,
    clock: ClockTrust,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct DoubtData<'a> {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    camera_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

#[derive(Serialize)]
struct CameraData {
    camera_id: String,
    watched_s: f64,
    blind_s: f64,
    moved_s: f64,
    off_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    off_reason: Option<&'static str>,
    looks: u64,
    looks_due: u64,
}

#[derive(Serialize)]
struct SensorData<'a> {
    sensor: &'a str,
    condition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    unit: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<f64>,
    alarm: bool,
}

#[derive(Serialize)]
struct IncidentData<'a> {
    id: &'a str,
    kind: &'static str,
    camera_id: String,
    zone: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    grid: Option<String>,
    from: String,
    /// Of an open incident: when it was last seen.
    to: String,
}

/// `patrol.report`. `grid`: the unit grid that an incident lies in, where it is known. `last_sequence`: the newest sequence
/// given out, so that the centre sees what it lacks.
pub fn patrol(
    who: &Identity,
    report: &PatrolReport,
    grid: &dyn Fn(&PatrolIncident) -> Option<String>,
    last_sequence: u64,
) -> Message {
    let of = |most: usize| {
        let json = to_json(&data(who, report, grid, last_sequence, most));
        Message::new("patrol.report.v1", "patrol", Priority::Reply, report.to, json)
    };
    let fits = |message: &Message| packet_bound(message, who) <= limits::PATROL;
    let mut message = LIST_STEPS.iter().map(|most| of(*most)).find(fits).unwrap_or_else(|| of(0));
    message.retain = true;
    let period_s = report.period_s.max(report.to.mono.since_s(report.from.mono));
    message.expiry_s = Some((2.0 * period_s).ceil().max(MIN_EXPIRY_S) as u32);
    message
}

fn data<'a>(
    who: &Identity,
    report: &'a PatrolReport,
    grid: &dyn Fn(&PatrolIncident) -> Option<String>,
    last_sequence: u64,
    most: usize,
) -> PatrolData<'a> {
    let cameras = report.cameras.iter().map(|c| CameraData {
        camera_id: who.camera(c.camera).id,
        watched_s: rounded(c.watched_s, 1),
        blind_s: rounded(c.blind_s, 1),
        moved_s: rounded(c.moved_s, 1),
        off_s: rounded(c.off_s, 1),
        off_reason: c.off_reason.map(Off::as_str),
        looks: c.frames,
        looks_due: c.frames_due,
    });
    let incident = |incident: &'a PatrolIncident| IncidentData {
        id: &incident.id,
        kind: incident.kind.as_str(),
        camera_id: who.camera(incident.camera).id,
        zone: &incident.zone,
        grid: grid(incident),
        from: who.time(incident.from),
        to: who.time(incident.to),
    };
    let cleared = report.cleared.len() + report.cleared_more as usize;
    let beyond = |all: usize| all.saturating_sub(most);
    PatrolData {
        verdict: report.verdict.as_str(),
        why: report.why.iter().take(most.max(WHY_AT_LEAST)).map(|doubt| doubt_data(who, doubt)).collect(),
        why_more: report.why.len().saturating_sub(most.max(WHY_AT_LEAST)),
        from: who.time(report.from),
        to: who.time(report.to),
        cameras: cameras.collect(),
        sensors: report.sensors.iter().map(sensor_data).collect(),
        open: report.open.iter().take(most).map(incident).collect(),
        open_more: beyond(report.open.len()),
        open_incidents: report.open.iter().take(most).map(|i| i.id.as_str()).collect(),
        cleared: report.cleared.iter().take(most).map(incident).collect(),
        cleared_more: cleared - report.cleared.len().min(most),
        cleared_by_themselves: cleared,
        commands: &report.commands,
        last_sequence,
        clock: report.to.quality.into(),
    }
}

fn doubt_data<'a>(who: &Identity, doubt: &'a Doubt) -> DoubtData<'a> {
    DoubtData {
        reason: doubt.reason.as_str(),
        camera_id: doubt.camera.map(|ix| who.camera(ix).id),
        sensor: doubt.sensor.as_deref(),
        detail: doubt.detail.as_deref(),
        seconds: doubt.seconds.map(|s| rounded(s, 1)),
    }
}

fn sensor_data(sensor: &SensorPatrol) -> SensorData<'_> {
    SensorData {
        sensor: &sensor.sensor,
        condition: sensor.condition.as_str(),
        value: sensor.value,
        unit: &sensor.unit,
        age_s: sensor.age_s.map(|s| rounded(s, 1)),
        alarm: sensor.alarm,
    }
}
