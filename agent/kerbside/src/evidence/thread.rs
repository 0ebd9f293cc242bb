//! The stage's own thread: tasks come over a bounded channel, outcomes go back to the core.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::scrub::Scrub;
use super::stage::{Evidence, EvidenceCounters};
use super::tuning::{MAX_TASKS, MAX_TASKS_BEFORE_REFUSALS, POLL};
use kerbside_domain::evidence::{EvidenceOutcome, EvidenceRequest};
use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::{Clock, Mono};
use kerbside_seeing::incident::Refusal;

/// What the core asks of the stage.
#[derive(Debug)]
pub enum EvidenceTask {
    Pin {
        incident_id: String,
        camera: CameraIx,
        from: Mono,
        to: Mono,
    },
    Unpin {
        incident_id: String,
    },
    Make(Box<EvidenceRequest>),
    /// What was no incident.
    Refused(Box<Refusal>),
    /// Where the box stood at a moment, by GNSS: lon_deg, lat_deg, and the radius that holds it, m.
    BoxPoint {
        at: Mono,
        point: (f64, f64),
        accuracy_m: f64,
    },
    /// Outlines of zones from now on.
    Zones {
        camera: CameraIx,
        zones: BTreeMap<String, Vec<(f32, f32)>>,
    },
}

/// The handle. Dropping it lets the stage finish its clips and end.
#[derive(Debug)]
pub struct EvidenceThread {
    tasks: Sender<EvidenceTask>,
    outcomes: Sender<EvidenceOutcome>,
    /// Refusals that were not handed over.
    refusals_dropped: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<EvidenceCounters>,
}

impl EvidenceThread {
    /// Never blocks: with the queue full a request is answered with what is missing.
    pub fn submit(&self, task: EvidenceTask) {
        if let Err(TrySendError::Full(EvidenceTask::Make(request))) = self.tasks.try_send(task) {
            let request = *request;
            let outcome = EvidenceOutcome {
                subject: request.subject,
                revision: request.revision,
                answers: request.roles,
                items: Vec::new(),
                shortfall: Some("evidence queue full".to_owned()),
            };
            tracing::warn!(subject = outcome.subject.set_id(), "evidence queue full: no pictures, no clip");
            let _ = self.outcomes.try_send(outcome);
        }
    }

    /// Hands over what was no incident, unless the stage has enough to do with those that are; then it is counted.
    pub fn refused(&self, refusal: Box<Refusal>) {
        let has_room = self.tasks.len() < MAX_TASKS_BEFORE_REFUSALS;
        if !has_room || self.tasks.try_send(EvidenceTask::Refused(refusal)).is_err() {
            self.refusals_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tasks that wait.
    pub fn depth(&self) -> usize {
        self.tasks.len()
    }

    /// Ends the stage: waiting clips are made of what there is.
    pub fn finish(self) -> Option<EvidenceCounters> {
        drop(self.tasks);
        drop(self.outcomes);
        self.thread.join().ok()
    }
}

/// Starts the stage. `alive` is called at each turn, for the watchdog. `scrub` works where nothing else is to be done.
pub fn spawn(
    evidence: Evidence,
    clock: std::sync::Arc<dyn Clock>,
    outcomes: Sender<EvidenceOutcome>,
    alive: impl Fn(&EvidenceCounters) + Send + 'static,
    scrub: Option<Scrub>,
) -> std::io::Result<EvidenceThread> {
    let (tasks, inbox) = bounded(MAX_TASKS);
    let answers = outcomes.clone();
    let refusals_dropped = Arc::<AtomicU64>::default();
    let dropped = refusals_dropped.clone();
    let thread = std::thread::Builder::new().name("evidence".into()).spawn(move || {
        let alive = |counters: &EvidenceCounters| {
            let mut counters = *counters;
            counters.shelf.dropped += dropped.load(Ordering::Relaxed);
            alive(&counters);
        };
        run(evidence, &*clock, &inbox, &answers, &alive, scrub)
    })?;
    Ok(EvidenceThread { tasks, outcomes, refusals_dropped, thread })
}

fn run(
    mut evidence: Evidence,
    clock: &dyn Clock,
    inbox: &Receiver<EvidenceTask>,
    answers: &Sender<EvidenceOutcome>,
    alive: &dyn Fn(&EvidenceCounters),
    mut scrub: Option<Scrub>,
) -> EvidenceCounters {
    loop {
        let looked_at = scrub.as_ref().map(Scrub::state);
        alive(&EvidenceCounters {
            scrubbed: looked_at.map_or(0, |state| state.checked),
            damaged: looked_at.map_or(0, |state| state.damaged.len() as u64),
            ..evidence.counters()
        });
        let mut ready = match inbox.recv_timeout(POLL) {
            Ok(EvidenceTask::Pin { incident_id, camera, from, to }) => {
                evidence.pin(incident_id, camera, from, to);
                Vec::new()
            }
            Ok(EvidenceTask::Unpin { incident_id }) => {
                evidence.unpin(&incident_id);
                Vec::new()
            }
            Ok(EvidenceTask::Make(request)) => evidence.request(*request),
            Ok(EvidenceTask::Refused(refusal)) => {
                evidence.refused(&refusal, clock.now().mono, !inbox.is_empty());
                Vec::new()
            }
            Ok(EvidenceTask::BoxPoint { at, point, accuracy_m }) => {
                evidence.set_box_point(at, point, accuracy_m);
                Vec::new()
            }
            Ok(EvidenceTask::Zones { camera, zones }) => {
                evidence.set_zones(camera, zones);
                Vec::new()
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(scrub) = &mut scrub {
                    scrub.turn(clock.now());
                }
                Vec::new()
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        ready.extend(evidence.poll(clock.now().mono));
        hand_on(ready, answers);
    }
    hand_on(evidence.finish(), answers);
    evidence.counters()
}

fn hand_on(outcomes: Vec<EvidenceOutcome>, answers: &Sender<EvidenceOutcome>) {
    for outcome in outcomes {
        if let Some(shortfall) = &outcome.shortfall {
            tracing::warn!(subject = outcome.subject.set_id(), shortfall, "evidence incomplete");
        }
        // The core has gone: the files are durable all the same.
        let _ = answers.send(outcome);
    }
}
