//! Orders: what the centre commanded and the stages do: pictures and clips on demand, pauses, a restart. The delivery has
//! judged them and keeps them; here they are begun and, when they have come to something, answered.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::evidence::{EvidenceOutcome, EvidenceRequest, EvidenceRole};
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::{ClockQuality, Moment, Mono};
use kerbside_seeing::incident::{Core, Input};
use kerbside_site::config::Site;
use kerbside_trace::delivery::{Commanded, Item};
use kerbside_wire::{self as wire, About, Identity, Order};

/// What beginning an order asks of the desk, in this order.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pub(super) inputs: Vec<Input>,
    pub(super) make: Vec<EvidenceRequest>,
    /// The answer, where there is one already.
    pub(super) answer: Option<Item>,
    /// Once all that is durable, the program ends and is started again.
    pub(super) restart: bool,
}

/// A command that waits for its evidence.
#[derive(Debug)]
struct Waiting {
    command: Commanded,
    sets: BTreeSet<String>,
    files: Vec<Value>,
    shortfalls: Vec<String>,
}

/// A camera that shall not be judged for a while, and what its source said meanwhile.
#[derive(Debug)]
struct Pause {
    until: Mono,
    source: CameraState,
}

#[derive(Debug)]
pub(super) struct Orders {
    site: Arc<Site>,
    waiting: Vec<Waiting>,
    pauses: Vec<Option<Pause>>,
    restart: Arc<Notify>,
}

impl Orders {
    pub(super) fn new(site: Arc<Site>, restart: Arc<Notify>) -> Self {
        let pauses = site.cameras.iter().map(|_| None).collect();
        Orders { site, waiting: Vec::new(), pauses, restart }
    }

    pub(super) fn begin(&mut self, command: Commanded, core: &Core, now: Moment) -> Begun {
        // It may have waited for a restart, or for a disk.
        if now.quality == ClockQuality::None || command.expires_at_ms <= now.wall_ms {
            return refused(&command, "it could not be done before it expired", now);
        }
        match command.order.clone() {
            Order::Recheck { incident_id } => {
                let input = Input::Recheck { incident_id, command_id: command.id };
                Begun { inputs: vec![input], ..Begun::default() }
            }
            Order::Snapshot { camera_id } => self.snapshot(command, camera_id.as_deref(), core, now),
            Order::Clip { camera_id, from_ms, to_ms } => self.clip(command, &camera_id, from_ms, to_ms, now),
            Order::Pause { camera_id, for_s } => self.pause(&command, camera_id.as_deref(), for_s, core, now),
            Order::Restart => {
                let answer = answer(&command, "done", None, Value::Null, now);
                Begun { answer: Some(answer), restart: true, ..Begun::default() }
            }
            // Never handed on by the delivery.
            Order::Resend { .. } | Order::LogPull { .. } => refused(&command, "not for the stages", now),
        }
    }

    /// The cameras that are meant; `None`: there is no such camera.
    fn cameras(&self, id: Option<&str>) -> Option<Vec<CameraIx>> {
        let named = self.site.cameras.iter().filter(|c| id.is_none_or(|id| c.id == id));
        Some(named.map(|c| c.ix).collect::<Vec<_>>()).filter(|found| !found.is_empty())
    }

    fn snapshot(&mut self, command: Commanded, camera: Option<&str>, core: &Core, now: Moment) -> Begun {
        let Some(cameras) = self.cameras(camera) else { return refused(&command, "no such camera", now) };
        let mut shortfalls = Vec::new();
        let mut make = Vec::new();
        for ix in cameras {
            match core.camera_state(ix) {
                Some(CameraState::Off(why)) if why != Off::Paused => {
                    let camera = self.site.camera(ix).map_or("?", |c| c.id.as_str());
                    shortfalls
                        .push(format!("{camera}: off ({why:?}); an old picture is not sent for a new one"));
                }
                _ => make.push(EvidenceRequest {
                    roles: vec![EvidenceRole::Snapshot],
                    ..self.request(&command, ix, now)
                }),
            }
        }
        self.wait(command, make, shortfalls, now)
    }

    fn clip(&mut self, command: Commanded, camera: &str, from_ms: i64, to_ms: i64, now: Moment) -> Begun {
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
        self.wait(command, vec![request], Vec::new(), now)
    }

    fn request(&self, command: &Commanded, camera: CameraIx, now: Moment) -> EvidenceRequest {
        let id = self.site.camera(camera).map_or("?", |c| c.id.as_str());
        EvidenceRequest {
            incident_id: format!("cmd-{}-{id}", wire::topic::word(&command.id)),
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
        }
    }

    fn wait(
        &mut self,
        command: Commanded,
        make: Vec<EvidenceRequest>,
        shortfalls: Vec<String>,
        now: Moment,
    ) -> Begun {
        if make.is_empty() {
            let answer = answer(&command, "failed", Some(&shortfalls.join("; ")), Value::Null, now);
            return Begun { answer: Some(answer), ..Begun::default() };
        }
        let sets = make.iter().map(|r| r.incident_id.clone()).collect();
        self.waiting.push(Waiting { command, sets, files: Vec::new(), shortfalls });
        Begun { make, ..Begun::default() }
    }

    /// Takes an outcome that a command waits for: the messages to send. `None`: it is an incident's.
    pub(super) fn outcome(
        &mut self,
        who: &Identity,
        outcome: &EvidenceOutcome,
        now: Moment,
    ) -> Option<Vec<Item>> {
        let index = self.waiting.iter().position(|w| w.sets.contains(&outcome.incident_id))?;
        let mut items = Vec::new();
        let waiting = self.waiting.get_mut(index)?;
        if !outcome.items.is_empty() {
            let set = outcome.incident_id.to_lowercase();
            let about = About::Command(&waiting.command.id);
            let manifest = wire::evidence_manifest(who, &set, about, outcome.revision, &outcome.items, now);
            items.push(Item::Message(Box::new(manifest)));
        }
        let files = outcome.items.iter();
        waiting.files.extend(files.map(|f| json!({"path": f.path, "bytes": f.bytes, "sha256": f.sha256})));
        waiting.shortfalls.extend(outcome.shortfall.clone());
        // A request for a clip alone is answered once for its pictures, of which there are none.
        if outcome.answers.is_empty() {
            return Some(items);
        }
        waiting.sets.remove(&outcome.incident_id);
        if waiting.sets.is_empty() {
            let done = self.waiting.remove(index);
            let why = (!done.shortfalls.is_empty()).then(|| done.shortfalls.join("; "));
            let result = if done.files.is_empty() { "failed" } else { "done" };
            items.push(answer(&done.command, result, why.as_deref(), json!({"files": done.files}), now));
        }
        Some(items)
    }

    fn pause(
        &mut self,
        command: &Commanded,
        id: Option<&str>,
        for_s: f64,
        core: &Core,
        now: Moment,
    ) -> Begun {
        let Some(cameras) = self.cameras(id) else { return refused(command, "no such camera", now) };
        let until = now.mono.plus_s(for_s);
        let mut inputs = Vec::new();
        for camera in cameras {
            let Some(pause) = self.pauses.get_mut(usize::from(camera.0)) else { continue };
            if for_s > 0.0 {
                let source = match (&pause, core.camera_state(camera)) {
                    (Some(running), _) => running.source,
                    (None, Some(off @ CameraState::Off(_))) => off,
                    (None, _) => CameraState::Watching,
                };
                *pause = Some(Pause { until, source });
                inputs.push(Input::Camera { camera, at: now, state: CameraState::Off(Off::Paused) });
            } else if let Some(over) = pause.take() {
                inputs.push(Input::Camera { camera, at: now, state: over.source });
            }
        }
        let end = now.at(until);
        let detail =
            json!({"until": kerbside_domain::time::rfc3339(end.wall_ms, self.site.device.utc_offset_s)});
        Begun { inputs, answer: Some(answer(command, "done", None, detail, now)), ..Begun::default() }
    }

    /// Pauses that are over.
    pub(super) fn resume(&mut self, now: Moment) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (n, pause) in self.pauses.iter_mut().enumerate() {
            if let Some(over) = pause.take_if(|p| p.until <= now.mono) {
                let (camera, state) = (CameraIx(n as u16), over.source);
                tracing::info!(camera = n, "pause over");
                inputs.push(Input::Camera { camera, at: now, state });
            }
        }
        inputs
    }

    /// False: the input is of a camera that is paused, and the core must not hear it.
    pub(super) fn lets_through(&mut self, input: &Input) -> bool {
        let camera = match input {
            Input::Observation(look) => look.camera,
            Input::Camera { camera, .. } => *camera,
            _ => return true,
        };
        let Some(Some(pause)) = self.pauses.get_mut(usize::from(camera.0)) else { return true };
        if let Input::Camera { state, .. } = input {
            pause.source = *state;
        }
        false
    }

    pub(super) fn is_paused(&self, camera: CameraIx) -> bool {
        matches!(self.pauses.get(usize::from(camera.0)), Some(Some(_)))
    }

    /// Ends the program as a signal would.
    pub(super) fn restart_now(&self) {
        self.restart.notify_one();
    }
}

/// The reply to a command that was done or could not be done.
pub(super) fn answer(
    command: &Commanded,
    result: &str,
    reason: Option<&str>,
    detail: Value,
    now: Moment,
) -> Item {
    Item::Message(Box::new(wire::reply(&command.id, &command.verb, result, reason, detail, now)))
}

fn refused(command: &Commanded, why: &str, now: Moment) -> Begun {
    Begun { answer: Some(answer(command, "refused", Some(why), Value::Null, now)), ..Begun::default() }
}
