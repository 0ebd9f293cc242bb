//! Grouping: which parts belong to one candidate, which candidates are gone, and on which one an incident stands.

use kerbside_domain::frame::BBox;
use kerbside_domain::time::Moment;

use super::camera::CameraCore;
use super::candidate::Candidate;
use super::context::StepContext;
use super::part::Part;
use super::pin::unpin;
use super::place::{are_neighbours, lies_in};
use super::refusal::Fate;
use super::refusing;
use super::tuning::bounds::MAX_PARTS;
use super::tuning::candidate::{EXPLAINED_SHARE, FORGET_GONE_S, FORGET_HIDDEN_S, REMOVAL_SURE_S};

impl CameraCore {
    /// Regions that the gate has joined: the smaller one is not gone, it is inside the larger, which nothing explains.
    pub(super) fn absorb_joined(&mut self, context: &mut StepContext<'_>) {
        let unexplained = self.candidates.iter().filter(|c| c.is_unexplained());
        let present: Vec<(u32, BBox)> = unexplained
            .flat_map(|c| c.parts.iter().filter(|p| p.present).map(|p| (c.id, p.seen.bbox)))
            .collect();
        let mut joined: Vec<(u32, u32)> = Vec::new();
        for candidate in self.candidates.iter_mut() {
            let id = candidate.id;
            candidate.parts.retain(|part| {
                let larger =
                    present.iter().filter(|_| !part.present).find(|p| lies_in(&part.seen.bbox, &p.1));
                joined.extend(larger.map(|p| (id, p.0)).filter(|(from, into)| from != into));
                larger.is_none()
            });
        }
        for (from, into) in joined {
            self.hand_over(from, into);
        }
        self.drop_empty(&Fate::Joined, context);
    }

    /// The incident of a candidate whose parts have all been joined to another stands on that one, if it is free.
    fn hand_over(&mut self, from: u32, into: u32) {
        let is_emptied = self.candidates.get(from).is_some_and(|c| c.parts.is_empty());
        let is_taken = self.incidents.stand_on(into);
        if let Some(incident) = self.incidents.on_candidate_mut(from).filter(|_| is_emptied) {
            incident.candidate = (!is_taken).then_some(into);
        }
    }

    /// Neighbours that nothing explains are one object; a part that is explained after all leaves it.
    pub(super) fn regroup(&mut self, at: Moment, context: &mut StepContext<'_>) {
        for part in self.take_explained_parts() {
            self.begin_candidate(part, 0.0, at, context);
        }
        while let Some((into, from)) = self.find_mergeable() {
            self.merge(into, from, context);
        }
    }

    fn take_explained_parts(&mut self) -> Vec<Part> {
        let mut leaving = Vec::new();
        for candidate in self.candidates.iter_mut() {
            while candidate.parts.len() > 1 {
                let explained = candidate.parts.iter().position(|p| p.explanation(EXPLAINED_SHARE).is_some());
                let Some(index) = explained else { break };
                leaving.push(candidate.parts.remove(index));
            }
        }
        leaving
    }

    /// Two candidates to be one, the older first. Two with an incident each stay two.
    fn find_mergeable(&self) -> Option<(u32, u32)> {
        let is_loose = |c: &&Candidate| {
            c.is_sampled()
                && c.is_present()
                && c.parts.iter().all(|p| p.explanation(EXPLAINED_SHARE).is_none())
        };
        let fit = |a: &Candidate, b: &Candidate| {
            a.parts.len() + b.parts.len() <= MAX_PARTS
                && are_neighbours(&a.bbox(), &b.bbox())
                && !(self.incidents.stand_on(a.id) && self.incidents.stand_on(b.id))
        };
        let all = self.candidates.as_slice();
        all.iter().enumerate().filter(|(_, c)| is_loose(c)).find_map(|(index, younger)| {
            let older = all[..index].iter().filter(is_loose).find(|older| fit(older, younger))?;
            Some((older.id, younger.id))
        })
    }

    fn merge(&mut self, into: u32, from: u32, context: &mut StepContext<'_>) {
        let any_taken = self.incidents.stand_on(into) || self.incidents.stand_on(from);
        let Some(mut merged) = self.candidates.remove(from) else { return };
        let Some(kept) = self.candidates.get_mut(into) else { return };
        if !any_taken && merged.area_norm() > kept.area_norm() {
            // The larger one gives name, packets and attendance.
            std::mem::swap(&mut merged, kept);
        }
        if let Some(incident) = self.incidents.on_candidate_mut(merged.id) {
            // The one that has been reported keeps its id.
            unpin(kept, context);
            kept.incident_id = std::mem::take(&mut merged.incident_id);
            kept.is_pinned = merged.is_pinned;
            incident.candidate = Some(kept.id);
        } else {
            unpin(&mut merged, context);
        }
        kept.warned = kept.warned.take().or(merged.warned.take());
        refusing::end(&self.config, &mut merged, Fate::Joined, context);
        kept.parts.append(&mut merged.parts);
    }

    /// Forgets candidates that went away, and parts of an incident that did while others stand.
    pub(super) fn forget_gone(&mut self, at: Moment, context: &mut StepContext<'_>) {
        self.settle_gone(at, context);
        for candidate in self.candidates.iter_mut() {
            let incident = self.incidents.on_candidate(candidate.id);
            let warned = candidate.warned.as_ref().map(|warned| warned.opening.clear_after_s);
            let clear_after_s = incident.map(|i| i.clear_after_s).or(warned);
            let gone_s = clear_after_s.map_or(FORGET_GONE_S, |s| s.max(FORGET_GONE_S));
            let hidden_s =
                if incident.is_some() { f64::INFINITY } else { FORGET_HIDDEN_S + warned.unwrap_or(0.0) };
            let is_gone = |p: &Part| p.gone_s >= gone_s || p.absent_s >= hidden_s;
            let some_stand = candidate.parts.iter().any(|p| !is_gone(p));
            // The last parts of an incident stay: whether it is cleared is decided with it.
            if some_stand || incident.is_none() {
                candidate.parts.retain(|p| !is_gone(p));
            }
        }
        self.unpin_explained(context);
        self.drop_empty(&Fate::Gone, context);
    }

    fn drop_empty(&mut self, fate: &Fate, context: &mut StepContext<'_>) {
        for mut candidate in self.candidates.take_empty() {
            context.counters.candidates_gone += 1;
            refusing::end(&self.config, &mut candidate, fate.clone(), context);
            unpin(&mut candidate, context);
        }
    }

    /// Open incidents that lost their candidate (restart, background lost) stand where something stands again.
    pub(super) fn attach_orphans(&mut self) {
        for index in 0..self.incidents.open().len() {
            let incident = &self.incidents.open()[index];
            // What stands there after its case has ended is another incident.
            if incident.candidate.is_some() || incident.is_case_ended() {
                continue;
            }
            let is_free =
                |c: &&Candidate| !self.incidents.stand_on(c.id) && c.is_in_the_open() && c.is_unexplained();
            let candidates = self.candidates.iter().filter(is_free);
            let found = candidates.filter(|c| incident.is_about(&c.bbox())).map(|c| c.id).next();
            // The new background held the object, and now its place has changed: it can be judged again.
            let is_uncovered = |p: &Part| p.present && p.seen.removed && p.dwell_s >= REMOVAL_SURE_S;
            let mut uncovered = self.candidates.iter().filter(|c| c.parts.iter().any(is_uncovered));
            let place_is_uncovered = uncovered.any(|c| incident.is_about(&c.bbox()));
            if let Some(incident) = self.incidents.open_mut().get_mut(index) {
                incident.candidate = found;
                incident.observable = incident.observable || place_is_uncovered;
            }
        }
    }
}
