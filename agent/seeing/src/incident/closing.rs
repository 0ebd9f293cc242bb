//! What becomes of open incidents: followed, cleared, withdrawn.

use kerbside_domain::evidence::EvidenceRole;
use kerbside_domain::report::{Cause, IncidentState, Phase};
use kerbside_domain::time::Moment;

use super::camera::{CameraCore, attendants_of};
use super::context::StepContext;
use super::pin::unpin;
use super::place::Mover;

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
        while let Some(incident) = self.incidents.open_mut().get_mut(index) {
            let candidate = incident.candidate.and_then(|id| self.candidates.get(id));
            let candidate = candidate.filter(|c| c.is_present());
            let attendants = candidate.map(|c| attendants_of(&self.tracker, c)).unwrap_or_default();
            let seen = candidate.map(|c| (c, attendants.as_slice()));
            match incident.follow(seen, at, dt_s, movers, context) {
                IncidentState::Open => index += 1,
                state => self.close(index, state, at, context),
            }
        }
    }

    fn close(&mut self, index: usize, state: IncidentState, at: Moment, context: &mut StepContext<'_>) {
        let mut incident = self.incidents.take_open(index);
        incident.state = state;
        incident.closed = Some(at);
        let candidate = incident.candidate.take();
        if state == IncidentState::Cleared {
            self.incidents.count_cleared();
            if let Some(mut candidate) = candidate.and_then(|id| self.candidates.remove(id)) {
                // One that an incident of an earlier background was found to stand on has packets of its own.
                unpin(&mut candidate, context);
            }
            let roles = [EvidenceRole::After];
            incident.report_with_evidence(at, Phase::Cleared, Cause::Cleared, &roles, context);
        } else {
            incident.report_revision(at, Phase::Withdrawn, Cause::VehicleOrPerson, context);
            // What stands there may still become an incident, but another one.
            if let Some(candidate) = candidate.and_then(|id| self.candidates.get(id)) {
                let (id, own_id) = (candidate.id, self.own_id(candidate, at, context));
                self.rename_candidate(id, own_id, at, context);
            }
        }
        self.incidents.push_past(incident);
    }
}
