//! Matching: which static region of this frame is which part of which candidate, and which ones are new.

use kerbside_domain::detection::Group;
use kerbside_domain::time::Moment;

use super::camera::CameraCore;
use super::context::StepContext;
use super::input::Observation;
use super::part::{Part, PartSource, Sighting};
use super::place::{is_nested, is_same_place};
use super::review::arrival_span;
use super::tuning::bounds::MAX_CANDIDATES;
use super::tuning::candidate::{MAX_ARRIVAL_S, MAX_HEAD_START_S};
use crate::gate::{RegionKind, StaticRegion};
use crate::rules::{REGION_SHARE, share_inside};

impl CameraCore {
    /// Marks the parts that this frame shows, and starts new candidates.
    pub(super) fn match_regions(&mut self, frame: &Observation, context: &mut StepContext<'_>) {
        for part in self.candidates.parts_mut() {
            // An object that only its label shows stays as it was while there are no labels.
            let is_labelled = matches!(part.seen.source, PartSource::Track(_));
            part.present = part.present && is_labelled && frame.detections.is_none();
        }
        for sighting in self.sightings(frame) {
            match self.find_part(&sighting) {
                Some(part) => {
                    let appeared = part.seen.appeared;
                    part.seen = Sighting { appeared, ..sighting };
                    part.present = true;
                }
                None => self.start_candidate(sighting, frame.at, context),
            }
        }
        self.absorb_joined(context);
    }

    /// All that stands: the gate's regions by id, then still tracks of waste and stalls where no region is.
    fn sightings(&self, frame: &Observation) -> Vec<Sighting> {
        let mut all: Vec<Sighting> =
            frame.gate.regions.iter().map(|region| sighting_of(region, frame.at)).collect();
        all.sort_by_key(|s| match s.source {
            PartSource::Region(id) | PartSource::Track(id) => id,
        });
        if frame.detections.is_none() {
            return all;
        }
        let stands_for_itself = |group: Group| matches!(group, Group::Waste | Group::Stall);
        for track in self.tracker.visible().filter(|t| stands_for_itself(t.group)) {
            let is_known =
                all.iter().any(|s| is_same_place(&s.bbox, &track.bbox) || is_nested(&s.bbox, &track.bbox));
            let Some(since) = track.still_since.filter(|_| !is_known) else { continue };
            all.push(Sighting {
                source: PartSource::Track(track.id),
                bbox: track.bbox,
                area_norm: track.bbox.area(),
                appeared: frame.at.at(track.first_seen),
                still_since: frame.at.at(since),
                occluded: false,
                similarity: 1.0,
                removed: false,
            });
        }
        all
    }

    /// By its id if the place agrees too (ids start anew with a gate), else by place. Bare ground and an object that stands on
    /// it later are two.
    fn find_part(&mut self, sighting: &Sighting) -> Option<&mut Part> {
        let mut parts: Vec<&mut Part> = self.candidates.parts_mut().collect();
        let is_free = |p: &Part| !p.present || matches!(p.seen.source, PartSource::Track(_));
        let by_id = parts.iter().position(|p| {
            is_free(p) && p.seen.source == sighting.source && p.seen.bbox.intersection(&sighting.bbox) > 0.0
        });
        let index = by_id.or_else(|| {
            let is_here = |p: &Part| {
                is_free(p)
                    && p.seen.removed == sighting.removed
                    && is_same_place(&p.seen.bbox, &sighting.bbox)
            };
            let here = parts.iter().enumerate().filter(|(_, p)| is_here(p));
            let overlap = |p: &Part| p.seen.bbox.iou(&sighting.bbox);
            here.max_by(|a, b| overlap(a.1).total_cmp(&overlap(b.1))).map(|(index, _)| index)
        })?;
        Some(parts.swap_remove(index))
    }

    fn start_candidate(&mut self, sighting: Sighting, at: Moment, context: &mut StepContext<'_>) {
        let is_in_a_zone =
            self.config.zones.iter().any(|z| share_inside(&z.polygon_norm, &sighting.bbox) >= REGION_SHARE);
        if !is_in_a_zone {
            return;
        }
        if self.candidates.len() >= MAX_CANDIDATES {
            context.counters.candidates_refused += 1;
            return;
        }
        context.counters.candidates += 1;
        // It may have come to rest before it was reported, but not before the camera saw.
        let seen_since = self.clock.seeing_since().unwrap_or(at.mono).max(sighting.still_since.mono);
        let head_start_s = at.mono.since_s(seen_since).min(MAX_HEAD_START_S);
        let (from, to) = arrival_span(sighting.appeared.mono);
        let witness = self.tracker.witness(&sighting.bbox, from, to);
        let last_near = self.tracker.person_last_near(&sighting.bbox);
        let alone_since = last_near.map_or(seen_since, |near| near.max(seen_since));
        let alone_s = at.mono.since_s(alone_since).min(head_start_s);
        self.begin_candidate(Part::new(sighting, head_start_s, witness), alone_s, at, context);
    }
}

fn sighting_of(region: &StaticRegion, at: Moment) -> Sighting {
    Sighting {
        source: PartSource::Region(region.id),
        bbox: region.bbox,
        area_norm: region.area_norm,
        appeared: at.at(region.appeared.max(region.still_since.minus_s(MAX_ARRIVAL_S))),
        still_since: at.at(region.still_since),
        occluded: region.occluded,
        similarity: region.similarity,
        removed: region.kind == RegionKind::Removed,
    }
}
