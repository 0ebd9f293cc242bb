//! Packets pinned for candidates, under the id of the incident that each may become: a dwell of minutes outlives the ring, and
//! the leaving is what an officer wants to see.

use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::Moment;

use super::camera::CameraCore;
use super::candidate::Candidate;
use super::context::StepContext;
use super::effect::Effect;
use super::id::Birth;
use super::part::Part;
use super::pin_span::clip_span;
use super::tuning::pin::UNPIN_EXPLAINED_S;

impl CameraCore {
    /// A new candidate, with an id and its packets pinned, unless it stands where an incident is open already.
    pub(super) fn begin_candidate(
        &mut self,
        part: Part,
        alone_s: f64,
        at: Moment,
        context: &mut StepContext<'_>,
    ) {
        let (bbox, appeared) = (part.seen.bbox, part.seen.appeared);
        let id = self.candidates.next_id();
        let own_id = self.new_id(id, &bbox, appeared, at, context);
        let mut candidate = Candidate::new(id, own_id, part, alone_s);
        if let Some(borrowed) = self.reusable_id(&bbox) {
            candidate.id_is_borrowed = true;
            candidate.incident_id = borrowed;
        }
        if !self.incidents.any_open_about(&bbox) {
            pin(&mut candidate, self.config.ix, context);
        }
        self.candidates.push(candidate);
    }

    /// The id of the incident that was cleared here and may reappear, if no candidate has it.
    fn reusable_id(&self, bbox: &BBox) -> Option<String> {
        let id = self.incidents.last_cleared_at(bbox)?.id();
        let is_taken = self.candidates.iter().any(|c| c.incident_id == id);
        (!is_taken).then(|| id.to_owned())
    }

    /// An id of its own for a candidate.
    pub(super) fn own_id(&self, candidate: &Candidate, at: Moment, context: &StepContext<'_>) -> String {
        self.new_id(candidate.id, &candidate.bbox(), candidate.appeared(), at, context)
    }

    pub(super) fn new_id(
        &self,
        candidate: u32,
        bbox: &BBox,
        appeared: Moment,
        at: Moment,
        context: &StepContext<'_>,
    ) -> String {
        let birth = Birth {
            edge_id: &context.settings.edge_id,
            camera_id: &self.config.id,
            run: if appeared.is_vouched() { "" } else { &context.settings.run },
            first_seen_ms: appeared.wall_ms,
            noticed_ms: at.wall_ms,
            nth: candidate,
            bbox: *bbox,
        };
        birth.ulid()
    }

    /// Gives a candidate the id under which it will be reported, and its packets with it. Another candidate that has borrowed
    /// that id gets one of its own.
    pub(super) fn rename_candidate(
        &mut self,
        id: u32,
        incident_id: String,
        at: Moment,
        context: &mut StepContext<'_>,
    ) {
        if self.candidates.get(id).is_none_or(|c| c.incident_id == incident_id) {
            return;
        }
        let borrower = self.candidates.iter().find(|c| c.incident_id == incident_id);
        if let Some((other, own_id)) = borrower.map(|c| (c.id, self.own_id(c, at, context))) {
            self.rename_candidate(other, own_id, at, context);
        }
        let Some(candidate) = self.candidates.get_mut(id) else { return };
        let old = std::mem::replace(&mut candidate.incident_id, incident_id);
        candidate.id_is_borrowed = false;
        if candidate.is_pinned {
            pin(candidate, self.config.ix, context);
            context.effects.push(Effect::Unpin { incident_id: old });
        }
    }

    /// Gives back what was pinned for candidates that are explained and stay so.
    pub(super) fn unpin_explained(&mut self, context: &mut StepContext<'_>) {
        for candidate in self.candidates.iter_mut() {
            if candidate.dwell_s() >= UNPIN_EXPLAINED_S && candidate.is_explained() {
                unpin(candidate, context);
            }
        }
    }
}

/// Asks for the packets that show how the candidate came.
fn pin(candidate: &mut Candidate, camera: CameraIx, context: &mut StepContext<'_>) {
    let (from, to) = clip_span(candidate.appeared(), context.settings);
    candidate.is_pinned = true;
    let incident_id = candidate.incident_id.clone();
    context.effects.push(Effect::Pin { incident_id, camera, from, to });
}

/// Gives back what was pinned for a candidate.
pub(super) fn unpin(candidate: &mut Candidate, context: &mut StepContext<'_>) {
    if std::mem::take(&mut candidate.is_pinned) {
        context.effects.push(Effect::Unpin { incident_id: candidate.incident_id.clone() });
    }
}
