//! The state of the core's thread. Its parts are all required: one that is forgotten does not compile.

use std::sync::Arc;

use kerbside_domain::position::Position;
use kerbside_domain::time::Clock;
#[cfg(test)]
use kerbside_seeing::incident::Input;
use kerbside_seeing::incident::{Core, Warning};
use kerbside_seeing::pipeline::CameraControl;
use kerbside_site::config::Site;
use kerbside_site::place::Placer;
use kerbside_trace::delivery::Delivery;
use kerbside_wire::Grant;
use tokio::sync::{Notify, mpsc};

use super::due::Due;
use super::write_queue::WriteQueue;
use crate::app::commands::Commands;
use crate::app::meters::CoreMeter;
use crate::evidence::EvidenceThread;
use crate::review;

/// What the thread works with.
pub(crate) struct Parts {
    pub(crate) core: Core,
    pub(crate) site: Arc<Site>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) delivery: Delivery,
    pub(crate) evidence: EvidenceThread,
    /// `None`: this box has no detector, so nobody can review the past.
    pub(crate) review: Option<review::ReviewStage>,
    /// One a camera, in the order of the site.
    pub(crate) cameras: Vec<Arc<CameraControl>>,
    /// Where grants of the centre go.
    pub(crate) uploads: mpsc::Sender<Grant>,
    pub(crate) warnings: mpsc::Sender<Warning>,
    /// Notified when the centre has ordered a restart and its reply is durable.
    pub(crate) restart: Arc<Notify>,
    pub(crate) meter: CoreMeter,
}

/// Why the box's position is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PositionDoubt {
    /// Within seconds the fixes were elsewhere.
    Jump,
    /// Ten-minute medians left the settled mean.
    Moved,
}

impl PositionDoubt {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            PositionDoubt::Jump => "jump",
            PositionDoubt::Moved => "moved",
        }
    }
}

pub(crate) struct CoreThread {
    pub(super) core: Core,
    pub(super) site: Arc<Site>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) delivery: Delivery,
    pub(super) placer: Placer,
    /// `None` once the thread has ended it.
    pub(super) evidence: Option<EvidenceThread>,
    pub(super) review: Option<review::ReviewStage>,
    pub(super) cameras: Vec<Arc<CameraControl>>,
    pub(super) uploads: mpsc::Sender<Grant>,
    pub(super) warnings: mpsc::Sender<Warning>,
    pub(super) restart: Arc<Notify>,
    pub(super) meter: CoreMeter,
    pub(super) commands: Commands,
    pub(super) writes: WriteQueue,
    pub(super) due: Due,
    /// The position that the centre was told last.
    pub(super) told_position: Option<Position>,
    /// Why the box's position is not believed, until the fixes are where they were.
    pub(super) position_doubt: Option<PositionDoubt>,
    /// The position that the evidence stage has.
    pub(super) evidence_position: Option<Position>,
    /// A report was made since the incidents were saved last.
    pub(super) unsaved_report: bool,
    /// Every input of the core, in order.
    #[cfg(test)]
    pub(super) stepped: Vec<Input>,
}

impl CoreThread {
    /// A thread with nothing pending.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            core,
            site,
            clock,
            delivery,
            evidence,
            review,
            cameras,
            uploads,
            warnings,
            restart,
            meter,
        } = parts;
        let due = Due::from(clock.now().mono);
        CoreThread {
            placer: Placer::new(&site),
            commands: Commands::new(site.clone()),
            core,
            site,
            clock,
            delivery,
            evidence: Some(evidence),
            review,
            cameras,
            uploads,
            warnings,
            restart,
            meter,
            writes: WriteQueue::default(),
            due,
            told_position: None,
            position_doubt: None,
            evidence_position: None,
            unsaved_report: false,
            #[cfg(test)]
            stepped: Vec::new(),
        }
    }
}
