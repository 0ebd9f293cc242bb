//! The order in which one camera's frame is taken: what the camera's state is, what stands there, who is with it, what became
//! of incidents, what is new.

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Moment;

use super::attendance::is_shade_of;
use super::camera::CameraCore;
use super::candidate::Candidate;
use super::context::StepContext;
use super::effect::Effect;
use super::input::Observation;
use super::pin::unpin;
use super::place::{Mover, covered_by};
use super::refusal::Fate;
use super::refusing;
use crate::tracker::{Track, VacatedPlace, is_near};

impl CameraCore {
    /// The source said something about itself.
    pub(super) fn source_changed(&mut self, at: Moment, state: CameraState, context: &mut StepContext<'_>) {
        self.account(at.mono);
        let changed = self.visibility.source_changed(at.mono, state);
        self.announce(at, changed, context);
        if !self.visibility.is_seeing() {
            self.clock.source_stopped();
            self.sweep.background_lost();
            self.rechecks.forget_frames();
        }
    }

    /// One frame, with what the gate and perhaps the detectors saw in it.
    pub(super) fn frame(&mut self, frame: &Observation, context: &mut StepContext<'_>) {
        let at = frame.at;
        if !self.clock.accept(at.mono) {
            context.counters.frames_ignored += 1;
            return;
        }
        self.account(at.mono);
        let changed = self.visibility.frame(frame);
        self.announce(at, changed, context);
        if self.visibility.has_lost_background() {
            self.lose_places(context);
        }
        if self.visibility.is_seeing() {
            self.judge_frame(frame, context);
        } else {
            self.clock.blind_frame();
            self.rechecks.forget_frames();
        }
        self.update_watch_required(context);
    }

    fn judge_frame(&mut self, frame: &Observation, context: &mut StepContext<'_>) {
        let at = frame.at;
        let dt_s = self.clock.see(at.mono);
        if let Some(detections) = &frame.detections {
            self.tracker.step(at.mono, detections);
        }
        let movers = self.movers(frame);
        self.match_regions(frame, context);
        self.pass_time(dt_s, &movers);
        self.sample(frame, &movers);
        self.regroup(at, context);
        for candidate in self.candidates.iter_mut() {
            candidate.update_sight(at);
        }
        self.forget_gone(at, context);
        self.follow_incidents(at, dt_s, &movers, context);
        self.request_review(at, context);
        self.judge_candidates(at, context);
        self.sweep_frame(frame, &movers, context);
        self.recheck_frame(at, &movers, context);
    }

    /// People and vehicles that may stand in front of something: seen now, or known to stand there.
    fn movers(&self, frame: &Observation) -> Vec<Mover> {
        let seen = frame.detections.iter().flatten().map(|d| (d.group, d.bbox));
        let is_unseen = |t: &&Track| frame.detections.is_none() || t.last_seen < frame.at.mono;
        let standing = self.tracker.tracks().filter(is_unseen).filter(|t| t.still_since.is_some());
        let standing = standing.map(|t| (t.group, t.bbox));
        seen.chain(standing).filter_map(|(group, bbox)| Mover::new(group, bbox)).collect()
    }

    fn pass_time(&mut self, dt_s: f64, movers: &[Mover]) {
        for part in self.candidates.parts_mut() {
            part.covered_by = covered_by(&part.seen.bbox, movers);
            part.pass_time(dt_s);
        }
    }

    /// What only frames with detections tell: what covers a candidate, who is with it, what it is called.
    fn sample(&mut self, frame: &Observation, movers: &[Mover]) {
        let Some(detections) = &frame.detections else { return };
        let at = frame.at.mono;
        let dt_s = self.clock.detect(at);
        let vacated: Vec<&VacatedPlace> = self.tracker.vacated().collect();
        let tracks: Vec<&Track> = self.tracker.tracks().collect();
        for candidate in self.candidates.iter_mut() {
            for part in &mut candidate.parts {
                part.sample_cover(dt_s, movers);
                part.sample_vacated(&vacated, &tracks);
            }
            let bbox = candidate.bbox();
            let people = tracks.iter().filter(|t| t.group == Group::Person);
            // Also those missed in this very frame: a detector blinks, a vendor does not.
            let near = people.filter(|t| is_near(&t.bbox, &bbox));
            let (near, boxes): (Vec<u32>, Vec<BBox>) = near.map(|t| (t.id, t.bbox)).unzip();
            let brought_by = candidate.witness().map(|w| w.track);
            candidate.attendance.sample(at, dt_s, &near, brought_by);
            if is_shade_of(&boxes, &bbox) {
                candidate.attendance.sample_shade(dt_s);
            }
            candidate.sample_labels(dt_s, detections, frame.close_up.as_ref());
            if let Some(look) = &frame.witness {
                candidate.labels.words.sample(&bbox, look);
            }
        }
    }

    /// The background is unknown: nothing that was seen stands anywhere, and no open incident can be called gone.
    fn lose_places(&mut self, context: &mut StepContext<'_>) {
        if self.candidates.is_empty() && self.clock.seeing_since().is_none() {
            return;
        }
        context.counters.candidates_gone += self.candidates.len() as u64;
        for mut candidate in self.candidates.take_all() {
            unpin(&mut candidate, context);
            let fate = match self.incidents.on_candidate(candidate.id) {
                Some(incident) => Fate::Reported { incident_id: incident.id().to_owned() },
                None => Fate::LostSight,
            };
            refusing::end(&self.config, &mut candidate, fate, context);
        }
        self.tracker.reset();
        self.sweep.background_lost();
        self.clock.background_lost();
        self.incidents.lose_places();
    }

    /// A candidate, an open incident or a recheck requires that the camera is watched.
    fn update_watch_required(&mut self, context: &mut StepContext<'_>) {
        let requires = |c: &Candidate| (!c.is_sampled() || !c.is_explained()) && self.is_large_enough(c);
        let required = !self.rechecks.is_empty()
            || !self.incidents.open().is_empty()
            || self.candidates.iter().any(requires);
        if required != self.watch_required {
            self.watch_required = required;
            context.effects.push(Effect::WatchRequired { camera: self.config.ix, required });
        }
    }

    fn announce(&mut self, at: Moment, changed: Option<CameraState>, context: &mut StepContext<'_>) {
        if let Some(state) = changed {
            context.counters.camera_changes += 1;
            context.effects.push(Effect::CameraChanged { camera: self.config.ix, at, state });
        }
    }
}
