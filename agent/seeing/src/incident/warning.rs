//! Serve first, then manage: a rule may warn at the place before it opens a case. What goes away after the warning is reported once,
//! as settled; what stays longer than the rule waits becomes an incident.

use kerbside_domain::evidence::EvidenceRole;
use kerbside_domain::report::{Cause, IncidentState, Phase};
use kerbside_domain::time::Moment;

use super::camera::CameraCore;
use super::candidate::Candidate;
use super::context::StepContext;
use super::effect::Effect;
use super::opening_terms::Opening;
use super::reasons;
use super::refusal::Fate;
use super::refusing;
use super::tuning::candidate::FORGET_GONE_S;
use super::warned::{Warned, Warning};

impl CameraCore {
    /// Warns of a candidate, once.
    pub(super) fn warn(&mut self, id: u32, opening: Opening, at: Moment, context: &mut StepContext<'_>) {
        let rule = context.settings.rule(self.config.ix, &opening.zone, &opening.rule);
        let Some(by) = rule.and_then(|(_, rule)| rule.warn.as_ref()).map(|warn| warn.by.clone()) else {
            return;
        };
        let Some(candidate) = self.candidates.get_mut(id) else { return };
        let (incident_id, camera) = (candidate.incident_id.clone(), self.config.ix);
        let (told_as, dwell_s) = (incident_id.clone(), candidate.dwell_s());
        candidate.warned = Some(Warned { at, dwell_s, spoken: None, told_as, opening });
        context.counters.warned += 1;
        context.effects.push(Effect::Warn(Warning { incident_id, camera, at, by }));
    }

    /// An output answered by the id that it was told. The case may be open by now, also as another incident.
    pub(super) fn warning_answered(&mut self, told_as: &str, spoken: bool, context: &mut StepContext<'_>) {
        let mut current = None;
        for candidate in self.candidates.iter_mut() {
            if let Some(warned) = candidate.warned.as_mut().filter(|warned| warned.told_as == told_as) {
                (warned.spoken, current) = (Some(spoken), Some(candidate.incident_id.clone()));
            }
        }
        for warned in self.sweep.warned_mut().filter(|warned| warned.told_as == told_as) {
            (warned.spoken, current) = (Some(spoken), Some(told_as.to_owned()));
        }
        if current.is_none() {
            // What came back may have been warned of by the id of what was there before: the latest is meant.
            let warned = self.incidents.all_mut().filter(|i| i.warned_as.as_deref() == Some(told_as));
            if let Some(incident) = warned.last() {
                reasons::set_spoken(&mut incident.report.reasons, Some(spoken));
                current = Some(incident.id().to_owned());
            }
        }
        let incident_id = current.unwrap_or_else(|| told_as.to_owned());
        context.effects.push(Effect::WarningAnswered { incident_id, spoken });
    }

    /// Reports what was warned and went away: all of it was seen to be gone for the rule's time.
    pub(super) fn settle_gone(&mut self, at: Moment, context: &mut StepContext<'_>) {
        let is_gone = |candidate: &Candidate| {
            let warned = candidate.warned.as_ref()?;
            let gone_s = warned.opening.clear_after_s.max(FORGET_GONE_S);
            candidate.parts.iter().all(|part| part.gone_s >= gone_s).then_some(candidate.id)
        };
        let free = self.candidates.iter().filter(|c| !self.incidents.stand_on(c.id));
        let gone: Vec<u32> = free.filter_map(is_gone).collect();
        for id in gone {
            self.settle(id, at, context);
        }
    }

    fn settle(&mut self, id: u32, at: Moment, context: &mut StepContext<'_>) {
        let Some(candidate) = self.candidates.get(id) else { return };
        let Some(warned) = candidate.warned.clone() else { return };
        let mut incident = self.first_revision(candidate, &warned.opening, at, context);
        self.rename_candidate(id, incident.id().to_owned(), at, context);
        // The `Save` uses what was pinned.
        let Some(mut candidate) = self.candidates.remove(id) else { return };
        incident.open_on(&candidate, at);
        reasons::set_warned(&mut incident.report.reasons, warned.dwell_s, warned.spoken);
        incident.warned_as = Some(warned.told_as);
        incident.refresh(warned.at, &candidate, &[], context.settings);
        let gone_s = candidate.parts.iter().map(|part| part.gone_s).fold(f64::INFINITY, f64::min);
        incident.report.last_seen = at.minus_s(gone_s);
        incident.candidate = None;
        incident.end(IncidentState::Settled, at);
        context.counters.settled += 1;
        let roles = [EvidenceRole::Before, EvidenceRole::After];
        incident.report_with_evidence(at, Phase::Settled, Cause::Gone, &roles, context);
        let fate = Fate::Reported { incident_id: incident.id().to_owned() };
        refusing::end(&self.config, &mut candidate, fate, context);
        self.incidents.note_cleared(&incident);
        self.incidents.push_past(incident);
    }
}
