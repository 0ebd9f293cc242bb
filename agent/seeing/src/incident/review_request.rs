//! When a review is requested: something stands there that nobody was seen to bring. And what its answer changes.

use kerbside_domain::kind::Act;
use kerbside_domain::report::{Cause, Phase};
use kerbside_domain::time::Moment;

use super::camera::{CameraCore, attendants_of};
use super::candidate::Candidate;
use super::context::StepContext;
use super::effect::Effect;
use super::review::{ReviewAnswer, ReviewRequest, ReviewState, arrival_span};
use super::tuning::arrival::REVIEW_AFTER_S;

/// Track numbers of reviews lie beyond those of the living: the same number must not mean two tracks.
const REVIEWED_TRACK: u32 = 1 << 31;

impl CameraCore {
    /// At most one request a frame, about candidates that may become incidents.
    pub(super) fn request_review(&mut self, at: Moment, context: &mut StepContext<'_>) {
        let next = self.candidates.iter().find(|c| self.needs_review(c, at)).map(|c| c.id);
        let Some(candidate) = next.and_then(|id| self.candidates.get_mut(id)) else { return };
        candidate.review = ReviewState::Requested;
        context.counters.reviews += 1;
        let request =
            ReviewRequest::new(self.config.ix, candidate.id, candidate.bbox(), candidate.appeared());
        context.effects.push(Effect::Review(request));
    }

    fn needs_review(&self, candidate: &Candidate, at: Moment) -> bool {
        let appeared = candidate.appeared().mono;
        // What appeared while the background was learnt was brought by nobody.
        let was_watched = self.clock.seeing_since().is_some_and(|since| since < arrival_span(appeared).0);
        candidate.review == ReviewState::NotRequested
            && candidate.witness().is_none()
            && was_watched
            && at.mono >= appeared.plus_s(REVIEW_AFTER_S)
            && candidate.is_unexplained()
            && self.is_large_enough(candidate)
    }

    /// The answer: what was found after the act may turn out to have been left by somebody who was seen.
    pub(super) fn reviewed(&mut self, answer: ReviewAnswer, at: Moment, context: &mut StepContext<'_>) {
        let Some(candidate) = self.candidates.get_mut(answer.candidate) else { return };
        candidate.review = ReviewState::of(&answer);
        let Some(mut witness) = answer.witness else { return };
        witness.track |= REVIEWED_TRACK;
        for part in candidate.parts.iter_mut().filter(|p| p.witness.is_none()) {
            part.witness = Some(witness.clone());
        }
        let Some(incident) = self.incidents.on_candidate_mut(candidate.id) else { return };
        if incident.report.act == Some(Act::FoundAfter) {
            incident.report.act = Some(Act::InProgress);
            let attendants = attendants_of(&self.tracker, candidate);
            incident.refresh(at, candidate, &attendants, context.settings);
            incident.report_revision(at, Phase::Updated, Cause::Review, context);
        }
    }
}
