//! The incidents of one camera. An id stands once; at most one open incident stands on a candidate; both lists are bounded.

use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;
use kerbside_domain::report::IncidentState;
use kerbside_domain::time::{Moment, Mono};

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

    /// Whether another open incident has taken the place of this one, whose case has ended.
    pub(super) fn has_successor(&self, index: usize) -> bool {
        let ended = self.open.get(index);
        ended.is_some_and(|e| self.open.iter().any(|i| i.report.previous.as_deref() == Some(e.id())))
    }

    pub(super) fn index_of_open(&self, id: &str) -> Option<usize> {
        self.open.iter().position(|i| i.id() == id)
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
        let may_reappear = |i: &&Incident| i.state == IncidentState::Cleared && !i.is_case_ended();
        self.past.iter().rev().filter(may_reappear).find(|i| i.may_return_at(bbox))
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
            i.state == IncidentState::Cleared && !i.is_case_ended() && i.is_repeated(kind, zone, bbox, now)
        })?;
        Some(self.past.remove(index))
    }

    /// The latest incident of the same kind that was here within its repeat interval, and whose case the centre has ended.
    pub(super) fn ended_before(&self, kind: Kind, zone: &str, bbox: &BBox, now: Mono) -> Option<&Incident> {
        let is_before = |i: &&Incident| {
            i.state != IncidentState::Withdrawn && i.is_case_ended() && i.is_repeated(kind, zone, bbox, now)
        };
        self.past.iter().rev().find(is_before)
    }

    /// The background is unknown: no open incident can be called gone.
    pub(super) fn lose_places(&mut self) {
        for incident in self.open.iter_mut().chain(&mut self.past) {
            incident.lose_place();
        }
    }

    /// Closed incidents are remembered for their repeat interval and for late evidence, and until somebody vouches for their
    /// dates. Once its case has ended, what cannot be seen any more is followed no longer, and remembered in the same way: the
    /// centre shall hear what comes after it.
    pub(super) fn retire(&mut self, now: Moment) {
        let lost: Vec<Incident> = self.open.extract_if(.., |i| !i.observable && i.is_case_ended()).collect();
        for mut incident in lost {
            incident.closed.get_or_insert(now);
            self.push_past(incident);
        }
        let remembered_s = |i: &Incident| i.repeat_s.max(LATE_S);
        self.past.retain(|i| {
            i.closed.is_some_and(|c| now.mono.since_s(c.mono) <= remembered_s(i)) || Incidents::is_undated(i)
        });
    }
}
