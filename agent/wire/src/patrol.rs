//! `patrol.report`: the account of a period.

use kerbside_domain::camera_state::Off;
use kerbside_domain::patrol::PatrolReport;
use serde::Serialize;

use crate::clock::ClockTrust;
use crate::identity::Identity;
use crate::message::Message;
use crate::priority::Priority;
use crate::text::{rounded, to_json};

/// A patrol report counts for two periods, and at least that long, s.
const MIN_EXPIRY_S: f64 = 60.0;

#[derive(Serialize)]
struct PatrolData<'a> {
    verdict: &'a str,
    from: String,
    to: String,
    cameras: Vec<CameraData>,
    open_incidents: &'a [String],
    cleared_by_themselves: u32,
    last_sequence: u64,
    clock: ClockTrust,
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

/// `patrol.report`. `last_sequence`: the newest sequence given out, so that the centre sees what it lacks.
pub fn patrol(who: &Identity, report: &PatrolReport, last_sequence: u64) -> Message {
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
    let mut message = Message::new("patrol.report.v1", "patrol", Priority::Reply, report.to, to_json(&data));
    message.retain = true;
    let period_s = report.to.mono.since_s(report.from.mono);
    message.expiry_s = Some((2.0 * period_s).ceil().max(MIN_EXPIRY_S) as u32);
    message
}
