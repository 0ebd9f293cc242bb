//! Regions: all that changed and stayed on one camera. Finds new ones, joins what belongs together, hands out ids.

use kerbside_domain::time::Mono;

use super::alignment::Shift;
use super::background::{Background, Remains};
use super::blobs::{self, BlobFinder};
use super::config::GateConfig;
use super::grid;
use super::history::History;
use super::region::{self, Region};
use super::report::{RegionKind, StaticRegion};
use super::tuning::light::ENOUGH_AT_ONCE;
use super::tuning::region as tuning;

/// At most `max_regions` regions, and the former backgrounds that tell what is none.
#[derive(Clone, Debug)]
pub(super) struct Regions {
    slots: Vec<Option<Region>>,
    next_id: u32,
    finder: BlobFinder,
    history: History,
    refused: u64,
}

impl Regions {
    pub(super) fn new(max: usize) -> Self {
        let slots = vec![None; max.clamp(1, tuning::MAX_SLOTS)];
        Regions { slots, next_id: 1, finder: BlobFinder::new(), history: History::default(), refused: 0 }
    }

    /// Regions not made because all slots were taken.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// One frame in good light: updates the living regions, then finds new ones.
    pub(super) fn update(
        &mut self,
        background: &mut Background,
        picture: &[u8],
        at: Mono,
        config: &GateConfig,
    ) {
        self.join_parts(at, config);
        for (slot, place) in self.slots.iter_mut().enumerate() {
            let Some(region) = place else { continue };
            if let Some(remains) = region.update(slot, background, picture, at, config) {
                background.release(&region.pixels, remains);
                *place = None;
            }
        }
        for blob in self.finder.find(background, config.min_px()) {
            self.place(blob, background, picture, at, config);
        }
    }

    /// What seems to be gone for good, but came with something that stands beside it, is a part of that: where a parked car is
    /// of the street's colour, all that is seen of it is that it hides the kerb.
    fn join_parts(&mut self, at: Mono, config: &GateConfig) {
        let is_part = |region: &Region| {
            let stands = |r: &Region| r.kind == RegionKind::Appeared && r.is_part_of_one_with(region);
            region.kind == RegionKind::Removed
                && at.since_s(region.confirmed) > config.absorb_removed_s
                && self.slots.iter().flatten().any(stands)
        };
        let parts: Vec<u32> = self.slots.iter().flatten().filter(|r| is_part(r)).map(|r| r.id).collect();
        for region in self.slots.iter_mut().flatten().filter(|r| parts.contains(&r.id)) {
            region.kind = RegionKind::Appeared;
        }
    }

    /// A blob becomes a region, a part of one, background, or nothing yet.
    fn place(
        &mut self,
        blob: Vec<u32>,
        background: &mut Background,
        picture: &[u8],
        at: Mono,
        config: &GateConfig,
    ) {
        let is_inside = |ix: usize| blob.binary_search(&(ix as u32)).is_ok();
        let still_since =
            region::percentile(&blob, tuning::STILL_PERCENTILE, |ix| background.still_since(ix));
        let is_restless = |ix: usize| background.is_changed(ix) && !background.is_still(ix);
        let unrest = blobs::surrounding_share(&blob, is_inside, is_restless);
        if unrest > tuning::UNREST && at.since_s(still_since) < config.still_s + tuning::UNREST_S {
            return;
        }
        if blob.len() > config.max_px() || blobs::is_light_only(&blob, is_inside, background, ENOUGH_AT_ONCE)
        {
            return;
        }
        if self.history.shows(&blob, background, picture) {
            for ix in blob {
                background.absorb(ix as usize);
            }
            return;
        }
        if let Some((slot, region)) = self.region_of(&blob, background, at) {
            region.grow(&blob, slot, background, picture);
            return;
        }
        let Some(slot) = self.slots.iter().position(Option::is_none) else {
            self.refused += 1;
            return;
        };
        let region = Region::new((self.next_id, slot), blob, still_since, background, picture, at);
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.slots[slot] = Some(region);
    }

    /// The region that a blob belongs to: of those it touches, the one it touches most, if that takes it.
    fn region_of(&mut self, blob: &[u32], background: &Background, at: Mono) -> Option<(usize, &mut Region)> {
        let mut touches = vec![0u32; self.slots.len()];
        for ix in blob.iter().map(|&ix| ix as usize).filter(|&ix| !grid::on_rim(ix)) {
            for slot in grid::neighbours(ix).into_iter().filter_map(|n| background.owner(n)) {
                if let Some(count) = touches.get_mut(slot) {
                    *count += 1;
                }
            }
        }
        let (slot, _) = touches.iter().enumerate().filter(|(_, n)| **n > 0).max_by_key(|(_, n)| **n)?;
        let region = self.slots[slot].as_mut()?;
        region.takes(blob.len(), at).then_some((slot, region))
    }

    /// After a change of light: what still has its structure is taken as it looks now.
    pub(super) fn relight(&mut self, background: &mut Background, picture: &[u8]) {
        for region in self.slots.iter_mut().flatten() {
            region.relight(background, picture);
        }
    }

    /// Takes the region for background. False if there is none of that id.
    pub(super) fn forget(&mut self, id: u32, background: &mut Background) -> bool {
        let place = self.slots.iter_mut().find(|s| s.as_ref().is_some_and(|r| r.id == id));
        let Some(region) = place.and_then(Option::take) else { return false };
        background.release(&region.pixels, Remains::Object);
        true
    }

    /// Marks what lies within objects: between the pixels of regions that came to rest together side by side, along their
    /// rows and columns.
    pub(super) fn enclose(&self, background: &mut Background) {
        background.set_enclosed(|marks| {
            let mut left: Vec<&Region> = self.slots.iter().flatten().collect();
            while let Some(first) = left.pop() {
                let mut object = vec![first];
                let mut next = 0;
                while let Some(&part) = object.get(next) {
                    let (more, others) = left.into_iter().partition(|r| r.is_part_of_one_with(part));
                    object.extend::<Vec<&Region>>(more);
                    left = others;
                    next += 1;
                }
                grid::enclose(object.iter().flat_map(|r| &r.pixels).copied(), marks);
            }
        });
    }

    /// From time to time, so that the street is known again when something that stood there has left.
    pub(super) fn record_history(&mut self, background: &Background, at: Mono) {
        self.history.record(background, at);
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(None);
        self.history.clear();
    }

    /// When the youngest region was confirmed.
    pub(super) fn youngest(&self) -> Option<Mono> {
        self.slots.iter().flatten().map(|r| r.confirmed).max()
    }

    /// By id.
    pub(super) fn report(&self, shift: Shift) -> Vec<StaticRegion> {
        let mut regions: Vec<StaticRegion> = self.slots.iter().flatten().map(|r| r.report(shift)).collect();
        regions.sort_by_key(|r| r.id);
        regions
    }
}
