//! Finding again: which static region of this look is which part of which spot, which ones are new, and which spots
//! belong together.

use crate::gate::{RegionKind, StaticRegion};
use crate::rules::{REGION_SHARE, share_inside};
use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Moment;

use super::camera::{CameraCore, is_about};
use super::keeping::release;
use super::life::StepContext;
use super::spot::{EXPLAINED_SHARE, MIN_ASKED, Part, Source, Spot, Standing, holds, neighbours, same_place};
use super::{Observation, arrival};

/// Candidates and incidents' spots of one camera at most; further regions are counted and not watched.
pub const MAX_SPOTS: usize = 64;
/// Parts of one spot at most.
const MAX_PARTS: usize = 24;
/// A region that comes back within this time is the same one.
const FORGET_GONE_S: f64 = 5.0;
/// A candidate that is hidden for longer is given up.
const FORGET_HIDDEN_S: f64 = 120.0;
/// The gate may change its mind about what a region is for 10 s.
const REMOVED_FOR_S: f64 = 12.0;
/// How far back a new region's rest is believed: the gate needs this long to be sure.
const MAX_HEAD_START_S: f64 = 60.0;
/// A place may have been in motion for long before a thing came to rest there (a lorry stops, bags fall beside it): the
/// thing is believed to have come at most this long before its rest, so that report, witness and clip are about its leaving.
const MAX_ARRIVAL_S: f64 = 3.0;

impl CameraCore {
    /// Marks the parts that this look shows, and starts new spots.
    pub(super) fn observe(&mut self, look: &Observation, voice: &mut StepContext<'_>) {
        let asked = look.detections.is_some();
        for part in self.spots.iter_mut().flat_map(|s| &mut s.parts) {
            // A thing known by its label alone stays as it was while nobody asks for labels.
            part.present = part.present && !asked && matches!(part.seen.source, Source::Track(_));
        }
        for standing in self.standing(look) {
            match self.find_part(&standing) {
                Some(part) => {
                    let appeared = part.seen.appeared;
                    part.seen = Standing { appeared, ..standing };
                    part.present = true;
                }
                None => self.start_spot(standing, look.at, voice),
            }
        }
        self.absorb(voice);
    }

    /// All that stands: the gate's regions, then still tracks of waste and stalls where no region is.
    fn standing(&self, look: &Observation) -> Vec<Standing> {
        let mut all: Vec<Standing> = look.gate.regions.iter().map(|r| from_region(r, look.at)).collect();
        all.sort_by_key(|s| match s.source {
            Source::Region(id) | Source::Track(id) => id,
        });
        if look.detections.is_some() {
            let named = |group: Group| matches!(group, Group::Waste | Group::Stall);
            for track in self.tracker.visible().filter(|t| named(t.group)) {
                let known =
                    all.iter().any(|s| same_place(&s.bbox, &track.bbox) || holds(&s.bbox, &track.bbox));
                if let (Some(since), false) = (track.still_since, known) {
                    all.push(Standing {
                        source: Source::Track(track.id),
                        bbox: track.bbox,
                        area_norm: track.bbox.area(),
                        appeared: look.at.at(track.first_seen),
                        still_since: look.at.at(since),
                        occluded: false,
                        similarity: 1.0,
                        removed: false,
                    });
                }
            }
        }
        all
    }

    /// By its id if the place agrees too (ids start anew with a gate), else by place. Bare ground and a thing that stands
    /// on it later are two.
    fn find_part(&mut self, standing: &Standing) -> Option<&mut Part> {
        let mut parts: Vec<&mut Part> = self.spots.iter_mut().flat_map(|s| &mut s.parts).collect();
        let free = |p: &Part| !p.present || matches!(p.seen.source, Source::Track(_));
        let by_id = parts.iter().position(|p| {
            free(p) && p.seen.source == standing.source && p.seen.bbox.intersection(&standing.bbox) > 0.0
        });
        let index = by_id.or_else(|| {
            let alike = |p: &Part| free(p) && p.seen.removed == standing.removed;
            let near = parts.iter().enumerate();
            let near = near.filter(|(_, p)| alike(p) && same_place(&p.seen.bbox, &standing.bbox));
            near.max_by(|a, b| {
                a.1.seen.bbox.iou(&standing.bbox).total_cmp(&b.1.seen.bbox.iou(&standing.bbox))
            })
            .map(|(index, _)| index)
        })?;
        Some(parts.swap_remove(index))
    }

    fn start_spot(&mut self, standing: Standing, at: Moment, voice: &mut StepContext<'_>) {
        let in_a_zone = |bbox: &BBox| {
            self.config.zones.iter().any(|z| share_inside(&z.polygon_norm, bbox) >= REGION_SHARE)
        };
        if !in_a_zone(&standing.bbox) {
            return;
        }
        if self.spots.len() >= MAX_SPOTS {
            voice.counters.candidates_refused += 1;
            return;
        }
        voice.counters.candidates += 1;
        // It may have come to rest before it was told of, but not before anybody looked.
        let seen_since = self.seeing_since.unwrap_or(at.mono).max(standing.still_since.mono);
        let head_start_s = at.mono.since_s(seen_since).min(MAX_HEAD_START_S);
        let (from, to) = arrival(standing.appeared.mono);
        let witness = self.tracker.witness(&standing.bbox, from, to);
        let last_near = self.tracker.person_last_near(&standing.bbox);
        let alone_since = last_near.map_or(seen_since, |near| near.max(seen_since));
        let alone_s = at.mono.since_s(alone_since).min(head_start_s);
        self.begin(Part::new(standing, head_start_s, witness), alone_s, at, voice);
    }

    /// Regions that the gate has joined: the smaller one is not gone, it is inside the larger, which nothing explains.
    fn absorb(&mut self, voice: &mut StepContext<'_>) {
        let present: Vec<(u32, BBox)> = self
            .spots
            .iter()
            .filter(|s| s.asked() >= MIN_ASKED && s.explained(EXPLAINED_SHARE).is_none())
            .flat_map(|s| s.parts.iter().filter(|p| p.present).map(|p| (s.id, p.seen.bbox)))
            .collect();
        let inside =
            |bbox: &BBox| present.iter().find(|p| p.1.intersection(bbox) >= 0.6 * bbox.area()).map(|p| p.0);
        let mut handed_over: Vec<(u32, u32)> = Vec::new();
        for spot in &mut self.spots {
            let id = spot.id;
            spot.parts.retain(|p| {
                let into = if p.present { None } else { inside(&p.seen.bbox) };
                if let Some(into) = into.filter(|into| *into != id) {
                    handed_over.push((id, into));
                }
                into.is_none()
            });
        }
        for (from, into) in handed_over {
            let emptied = self.spots.iter().any(|s| s.id == from && s.parts.is_empty());
            let taken = self.open.iter().any(|i| i.spot == Some(into));
            if let Some(incident) = self.open.iter_mut().find(|i| i.spot == Some(from) && emptied) {
                incident.spot = if taken { None } else { Some(into) };
            }
        }
        self.drop_empty(voice);
    }

    /// Neighbours that nothing explains are one thing; a part that is explained after all leaves it.
    pub(super) fn regroup(&mut self, at: Moment, voice: &mut StepContext<'_>) {
        let mut leaving = Vec::new();
        for spot in &mut self.spots {
            while spot.parts.len() > 1 {
                let Some(index) = spot.parts.iter().position(|p| p.explained(EXPLAINED_SHARE).is_some())
                else {
                    break;
                };
                leaving.push(spot.parts.remove(index));
            }
        }
        for part in leaving {
            self.begin(part, 0.0, at, voice);
        }
        while let Some((into, from)) = self.mergeable() {
            let mut merged = self.spots.remove(from);
            let taken = |s: &Spot| self.open.iter().any(|i| i.spot == Some(s.id));
            let into_taken = taken(&self.spots[into]);
            if !into_taken && !taken(&merged) && merged.area_norm() > self.spots[into].area_norm() {
                // The larger one gives name, packets and company.
                std::mem::swap(&mut merged, &mut self.spots[into]);
            }
            if let Some(incident) = self.open.iter_mut().find(|i| i.spot == Some(merged.id)) {
                // The one that has been reported keeps its name.
                release(&mut self.spots[into], voice);
                self.spots[into].incident_id = std::mem::take(&mut merged.incident_id);
                self.spots[into].kept = merged.kept;
                incident.spot = Some(self.spots[into].id);
            } else {
                release(&mut merged, voice);
            }
            self.spots[into].parts.append(&mut merged.parts);
        }
    }

    /// Two spots to be one, the older index first. Two incidents stay two.
    fn mergeable(&self) -> Option<(usize, usize)> {
        let loose = |s: &Spot| {
            s.asked() >= MIN_ASKED
                && s.present()
                && s.parts.iter().all(|p| p.explained(EXPLAINED_SHARE).is_none())
        };
        let taken = |s: &Spot| self.open.iter().any(|i| i.spot == Some(s.id));
        for (from, b) in self.spots.iter().enumerate().filter(|(_, s)| loose(s)) {
            for (into, a) in self.spots[..from].iter().enumerate().filter(|(_, s)| loose(s)) {
                let fits = a.parts.len() + b.parts.len() <= MAX_PARTS;
                if fits && neighbours(&a.bbox(), &b.bbox()) && !(taken(a) && taken(b)) {
                    return Some((into, from));
                }
            }
        }
        None
    }

    /// Candidates that went away, and parts of an incident that did while others stand.
    pub(super) fn forget_spots(&mut self, voice: &mut StepContext<'_>) {
        for spot in &mut self.spots {
            let incident = self.open.iter().find(|i| i.spot == Some(spot.id));
            let keep_s = incident.map_or(FORGET_GONE_S, |i| i.clear_after_s.max(FORGET_GONE_S));
            let hidden_s = if incident.is_some() { f64::INFINITY } else { FORGET_HIDDEN_S };
            let gone = |p: &Part| p.gone_s >= keep_s || p.absent_s >= hidden_s;
            let some_stand = spot.parts.iter().any(|p| !gone(p));
            // The last parts of an incident stay: whether it is cleared is decided with it.
            if some_stand || incident.is_none() {
                spot.parts.retain(|p| !gone(p));
            }
        }
        self.release_explained(voice);
        self.drop_empty(voice);
    }

    fn drop_empty(&mut self, voice: &mut StepContext<'_>) {
        for spot in self.spots.iter_mut().filter(|s| s.parts.is_empty()) {
            voice.counters.candidates_gone += 1;
            release(spot, voice);
        }
        self.spots.retain(|s| !s.parts.is_empty());
    }

    /// Open incidents that lost their spot (restart, background lost) stand where something stands again.
    pub(super) fn attach_orphans(&mut self) {
        for index in 0..self.open.len() {
            if self.open[index].spot.is_some() {
                continue;
            }
            let place = |s: &&Spot| {
                let taken = self.open.iter().any(|i| i.spot == Some(s.id));
                !taken && s.in_the_open() && s.explained(EXPLAINED_SHARE).is_none() && s.asked() >= MIN_ASKED
            };
            let here = self.spots.iter().filter(place).find(|s| is_about(&self.open[index], &s.bbox()));
            let here = here.map(|s| s.id);
            let uncovered =
                |s: &Spot| s.parts.iter().any(|p| p.present && p.seen.removed && p.dwell_s >= REMOVED_FOR_S);
            let ground = self.spots.iter().any(|s| uncovered(s) && is_about(&self.open[index], &s.bbox()));
            let incident = &mut self.open[index];
            incident.spot = here;
            // The new background held the thing, and now its place has changed: it can be judged again.
            incident.observable = incident.observable || ground;
        }
    }
}

fn from_region(region: &StaticRegion, at: Moment) -> Standing {
    Standing {
        source: Source::Region(region.id),
        bbox: region.bbox,
        area_norm: region.area_norm,
        appeared: at.at(region.appeared.max(region.still_since.minus_s(MAX_ARRIVAL_S))),
        still_since: at.at(region.still_since),
        occluded: region.occluded,
        similarity: region.similarity,
        removed: region.kind == RegionKind::Removed,
    }
}
