//! Recheck: after the centre says `disposed`, or by its command, the place of an incident is looked at again.
//!
//! The answer is `persisting` or `cleared` only after several frames of a camera that sees the place in the open. Everything
//! else is `unobservable`, with its reason (invariant 13). It closes no case: that is the centre's.

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::evidence::EvidenceRole;
use kerbside_domain::report::{Cause, Phase, Recheck, RecheckResult};
use kerbside_domain::time::{Moment, Mono};

use super::camera::CameraCore;
use super::candidate::Candidate;
use super::context::StepContext;
use super::effect::Effect;
use super::lifecycle::Incident;
use super::place::{Mover, covered_by};
use super::rechecks::{Hindrance, PendingRecheck, PlaceState};

impl CameraCore {
    /// Begins a recheck, or joins one that is under way.
    pub(super) fn begin_recheck(
        &mut self,
        id: &str,
        command: Option<String>,
        at: Moment,
        context: &mut StepContext<'_>,
    ) {
        if let Some(oldest) = self.rechecks.add(id, command, at) {
            self.answer(oldest, RecheckResult::Unobservable, "too_many_asked".to_owned(), at, context);
        }
    }

    /// Looks at the places of cases that are due by a clock that somebody vouches for, never before. When too many are being
    /// looked at, the rest wait for a later tick.
    pub(super) fn begin_due_rechecks(&mut self, now: Moment, context: &mut StepContext<'_>) {
        for id in self.incidents.due(now) {
            if !self.rechecks.has_room() {
                return;
            }
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.case.look_begins();
            }
            self.begin_recheck(&id, None, now, context);
        }
    }

    /// What the last run was to look at and did not.
    pub(super) fn resume_rechecks(&mut self, now: Mono) {
        let due = self.incidents.open_first().filter(|i| i.case.recheck_due);
        self.rechecks.resume(due.map(|i| i.id().to_owned()), now);
    }

    /// One frame of a camera that sees.
    pub(super) fn recheck_frame(&mut self, at: Moment, movers: &[Mover], context: &mut StepContext<'_>) {
        let mut unanswered = Vec::new();
        for mut pending in self.rechecks.take_all() {
            let state = match self.incidents.get(&pending.incident_id) {
                Some(incident) => self.place_state(incident, at, movers),
                None => PlaceState::Unknown(Hindrance::IncidentRetired),
            };
            pending.sample(at.mono, state);
            if pending.persists(at.mono) {
                self.answer(pending, RecheckResult::Persisting, "seen_there".to_owned(), at, context);
            } else if pending.is_free(at.mono) {
                self.answer(pending, RecheckResult::Cleared, "place_seen_free".to_owned(), at, context);
            } else {
                unanswered.push(pending);
            }
        }
        self.rechecks.put_back(unanswered);
    }

    /// A recheck that waited too long is answered: the place could not be seen, and why.
    pub(super) fn end_rechecks(&mut self, at: Moment, context: &mut StepContext<'_>) {
        for pending in self.rechecks.take_overdue(at.mono) {
            let why = match self.visibility.state() {
                CameraState::Watching => {
                    pending.hindrance.map_or("too_few_looks", Hindrance::as_str).to_owned()
                }
                CameraState::Blind(reason) => format!("camera_blind:{}", reason.as_str()),
                CameraState::Off(reason) => format!("camera_off:{}", reason.as_str()),
            };
            self.answer(pending, RecheckResult::Unobservable, why, at, context);
        }
    }

    fn place_state(&self, incident: &Incident, at: Moment, movers: &[Mover]) -> PlaceState {
        let is_there = |c: &&Candidate| {
            let is_object = c.parts.iter().any(|p| !p.is_bare_ground());
            let is_same = Some(c.id) == incident.candidate || incident.is_about(&c.bbox());
            is_object && is_same && c.is_present()
        };
        let there: Vec<_> = self.candidates.iter().filter(is_there).collect();
        if there.iter().any(|c| c.is_in_the_open()) {
            PlaceState::Occupied
        } else if !there.is_empty() || covered_by(&incident.bbox(), movers).is_some() {
            PlaceState::Unknown(Hindrance::Hidden)
        } else if self.sweep.sees(&incident.bbox(), at.mono) {
            PlaceState::Occupied
        } else if incident.observable {
            PlaceState::Free
        } else {
            PlaceState::Unknown(Hindrance::NotSeenSinceLearning)
        }
    }

    fn answer(
        &mut self,
        pending: PendingRecheck,
        result: RecheckResult,
        why: String,
        at: Moment,
        context: &mut StepContext<'_>,
    ) {
        let frames = pending.frames();
        let PendingRecheck { incident_id, commands, .. } = pending;
        let Some(incident) = self.incidents.get_mut(&incident_id) else {
            let unknown =
                |command_id| Effect::UnknownIncident { command_id, incident_id: incident_id.clone() };
            context.effects.extend(commands.into_iter().map(unknown));
            return;
        };
        context.counters.rechecks += 1;
        incident.case.recheck_due = false;
        incident.report.recheck = Some(Recheck { result, why, frames, commands });
        // A picture of a camera that does not see would prove nothing.
        if self.visibility.is_seeing() {
            let roles = [EvidenceRole::After];
            incident.report_with_evidence(at, Phase::Recheck, Cause::Recheck, &roles, context);
        } else {
            incident.report_revision(at, Phase::Recheck, Cause::Recheck, context);
        }
        incident.report.recheck = None;
        // The centre took it for handled, and it stands there: that is another case.
        let is_handled = result == RecheckResult::Persisting && incident.is_case_handled();
        if let Some(index) = self.incidents.index_of_open(&incident_id).filter(|_| is_handled) {
            self.succeed(index, Cause::Recheck, at, context);
        }
    }
}
