//! What becomes of open incidents: followed, cleared, withdrawn.
//!
//! The centre may end a case while the thing still stands there. The incident stays open, because it does stand there, and is
//! never continued: what is added to it, or still there when the place is looked at again after the case was handled, is a new
//! incident, its *successor*, which stands on the candidate from then on. Both end when all of it is gone.

use kerbside_domain::evidence::EvidenceRole;
use kerbside_domain::report::{Cause, IncidentState, Phase, Report};
use kerbside_domain::time::Moment;

use super::camera::{CameraCore, attendants_of};
use super::context::StepContext;
use super::lifecycle::{Followed, Incident};
use super::opening::report_opening;
use super::pin::unpin;
use super::place::Mover;
use super::refusal::Fate;
use super::refusing;

impl CameraCore {
    /// Open incidents: seen, grown, gone, or no incident after all.
    pub(super) fn follow_incidents(
        &mut self,
        at: Moment,
        dt_s: f64,
        movers: &[Mover],
        context: &mut StepContext<'_>,
    ) {
        self.attach_orphans();
        let mut index = 0;
        while index < self.incidents.open().len() {
            if self.incidents.has_successor(index) {
                index += 1;
                continue;
            }
            let Some(incident) = self.incidents.open_mut().get_mut(index) else { break };
            let candidate = incident.candidate.and_then(|id| self.candidates.get(id));
            let candidate = candidate.filter(|c| c.is_present());
            let attendants = candidate.map(|c| attendants_of(&self.tracker, c)).unwrap_or_default();
            let seen = candidate.map(|c| (c, attendants.as_slice()));
            match incident.follow(seen, at, dt_s, movers, context) {
                Followed::Ended(state) => {
                    index = self.close(index, state, at, context);
                    continue;
                }
                Followed::Grew if incident.is_case_ended() => self.succeed(index, Cause::Grew, at, context),
                Followed::Grew => incident.report_revision(at, Phase::Updated, Cause::Grew, context),
                Followed::Stands => {}
            }
            index += 1;
        }
    }

    /// A new incident takes the place of one whose case has ended while the thing still stands there.
    pub(super) fn succeed(&mut self, index: usize, cause: Cause, at: Moment, context: &mut StepContext<'_>) {
        if !self.incidents.has_room() || self.incidents.has_successor(index) {
            return;
        }
        let Some(ended) = self.incidents.open().get(index) else { return };
        let standing = ended.candidate.and_then(|id| self.candidates.get(id)).filter(|c| c.is_present());
        let Some(candidate) = standing else { return };
        let report = Report {
            incident_id: self.own_id(candidate, at, context),
            revision: 0, // The first report makes it 1.
            first_seen: at.dating(candidate.appeared()),
            bbox: candidate.bbox(),
            previous: Some(ended.id().to_owned()),
            recheck: None,
            ..ended.report.clone()
        };
        let mut successor = Incident::new(report, at.mono, ended.clear_after_s, ended.repeat_s);
        successor.open_on(candidate, at);
        let attendants = attendants_of(&self.tracker, candidate);
        successor.refresh(at, candidate, &attendants, context.settings);
        let candidate = candidate.id;
        if let Some(candidate) = self.candidates.get_mut(candidate) {
            unpin(candidate, context);
        }
        self.rename_candidate(candidate, successor.id().to_owned(), at, context);
        if let Some(ended) = self.incidents.open_mut().get_mut(index) {
            ended.candidate = None;
        }
        // Nobody can show its coming any more.
        let roles = [EvidenceRole::Trigger, EvidenceRole::Annotated];
        report_opening(&mut successor, cause, &roles, at, context);
        self.incidents.push_open(successor);
    }

    /// Closes an open incident, and those before it with it. Returns the index that the next one has then.
    fn close(
        &mut self,
        index: usize,
        state: IncidentState,
        at: Moment,
        context: &mut StepContext<'_>,
    ) -> usize {
        let mut incident = self.incidents.take_open(index);
        incident.end(state, at);
        let candidate = incident.candidate.take();
        if state == IncidentState::Cleared {
            self.incidents.note_cleared(&incident);
            self.sweep.forget_place(&incident.bbox());
            if let Some(mut candidate) = candidate.and_then(|id| self.candidates.remove(id)) {
                let fate = Fate::Reported { incident_id: incident.id().to_owned() };
                refusing::end(&self.config, &mut candidate, fate, context);
                // One that an incident of an earlier background was found to stand on has packets of its own.
                unpin(&mut candidate, context);
            }
            let roles = [EvidenceRole::After];
            incident.report_with_evidence(at, Phase::Cleared, Cause::Gone, &roles, context);
        } else {
            incident.report_revision(at, Phase::Withdrawn, Cause::VehicleOrPerson, context);
            // What stands there may still become an incident, but another one.
            if let Some(candidate) = candidate.and_then(|id| self.candidates.get(id)) {
                let (id, own_id) = (candidate.id, self.own_id(candidate, at, context));
                self.rename_candidate(id, own_id, at, context);
            }
        }
        let previous = incident.report.previous.clone();
        self.incidents.push_past(incident);
        self.close_predecessors(previous, state, index, at, context)
    }

    /// Those that stood here until their cases ended end with their successor. Returns the index of the incident that had `next`.
    fn close_predecessors(
        &mut self,
        mut previous: Option<String>,
        state: IncidentState,
        mut next: usize,
        at: Moment,
        context: &mut StepContext<'_>,
    ) -> usize {
        while let Some(index) = previous.and_then(|id| self.incidents.index_of_open(&id)) {
            let mut incident = self.incidents.take_open(index);
            next -= usize::from(index < next);
            incident.end(state, at);
            let (phase, cause) = match state {
                IncidentState::Withdrawn => (Phase::Withdrawn, Cause::VehicleOrPerson),
                _ => (Phase::Cleared, Cause::Gone),
            };
            incident.report_revision(at, phase, cause, context);
            previous = incident.report.previous.clone();
            self.incidents.push_past(incident);
        }
        next
    }
}
