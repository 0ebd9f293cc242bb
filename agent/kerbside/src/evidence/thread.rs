//! The stage's own thread: tasks come over a bounded channel, outcomes go back to the core.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::scrub::Scrub;
use super::stage::{Evidence, EvidenceCounters};
use super::tuning::{MAX_BOX_POINTS, MAX_TASKS, MAX_TASKS_BEFORE_REFUSALS, POLL};
use kerbside_domain::evidence::{EvidenceOutcome, EvidenceRequest};
use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::{Clock, Mono};
use kerbside_seeing::incident::Refusal;
use parking_lot::Mutex;

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
}

/// Where the box stood at a moment, by GNSS: lon_deg, lat_deg, and the radius that holds it, m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoxPoint {
    pub at: Mono,
    pub point: (f64, f64),
    pub accuracy_m: f64,
}

/// Outlines of zones by id, in shares of the picture.
pub type Zones = BTreeMap<String, Vec<(f32, f32)>>;

/// What holds from now on. It goes past the queue: the newest counts, and is never lost because something else waits.
#[derive(Debug, Default)]
struct Newest {
    zones: BTreeMap<CameraIx, Zones>,
    /// Oldest first.
    box_points: VecDeque<BoxPoint>,
}

/// The handle. Dropping it lets the stage finish its clips and end.
#[derive(Debug)]
pub struct EvidenceThread {
    tasks: Sender<EvidenceTask>,
    outcomes: Sender<EvidenceOutcome>,
    newest: Arc<Mutex<Newest>>,
    dropped: Arc<Dropped>,
    thread: std::thread::JoinHandle<EvidenceCounters>,
}

/// What was not handed over.
#[derive(Debug, Default)]
struct Dropped {
    refusals: AtomicU64,
    pins: AtomicU64,
}

impl Dropped {
    fn added_to(&self, mut counters: EvidenceCounters) -> EvidenceCounters {
        counters.shelf.dropped += self.refusals.load(Ordering::Relaxed);
        counters.pins_dropped += self.pins.load(Ordering::Relaxed);
        counters
    }
}

impl EvidenceThread {
    /// Never blocks: with the queue full a request is answered with what is missing, and a pin is counted and said.
    pub fn submit(&self, task: EvidenceTask) {
        let Err(TrySendError::Full(task)) = self.tasks.try_send(task) else { return };
        match task {
            EvidenceTask::Make(request) => {
                let request = *request;
                let outcome = EvidenceOutcome {
                    subject: request.subject,
                    revision: request.revision,
                    answers: request.roles,
                    items: Vec::new(),
                    shortfall: Some("evidence queue full".to_owned()),
                };
                tracing::warn!(
                    subject = outcome.subject.set_id(),
                    "evidence queue full: no pictures, no clip"
                );
                let _ = self.outcomes.try_send(outcome);
            }
            EvidenceTask::Pin { incident_id, .. } => {
                self.dropped.pins.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    incident = incident_id,
                    "evidence queue full: its packets are not pinned, its clip begins later"
                );
            }
            // The bounds of the pins end it.
            EvidenceTask::Unpin { incident_id } => {
                tracing::warn!(incident = incident_id, "evidence queue full: its packets stay pinned");
            }
            EvidenceTask::Refused(_) => drop(self.dropped.refusals.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Outlines of a camera's zones from now on.
    pub fn set_zones(&self, camera: CameraIx, zones: Zones) {
        self.newest.lock().zones.insert(camera, zones);
    }

    /// Where the box stands.
    pub fn set_box_point(&self, point: BoxPoint) {
        let mut newest = self.newest.lock();
        newest.box_points.push_back(point);
        if newest.box_points.len() > MAX_BOX_POINTS {
            newest.box_points.pop_front();
        }
    }

    /// Hands over what was no incident, unless the stage has enough to do with those that are; then it is counted.
    pub fn refused(&self, refusal: Box<Refusal>) {
        let has_room = self.tasks.len() < MAX_TASKS_BEFORE_REFUSALS;
        if !has_room || self.tasks.try_send(EvidenceTask::Refused(refusal)).is_err() {
            self.dropped.refusals.fetch_add(1, Ordering::Relaxed);
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
        let dropped = self.dropped;
        self.thread.join().ok().map(|counters| dropped.added_to(counters))
    }
}

/// Starts the stage. `alive` is called at each turn, for the watchdog. `scrub` works where nothing else is to be done.
pub fn spawn(
    evidence: Evidence,
    clock: Arc<dyn Clock>,
    outcomes: Sender<EvidenceOutcome>,
    alive: impl Fn(&EvidenceCounters) + Send + 'static,
    scrub: Option<Scrub>,
) -> std::io::Result<EvidenceThread> {
    let (tasks, inbox) = bounded(MAX_TASKS);
    let answers = outcomes.clone();
    let (newest, dropped) = (Arc::<Mutex<Newest>>::default(), Arc::<Dropped>::default());
    let (newest_here, dropped_here) = (newest.clone(), dropped.clone());
    let thread = std::thread::Builder::new().name("evidence".into()).spawn(move || {
        let alive = |counters: &EvidenceCounters| alive(&dropped_here.added_to(*counters));
        run(evidence, &*clock, (&inbox, &newest_here), &answers, &alive, scrub)
    })?;
    Ok(EvidenceThread { tasks, outcomes, newest, dropped, thread })
}

fn run(
    mut evidence: Evidence,
    clock: &dyn Clock,
    (inbox, newest): (&Receiver<EvidenceTask>, &Mutex<Newest>),
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
        let next = inbox.recv_timeout(POLL);
        take_newest(&mut evidence, newest);
        let mut ready = match next {
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

fn take_newest(evidence: &mut Evidence, newest: &Mutex<Newest>) {
    let Newest { zones, box_points } = std::mem::take(&mut *newest.lock());
    zones.into_iter().for_each(|(camera, zones)| evidence.set_zones(camera, zones));
    for BoxPoint { at, point, accuracy_m } in box_points {
        evidence.set_box_point(at, point, accuracy_m);
    }
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

#[cfg(test)]
mod tests {
    use kerbside_domain::evidence::EvidenceRole;
    use kerbside_domain::time::VirtualClock;
    use kerbside_media::clip::{ClipMaker, ClipOutput};

    use super::*;
    use crate::evidence::tests::{request, ring, stage};

    #[test]
    fn a_full_queue_counts_the_pins_that_it_loses_and_never_loses_what_holds_from_now_on() {
        let dir = tempfile::tempdir().unwrap();
        let (drawn, drawings) = bounded(1);
        let (go_on, may_go_on) = bounded::<()>(1);
        let make: ClipMaker = Box::new(move |job| {
            drawn.send(format!("{:?}", job.stills)).unwrap();
            may_go_on.recv().unwrap();
            for still in &job.stills {
                std::fs::write(&still.path, "picture").unwrap();
            }
            Ok(ClipOutput { clip: None, stills: job.stills.iter().map(|still| Ok(still.pts)).collect() })
        });
        let mut evidence = stage(dir.path(), ring(30.0, 20));
        evidence.make_clip = make;
        let (outcomes, made) = bounded(8);
        let thread = spawn(evidence, VirtualClock::new(0), outcomes, |_| {}, None).unwrap();
        let annotated = |id: &str| {
            let roles = vec![EvidenceRole::Annotated];
            EvidenceTask::Make(Box::new(EvidenceRequest { roles, clip: None, ..request(id, (0.0, 0.0)) }))
        };
        thread.submit(annotated("A"));
        let before = drawings.recv().unwrap();
        thread.submit(annotated("B"));
        (1..MAX_TASKS).for_each(|_| thread.submit(EvidenceTask::Unpin { incident_id: "nobody".into() }));
        assert_eq!(thread.depth(), MAX_TASKS);
        let (camera, incident_id) = (CameraIx(0), "C".to_owned());
        thread.submit(EvidenceTask::Pin { incident_id, camera, from: Mono::ZERO, to: Mono::ZERO });
        let outline = vec![(0.125, 0.25), (0.5, 0.25), (0.5, 0.75)];
        thread.set_zones(camera, [("z".to_owned(), outline)].into());
        go_on.send(()).unwrap();
        let after = drawings.recv().unwrap();
        go_on.send(()).unwrap();
        assert!(!before.contains("0.125") && after.contains("0.125"), "{before}\n{after}");
        assert_eq!(thread.finish().map(|counters| counters.pins_dropped), Some(1));
        assert_eq!(made.iter().count(), 2);
    }
}
