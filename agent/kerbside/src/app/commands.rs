//! Commands of the centre that the stages carry out: pictures and clips on demand, pauses, a restart.
//!
//! The delivery has verified and stored them. Here each is started, and answered when its result is there.

mod pauses;

use std::collections::BTreeSet;
use std::sync::Arc;

use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::evidence::{
    EvidenceOutcome, EvidenceRequest, EvidenceRole, EvidenceSubject, IncidentFacts,
};
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::Moment;
use kerbside_seeing::incident::{Core, Input};
use kerbside_site::config::Site;
use kerbside_trace::delivery::{Item, StageCommand};
use kerbside_wire::{self as wire, Identity, ManifestSubject, ReplyResult, StageAction};
use serde_json::{Value, json};

use pauses::Pauses;

/// What the core's thread has to do to start a command, in this order.
#[derive(Debug, Default)]
pub(crate) struct CommandStart {
    pub(crate) inputs: Vec<Input>,
    pub(crate) evidence: Vec<EvidenceRequest>,
    /// The reply, if there is one already.
    pub(crate) reply: Option<Item>,
    /// Once all that is durable, the program ends and is started again.
    pub(crate) restart: bool,
}

/// A command whose evidence is being made.
#[derive(Debug)]
struct Pending {
    command: StageCommand,
    /// Subjects whose evidence is still to come.
    subjects: BTreeSet<EvidenceSubject>,
    files: Vec<Value>,
    shortfalls: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Commands {
    site: Arc<Site>,
    pending: Vec<Pending>,
    pauses: Pauses,
}

impl Commands {
    pub(crate) fn new(site: Arc<Site>) -> Self {
        let pauses = Pauses::new(&site);
        Commands { site, pending: Vec::new(), pauses }
    }

    pub(crate) fn start(&mut self, command: StageCommand, core: &Core, now: Moment) -> CommandStart {
        // It may have waited for a disk, or for a restart, and then the wall clock is all there is.
        let is_late = match command.until {
            Some(until) => now.mono >= until,
            None => !now.is_vouched() || command.expires_at_ms <= now.wall_ms,
        };
        if is_late {
            return refused(&command, "it could not be done before it expired", now);
        }
        match command.action.clone() {
            StageAction::Recheck { incident_id } => {
                let input = Input::Recheck { incident_id, command_id: command.id };
                CommandStart { inputs: vec![input], ..CommandStart::default() }
            }
            StageAction::Patrol => {
                let input = Input::Patrol { command_id: command.id };
                CommandStart { inputs: vec![input], ..CommandStart::default() }
            }
            StageAction::Snapshot { camera_id } => self.snapshot(command, camera_id.as_deref(), core, now),
            StageAction::Clip { camera_id, from_ms, to_ms } => {
                self.clip(command, &camera_id, from_ms, to_ms, now)
            }
            StageAction::Pause { camera_id, for_s } => {
                self.pause(&command, camera_id.as_deref(), for_s, core, now)
            }
            StageAction::Restart => {
                let reply = reply(&command, ReplyResult::Done, None, Value::Null, now);
                CommandStart { reply: Some(reply), restart: true, ..CommandStart::default() }
            }
        }
    }

    /// The cameras that the command means; `None`: there is no such camera.
    fn cameras(&self, id: Option<&str>) -> Option<Vec<CameraIx>> {
        let named = self.site.cameras.iter().filter(|c| id.is_none_or(|id| c.id == id));
        Some(named.map(|c| c.ix).collect::<Vec<_>>()).filter(|found| !found.is_empty())
    }

    fn snapshot(
        &mut self,
        command: StageCommand,
        camera: Option<&str>,
        core: &Core,
        now: Moment,
    ) -> CommandStart {
        let Some(cameras) = self.cameras(camera) else { return refused(&command, "no such camera", now) };
        let mut shortfalls = Vec::new();
        let mut requests = Vec::new();
        for ix in cameras {
            match core.camera_state(ix) {
                Some(CameraState::Off(why)) if why != Off::Paused => {
                    let camera = self.site.camera(ix).map_or("?", |c| c.id.as_str());
                    shortfalls
                        .push(format!("{camera}: off ({why:?}); an old picture is not sent for a new one"));
                }
                _ => requests.push(EvidenceRequest {
                    roles: vec![EvidenceRole::Snapshot],
                    ..self.request(&command, ix, now)
                }),
            }
        }
        self.await_evidence(command, requests, shortfalls, now)
    }

    fn clip(
        &mut self,
        command: StageCommand,
        camera: &str,
        from_ms: i64,
        to_ms: i64,
        now: Moment,
    ) -> CommandStart {
        let Some(ix) = self.cameras(Some(camera)).and_then(|all| all.first().copied()) else {
            return refused(&command, "no such camera", now);
        };
        let moment = |wall_ms: i64| {
            let ahead_s = (wall_ms - now.wall_ms) as f64 / 1000.0;
            if ahead_s < 0.0 { now.minus_s(-ahead_s) } else { now.at(now.mono.plus_s(ahead_s)) }
        };
        let (from, to) = (moment(from_ms), moment(to_ms));
        if to.mono <= from.mono {
            return refused(&command, "that was before the program began", now);
        }
        let roles = vec![EvidenceRole::Clip];
        let request = EvidenceRequest { clip: Some((from, to)), roles, ..self.request(&command, ix, now) };
        self.await_evidence(command, vec![request], Vec::new(), now)
    }

    /// A request for the whole picture of a camera; what is to be made comes from the caller.
    fn request(&self, command: &StageCommand, camera: CameraIx, now: Moment) -> EvidenceRequest {
        let id = self.site.camera(camera).map_or("?", |c| c.id.as_str());
        EvidenceRequest {
            subject: EvidenceSubject::Command {
                command_id: wire::topic::word(&command.id),
                camera_id: id.to_owned(),
            },
            revision: 1,
            kind: None,
            camera,
            before_at: None,
            trigger_at: now,
            clip: None,
            zone: String::new(),
            bbox: BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 },
            objects: Vec::new(),
            roles: Vec::new(),
            facts: IncidentFacts::default(),
        }
    }

    fn await_evidence(
        &mut self,
        command: StageCommand,
        requests: Vec<EvidenceRequest>,
        shortfalls: Vec<String>,
        now: Moment,
    ) -> CommandStart {
        if requests.is_empty() {
            let reply = reply(&command, ReplyResult::Failed, Some(&shortfalls.join("; ")), Value::Null, now);
            return CommandStart { reply: Some(reply), ..CommandStart::default() };
        }
        let subjects = requests.iter().map(|r| r.subject.clone()).collect();
        self.pending.push(Pending { command, subjects, files: Vec::new(), shortfalls });
        CommandStart { evidence: requests, ..CommandStart::default() }
    }

    /// Takes an outcome that a command waits for. Returns the messages to send; `None`: the outcome is an incident's.
    pub(crate) fn evidence_outcome(
        &mut self,
        who: &Identity,
        outcome: &EvidenceOutcome,
        now: Moment,
    ) -> Option<Vec<Item>> {
        let index = self.pending.iter().position(|p| p.subjects.contains(&outcome.subject))?;
        let mut items = Vec::new();
        let pending = self.pending.get_mut(index)?;
        if !outcome.items.is_empty() {
            let set = outcome.subject.set_id().to_lowercase();
            let about = ManifestSubject::Command(&pending.command.id);
            let manifest = wire::evidence_manifest(who, &set, about, outcome.revision, &outcome.items, now);
            items.push(Item::Message(Box::new(manifest)));
        }
        let files = outcome.items.iter();
        pending.files.extend(files.map(|f| json!({"path": f.path, "bytes": f.bytes, "sha256": f.sha256})));
        pending.shortfalls.extend(outcome.shortfall.clone());
        // A request for a clip alone is answered once for its pictures, of which there are none.
        if outcome.answers.is_empty() {
            return Some(items);
        }
        pending.subjects.remove(&outcome.subject);
        if pending.subjects.is_empty() {
            let done = self.pending.remove(index);
            let why = (!done.shortfalls.is_empty()).then(|| done.shortfalls.join("; "));
            let result = if done.files.is_empty() { ReplyResult::Failed } else { ReplyResult::Done };
            items.push(reply(&done.command, result, why.as_deref(), json!({"files": done.files}), now));
        }
        Some(items)
    }

    fn pause(
        &mut self,
        command: &StageCommand,
        id: Option<&str>,
        for_s: f64,
        core: &Core,
        now: Moment,
    ) -> CommandStart {
        let Some(cameras) = self.cameras(id) else { return refused(command, "no such camera", now) };
        let pauses = &mut self.pauses;
        let inputs = cameras.into_iter().filter_map(|camera| pauses.set(camera, for_s, core, now)).collect();
        let end = now.at(now.mono.plus_s(for_s));
        let until = kerbside_domain::time::rfc3339(end.wall_ms, self.site.device.utc_offset_s);
        let reply = reply(command, ReplyResult::Done, None, json!({ "until": until }), now);
        CommandStart { inputs, reply: Some(reply), ..CommandStart::default() }
    }

    /// Ends the pauses that are over. Returns the inputs for the core.
    pub(crate) fn expired_pauses(&mut self, now: Moment) -> Vec<Input> {
        self.pauses.expire(now)
    }

    /// False: the input is of a paused camera, and the core must not get it.
    pub(crate) fn admits(&mut self, input: &Input) -> bool {
        self.pauses.admit(input)
    }

    pub(crate) fn is_paused(&self, camera: CameraIx) -> bool {
        self.pauses.is_paused(camera)
    }
}

/// The reply to a command that was done or could not be done.
fn reply(
    command: &StageCommand,
    result: ReplyResult,
    reason: Option<&str>,
    detail: Value,
    now: Moment,
) -> Item {
    Item::Message(Box::new(wire::reply(&command.id, &command.verb, result, reason, detail, now)))
}

fn refused(command: &StageCommand, why: &str, now: Moment) -> CommandStart {
    let reply = reply(command, ReplyResult::Refused, Some(why), Value::Null, now);
    CommandStart { reply: Some(reply), ..CommandStart::default() }
}
