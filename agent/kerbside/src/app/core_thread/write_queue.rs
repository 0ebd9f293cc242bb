//! Items that are not durable yet, oldest first, and the actions that may only happen once they are.

use kerbside_trace::delivery::{Delivery, Item};
use kerbside_wire::{Grant, Message};
use tokio::sync::oneshot;

use crate::evidence::EvidenceTask;

/// Items that may wait while the disk refuses them. With more, frames are left out, so that no new item results from them.
/// Senders never wait, and reports already made are kept.
pub(super) const MAX_ITEMS: usize = 4096;
/// With more items than this, observations of sensors are left out: the rest of the room is for reports.
pub(super) const MAX_ITEMS_FOR_OBSERVATIONS: usize = MAX_ITEMS / 2;

/// What happens after a successful write.
#[derive(Debug)]
pub(super) enum AfterWrite {
    Evidence(Box<EvidenceTask>),
    /// A file that the box sends by itself goes on its way.
    Upload(Box<Grant>),
    /// The program ends and is started again.
    Restart,
    /// Somebody waits to hear that it is durable.
    Durable(oneshot::Sender<()>),
}

impl AfterWrite {
    pub(super) fn evidence(task: EvidenceTask) -> Self {
        AfterWrite::Evidence(Box::new(task))
    }
}

#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    items: Vec<Item>,
    after: Vec<AfterWrite>,
    /// The last write failed.
    refused: bool,
}

impl WriteQueue {
    pub(super) fn message(&mut self, message: Message) {
        self.item(Item::Message(Box::new(message)));
    }

    pub(super) fn item(&mut self, item: Item) {
        self.items.push(item);
    }

    pub(super) fn extend(&mut self, items: impl IntoIterator<Item = Item>) {
        self.items.extend(items);
    }

    /// Does this once everything queued so far is durable.
    pub(super) fn then(&mut self, action: AfterWrite) {
        self.after.push(action);
    }

    /// Evidence of this incident is to be made after the next write.
    pub(super) fn awaits_evidence(&self, incident_id: &str) -> bool {
        self.after.iter().any(|action| match action {
            AfterWrite::Evidence(task) => match &**task {
                EvidenceTask::Make(request) => request.subject.incident_id() == Some(incident_id),
                _ => false,
            },
            AfterWrite::Upload(_) | AfterWrite::Restart | AfterWrite::Durable(_) => false,
        })
    }

    /// Items that wait.
    pub(super) fn items(&self) -> usize {
        self.items.len()
    }

    /// No room for what frames could lead to.
    pub(super) fn is_full(&self) -> bool {
        self.items.len().max(self.after.len()) >= MAX_ITEMS
    }

    pub(super) fn has_room_for_observation(&self) -> bool {
        self.items.len() < MAX_ITEMS_FOR_OBSERVATIONS
    }

    /// The disk refused the last write. Each further attempt copies all items, so only ticks try again.
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Writes all items. Returns the actions that may happen now; none if the disk refuses.
    pub(super) fn commit(&mut self, delivery: &Delivery) -> Vec<AfterWrite> {
        if !self.items.is_empty() {
            if let Err(error) = delivery.commit(self.items.clone()) {
                if !std::mem::replace(&mut self.refused, true) {
                    tracing::error!(%error, waiting = self.items.len(), "the journal refuses records");
                }
                return Vec::new();
            }
            self.items.clear();
            if std::mem::take(&mut self.refused) {
                tracing::info!("the journal takes records again");
            }
        }
        std::mem::take(&mut self.after)
    }

    #[cfg(test)]
    pub(super) fn remove_first(&mut self) {
        self.items.remove(0);
    }
}
