//! The incidents of one camera. An id stands once; at most one open incident stands on a candidate; both lists are bounded.

use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;
use kerbside_domain::report::IncidentState;
use kerbside_domain::time::Mono;

use super::lifecycle::Incident;
use super::tuning::bounds::{MAX_OPEN, MAX_PAST};
use super::tuning::lifecycle::LATE_S;

/// Open incidents, and those that closed and may reappear.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    open: Vec<Incident>,
    past: Vec<Incident>,
    /// Cleared since the last patrol report.
    cleared: u32,
}

impl Incidents {
    pub(super) fn open(&self) -> &[Incident] {
        &self.open
    }

    pub(super) fn open_mut(&mut self) -> &mut [Incident] {
        &mut self.open
    }

    /// Closed ones before open ones, each oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Incident> {
        self.past.iter().chain(&self.open)
    }

    /// The same, to be changed.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Incident> {
        self.past.iter_mut().chain(&mut self.open)
    }

    /// Open ones before closed ones.
    pub(super) fn open_first(&self) -> impl Iterator<Item = &Incident> {
        self.open.iter().chain(&self.past)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Incident> {
        self.open_first().find(|i| i.id() == id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Incident> {
        self.open.iter_mut().chain(&mut self.past).find(|i| i.id() == id)
    }

    /// The open incident that stands on a candidate.
    pub(super) fn on_candidate(&self, candidate: u32) -> Option<&Incident> {
        self.open.iter().find(|i| i.candidate == Some(candidate))
    }

    pub(super) fn on_candidate_mut(&mut self, candidate: u32) -> Option<&mut Incident> {
        self.open.iter_mut().find(|i| i.candidate == Some(candidate))
    }

    /// Whether an open incident stands on a candidate.
    pub(super) fn stand_on(&self, candidate: u32) -> bool {
        self.on_candidate(candidate).is_some()
    }

    /// Whether an open incident is about a place.
    pub(super) fn any_open_about(&self, bbox: &BBox) -> bool {
        self.open.iter().any(|i| i.is_about(bbox))
    }

    pub(super) fn has_room(&self) -> bool {
        self.open.len() < MAX_OPEN
    }

    /// False: there is no room.
    pub(super) fn push_open(&mut self, incident: Incident) -> bool {
        let has_room = self.has_room();
        if has_room {
            self.open.push(incident);
        }
        has_room
    }

    /// Takes an open incident out, to be closed. It must come back by [`Incidents::push_past`].
    pub(super) fn take_open(&mut self, index: usize) -> Incident {
        self.open.remove(index)
    }

    /// Remembers a closed incident; the oldest gives way.
    pub(super) fn push_past(&mut self, incident: Incident) {
        if self.past.len() == MAX_PAST {
            self.past.remove(0);
        }
        self.past.push(incident);
    }

    /// One more that nobody closed: for the patrol report.
    pub(super) fn count_cleared(&mut self) {
        self.cleared += 1;
    }

    /// How many cleared since the last call.
    pub(super) fn take_cleared(&mut self) -> u32 {
        std::mem::take(&mut self.cleared)
    }

    /// The latest incident that was cleared at a place and may reappear there.
    pub(super) fn last_cleared_at(&self, bbox: &BBox) -> Option<&Incident> {
        self.past.iter().rev().find(|i| i.state == IncidentState::Cleared && i.is_about(bbox))
    }

    /// Takes the incident of the same kind that was cleared here within its repeat interval.
    pub(super) fn take_repeated(
        &mut self,
        kind: Kind,
        zone: &str,
        bbox: &BBox,
        now: Mono,
    ) -> Option<Incident> {
        let index = self.past.iter().position(|i| {
            i.state == IncidentState::Cleared
                && i.report.kind == kind
                && i.report.zone == zone
                && i.is_about(bbox)
                && i.closed.is_some_and(|closed| now.since_s(closed.mono) <= i.repeat_s)
        })?;
        Some(self.past.remove(index))
    }

    /// The background is unknown: no open incident can be called gone.
    pub(super) fn lose_places(&mut self) {
        for incident in self.open.iter_mut().chain(&mut self.past) {
            incident.lose_place();
        }
    }

    /// Closed incidents are remembered for their repeat interval and for late evidence, and until somebody vouches for their dates; what cannot be seen any more, until
    /// the centre ends its case.
    pub(super) fn retire(&mut self, now: Mono) {
        let remembered_s = |i: &Incident| i.repeat_s.max(LATE_S);
        self.past.retain(|i| {
            i.closed.is_some_and(|c| now.since_s(c.mono) <= remembered_s(i)) || Incidents::is_undated(i)
        });
        self.open.retain(|i| i.observable || !i.is_case_ended());
    }
}
