//! The evidence stage's own thread: orders come over a bounded channel, outcomes go back to the core.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::{Counters, Evidence};
use kerbside_domain::evidence::{EvidenceOutcome, EvidenceRequest};
use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::{Clock, Mono};

/// Orders that wait; beyond it a new one is refused and answered with its shortfall at once.
const QUEUE: usize = 64;
/// How often the ring is asked whether a post-roll has passed.
const POLL: Duration = Duration::from_millis(250);

/// What the core asks of the stage.
#[derive(Debug)]
pub enum Order {
    Keep { incident_id: String, camera: CameraIx, from: Mono, to: Mono },
    Release { incident_id: String },
    Make(EvidenceRequest),
}

/// The handle. Dropping it lets the stage finish its clips and end.
#[derive(Debug)]
pub struct Worker {
    orders: Sender<Order>,
    outcomes: Sender<EvidenceOutcome>,
    thread: std::thread::JoinHandle<Counters>,
}

impl Worker {
    /// Never blocks: with the queue full the order is answered with what is missing.
    pub fn order(&self, order: Order) {
        if let Err(TrySendError::Full(Order::Make(request))) = self.orders.try_send(order) {
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

    /// Orders that wait.
    pub fn depth(&self) -> usize {
        self.orders.len()
    }

    /// Ends the stage: waiting clips are cut from what there is.
    pub fn finish(self) -> Option<Counters> {
        drop(self.orders);
        drop(self.outcomes);
        self.thread.join().ok()
    }
}

/// Starts the stage. `alive` is called at each turn, for the watchdog.
pub fn spawn(
    evidence: Evidence,
    clock: std::sync::Arc<dyn Clock>,
    outcomes: Sender<EvidenceOutcome>,
    alive: impl Fn(&Counters) + Send + 'static,
) -> std::io::Result<Worker> {
    let (orders, inbox) = bounded(QUEUE);
    let answers = outcomes.clone();
    let thread = std::thread::Builder::new()
        .name("evidence".into())
        .spawn(move || run(evidence, &*clock, &inbox, &answers, &alive))?;
    Ok(Worker { orders, outcomes, thread })
}

fn run(
    mut evidence: Evidence,
    clock: &dyn Clock,
    inbox: &Receiver<Order>,
    answers: &Sender<EvidenceOutcome>,
    alive: &dyn Fn(&Counters),
) -> Counters {
    loop {
        alive(&evidence.counters());
        let mut made = match inbox.recv_timeout(POLL) {
            Ok(Order::Keep { incident_id, camera, from, to }) => {
                evidence.keep(incident_id, camera, from, to);
                Vec::new()
            }
            Ok(Order::Release { incident_id }) => {
                evidence.release(&incident_id);
                Vec::new()
            }
            Ok(Order::Make(request)) => evidence.request(request),
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        made.extend(evidence.poll(clock.now().mono));
        hand_on(made, answers);
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
