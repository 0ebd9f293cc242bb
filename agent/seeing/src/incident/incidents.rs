//! The incidents of one camera. An id stands once; at most one open incident stands on a candidate; both lists are bounded.

use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;
use kerbside_domain::patrol::PatrolIncident;
use kerbside_domain::report::IncidentState;
use kerbside_domain::time::{Moment, Mono};

use super::lifecycle::Incident;
use super::tuning::bounds::{MAX_NOTED, MAX_OPEN, MAX_PAST};
use super::tuning::lifecycle::LATE_S;

/// Open incidents, and those that closed and may reappear.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    open: Vec<Incident>,
    past: Vec<Incident>,
    /// Cleared in the running patrol period, each once.
    cleared: Vec<PatrolIncident>,
    /// More of them than are listed.
    cleared_more: u32,
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

    /// Whether an open incident is about a place, or about a larger thing in which it lies.
    pub(super) fn any_open_around(&self, bbox: &BBox) -> bool {
        self.open.iter().any(|i| i.may_return_at(bbox))
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

    /// It cleared: for the patrol report.
    pub(super) fn note_cleared(&mut self, incident: &Incident) {
        self.cleared.retain(|noted| noted.id != incident.id());
        if self.cleared.len() < MAX_NOTED {
            self.cleared.push(incident.patrolled());
        } else {
            self.cleared_more += 1;
        }
    }

    /// What cleared by itself in the running period, and how many more than are listed. Not what stands there again, nor what
    /// somebody was sent to, also when that was said after it cleared.
    pub(super) fn cleared_by_themselves(&self) -> (Vec<PatrolIncident>, u32) {
        let by_itself = |noted: &&PatrolIncident| {
            let is_gone = |i: &Incident| matches!(i.state, IncidentState::Cleared | IncidentState::Settled);
            self.get(&noted.id).is_none_or(|i| is_gone(i) && !i.case.officer_sent)
        };
        (self.cleared.iter().filter(by_itself).cloned().collect(), self.cleared_more)
    }

    /// A new patrol period begins.
    pub(super) fn begin_period(&mut self) {
        self.cleared.clear();
        self.cleared_more = 0;
    }

    /// The latest incident that was cleared at a place and may reappear there.
    pub(super) fn last_cleared_at(&self, bbox: &BBox) -> Option<&Incident> {
        self.past.iter().rev().filter(|i| i.may_reappear()).find(|i| i.may_return_at(bbox))
    }

    /// Takes the incident of the same kind that was cleared here within its repeat interval.
    pub(super) fn take_repeated(
        &mut self,
        kind: Kind,
        zone: &str,
        bbox: &BBox,
        now: Mono,
    ) -> Option<Incident> {
        self.take_cleared(|i| i.is_repeated(kind, zone, bbox, now))
    }

    /// Takes the first cleared incident, its case not ended, of which this is true.
    pub(super) fn take_cleared(&mut self, is_same: impl Fn(&Incident) -> bool) -> Option<Incident> {
        let index = self.past.iter().position(|i| i.may_reappear() && is_same(i))?;
        Some(self.past.remove(index))
    }

    /// The latest incident of the same kind that was here within its repeat interval, and whose case the centre has ended.
    pub(super) fn ended_before(&self, kind: Kind, zone: &str, bbox: &BBox, now: Mono) -> Option<&Incident> {
        let is_before = |i: &&Incident| {
            i.state != IncidentState::Withdrawn && i.is_case_ended() && i.is_repeated(kind, zone, bbox, now)
        };
        self.past.iter().rev().find(is_before)
    }

    /// The cases that are due by a clock that somebody vouches for, never before; open ones first.
    pub(super) fn due(&self, now: Moment) -> Vec<String> {
        let is_due = |i: &&Incident| {
            let is_now = i.case.look_due_ms().is_some_and(|due| due <= now.wall_ms);
            now.is_vouched() && i.state != IncidentState::Withdrawn && is_now
        };
        self.open_first().filter(is_due).map(|i| i.id().to_owned()).collect()
    }

    /// The background is unknown: no open incident can be called gone.
    pub(super) fn lose_places(&mut self) {
        for incident in self.open.iter_mut().chain(&mut self.past) {
            incident.lose_place();
        }
    }

    /// Closed incidents are remembered for their repeat interval and for late evidence, and until somebody vouches for their
    /// dates. Once its case has ended, what cannot be seen any more is followed no longer, and remembered in the same way: the
    /// centre shall hear what comes after it. What stands on a sensor's word ends by it alone. What cleared is remembered until its case is due, so that the centre gets its
    /// answer then.
    pub(super) fn retire(&mut self, now: Moment) {
        let is_lost = |i: &Incident| !i.observable && i.is_case_ended() && i.report.sensor.is_none();
        let lost: Vec<Incident> = self.open.extract_if(.., |i| is_lost(i)).collect();
        for mut incident in lost {
            incident.closed.get_or_insert(now);
            self.push_past(incident);
        }
        let remembered_s = |i: &Incident| i.repeat_s.max(LATE_S);
        self.past.retain(|i| {
            let is_recent = i.closed.is_some_and(|c| now.mono.since_s(c.mono) <= remembered_s(i));
            let is_cleared = i.state == IncidentState::Cleared;
            let is_awaited = is_cleared && (i.case.recheck_due || i.case.look_due_ms().is_some());
            is_recent || is_awaited || Incidents::is_undated(i)
        });
    }
}
