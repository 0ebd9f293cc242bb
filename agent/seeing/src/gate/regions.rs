//! Regions: all that changed and stayed on one camera. Finds new ones, keeps what belongs together together, hands out ids.

use super::blobs::{self, Finder};
use super::memory::Memory;
use super::planes::{Planes, bit};
use super::region::{self, Leaves, Region};
use super::{GateConfig, RegionKind, StaticRegion};
use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};
use kerbside_domain::time::Mono;

/// Pixels inside a blob that tell at once whether it is light.
const ENOUGH_AT_ONCE: f32 = 14.0;

#[derive(Clone, Debug)]
pub(super) struct Regions {
    slots: Vec<Option<Region>>,
    next_id: u32,
    finder: Finder,
    memory: Memory,
    /// Regions not made because all slots were taken.
    pub(super) refused: u64,
}

impl Regions {
    pub(super) fn new(max: usize) -> Self {
        let slots = vec![None; max.clamp(1, 250)];
        Regions { slots, next_id: 1, finder: Finder::new(), memory: Memory::default(), refused: 0 }
    }

    /// One look in good light: judges the living regions, then finds new ones.
    pub(super) fn update(&mut self, planes: &mut Planes, picture: &[u8], at: Mono, config: &GateConfig) {
        self.join_parts(at, config);
        for slot in 0..self.slots.len() {
            if let Some(region) = self.slots[slot].take() {
                self.slots[slot] = region::judge(region, slot, planes, picture, at, config);
            }
        }
        for blob in self.finder.find(planes, config.min_px()) {
            self.place(blob, planes, picture, at, config);
        }
    }

    /// What seems to be gone for good but came with something that stands beside it is that thing's part: where a parked car
    /// is of the street's colour, all that is seen of it is that it hides the kerb.
    fn join_parts(&mut self, at: Mono, config: &GateConfig) {
        let is_part = |region: &Region| {
            let stands = |r: &Region| r.kind == RegionKind::Appeared && r.is_part_of_one_with(region);
            region.kind == RegionKind::Removed
                && at.since_s(region.confirmed) > config.absorb_removed_s
                && self.slots.iter().flatten().any(stands)
        };
        let parts: Vec<bool> = self.slots.iter().map(|s| s.as_ref().is_some_and(is_part)).collect();
        for (region, _) in self.slots.iter_mut().zip(parts).filter(|(_, is_part)| *is_part) {
            if let Some(region) = region {
                region.kind = RegionKind::Appeared;
            }
        }
    }

    fn place(&mut self, blob: Vec<u32>, planes: &mut Planes, picture: &[u8], at: Mono, config: &GateConfig) {
        let member = |ix: usize| blob.binary_search(&(ix as u32)).is_ok();
        let unrest =
            blobs::rim_share(&blob, member, |ix| planes.is(ix, bit::WEAK) && !planes.is(ix, bit::STILL));
        let still_since = region::percentile(&blob, 0.5, |ix| planes.fast_since[ix]);
        // A slow walker's coat is still in its middle, but not around it.
        if unrest > 0.35 && at.since_s(still_since) < config.still_s + 3.0 {
            return;
        }
        if blob.len() > config.max_px() || blobs::is_light_only(&blob, member, planes, ENOUGH_AT_ONCE) {
            return;
        }
        if self.memory.knows(&blob, planes, picture) {
            for ix in blob {
                planes.absorb(ix as usize);
            }
            return;
        }
        if let Some(slot) = self.neighbour_of(&blob, planes, at) {
            if let Some(region) = &mut self.slots[slot] {
                region.grow(&blob, slot, planes, picture);
            }
            return;
        }
        let Some(slot) = self.slots.iter().position(Option::is_none) else {
            self.refused += 1;
            return;
        };
        let region = Region::new((self.next_id, slot), blob, still_since, planes, picture, at);
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.slots[slot] = Some(region);
    }

    /// The region that a blob belongs to: it touches it and is small beside it, or both are new.
    fn neighbour_of(&self, blob: &[u32], planes: &Planes, at: Mono) -> Option<usize> {
        let mut touches = vec![0u32; self.slots.len()];
        for &ix in blob {
            let ix = ix as usize;
            if !blobs::on_rim(ix) {
                for n in blobs::neighbours(ix) {
                    if let Some(t) =
                        usize::from(planes.owner[n]).checked_sub(1).and_then(|s| touches.get_mut(s))
                    {
                        *t += 1;
                    }
                }
            }
        }
        let (slot, _) = touches.iter().enumerate().filter(|(_, n)| **n > 0).max_by_key(|(_, n)| **n)?;
        self.slots[slot].as_ref()?.takes(blob.len(), at).then_some(slot)
    }

    /// After a change of light: what still has its structure is taken as it looks now.
    pub(super) fn take_new_light(&mut self, planes: &mut Planes, picture: &[u8]) {
        for region in self.slots.iter_mut().flatten() {
            region.take_new_light(planes, picture);
        }
    }

    /// Takes the region for background. False if there is none of that id.
    pub(super) fn forget(&mut self, id: u32, planes: &mut Planes) -> bool {
        let found = self.slots.iter_mut().find(|s| s.as_ref().is_some_and(|r| r.id == id));
        let Some(region) = found.and_then(Option::take) else { return false };
        region::release(&region.pixels, planes, Leaves::Thing);
        true
    }

    /// Marks what lies within things: between the pixels of regions that came to rest together side by side, along their
    /// rows and columns.
    pub(super) fn enclose(&self, planes: &mut Planes) {
        planes.enclosed.fill(false);
        let mut left: Vec<&Region> = self.slots.iter().flatten().collect();
        while let Some(first) = left.pop() {
            let mut thing = vec![first];
            let mut asked = 0;
            while let Some(&part) = thing.get(asked) {
                let (more, others) = left.into_iter().partition(|r| r.is_part_of_one_with(part));
                thing.extend::<Vec<&Region>>(more);
                left = others;
                asked += 1;
            }
            blobs::enclose(thing.iter().flat_map(|r| &r.pixels).copied(), &mut planes.enclosed);
        }
    }

    /// From time to time, so that the street is known again when something that stood there has left.
    pub(super) fn remember(&mut self, planes: &Planes, at: Mono) {
        self.memory.keep(planes, at);
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(None);
        self.memory.clear();
    }

    pub(super) fn youngest(&self) -> Option<Mono> {
        self.slots.iter().flatten().map(|r| r.confirmed).max()
    }

    /// By id; `shift`: see [`PxBox::norm`].
    pub(super) fn report(&self, shift: (i32, i32)) -> Vec<StaticRegion> {
        let mut out: Vec<StaticRegion> = self.slots.iter().flatten().map(|r| r.report(shift)).collect();
        out.sort_by_key(|r| r.id);
        out
    }
}

const _: () = assert!(W * H < u32::MAX as usize);
