//! What the centre was told of an incident's evidence, and what it waits for. A revision names only what is new with it.

use serde::{Deserialize, Serialize};

use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRole};
use kerbside_domain::time::Moment;

use super::tuning::bounds::{MAX_PENDING, MAX_TOLD};

/// Evidence that was requested by a revision and has not been answered. Revision 0: requested before a restart of version 0.1,
/// which forgot by which revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEvidence {
    /// The revision that requested it.
    pub revision: u32,
    /// What was requested.
    pub role: EvidenceRole,
}

/// The evidence of one incident, as far as it was requested and told. Both lists are bounded: the oldest is forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct ToldEvidence {
    pending: Vec<PendingEvidence>,
    /// The latest files that were named, to know them again and to put their dates right.
    items: Vec<EvidenceItem>,
}

impl ToldEvidence {
    pub(super) fn new(pending: Vec<PendingEvidence>, items: Vec<EvidenceItem>) -> Self {
        let mut told = ToldEvidence::default();
        told.remember(&items);
        told.pending = pending;
        told
    }

    pub(super) fn items(&self) -> &[EvidenceItem] {
        &self.items
    }

    pub(super) fn pending(&self) -> &[PendingEvidence] {
        &self.pending
    }

    /// A revision requests these.
    pub(super) fn request(&mut self, revision: u32, roles: &[EvidenceRole]) {
        self.pending.extend(roles.iter().map(|&role| PendingEvidence { revision, role }));
        let excess = self.pending.len().saturating_sub(MAX_PENDING);
        self.pending.drain(..excess);
    }

    /// What a revision still waits for.
    pub(super) fn pending_of(&self, revision: u32) -> Vec<EvidenceRole> {
        self.pending.iter().filter(|p| p.revision == revision).map(|p| p.role).collect()
    }

    /// The files of an outcome that were not told yet. `None`: it is the same outcome a second time.
    pub(super) fn settle(&mut self, outcome: &mut EvidenceOutcome) -> Option<Vec<EvidenceItem>> {
        let is_answered = |p: &PendingEvidence| {
            (p.revision == outcome.revision || p.revision == 0) && outcome.answers.contains(&p.role)
        };
        let was_pending = self.pending.iter().any(is_answered);
        self.pending.retain(|p| !is_answered(p));
        let mut new_items = std::mem::take(&mut outcome.items);
        new_items.retain(|item| !self.items.contains(item));
        if new_items.is_empty() && !was_pending {
            return None;
        }
        self.remember(&new_items);
        Some(new_items)
    }

    fn remember(&mut self, items: &[EvidenceItem]) {
        // A file that was written anew replaces what was told of it.
        self.items.retain(|told| items.iter().all(|item| item.path != told.path || item.role != told.role));
        self.items.extend_from_slice(items);
        let excess = self.items.len().saturating_sub(MAX_TOLD);
        self.items.drain(..excess);
    }

    /// Puts the dates of what was told right. Returns the files that were dated wrong.
    pub(super) fn redate(&mut self, date: impl Fn(Moment) -> Option<Moment>) -> Vec<EvidenceItem> {
        let mut redated = Vec::new();
        for item in &mut self.items {
            if let Some(captured) = date(item.captured) {
                item.captured = captured;
                redated.push(item.clone());
            }
        }
        redated
    }
}
