//! Region: something that changed and stayed, over frames. It survives being hidden, and ends when its background shows
//! again, and only then.

mod crop;

use kerbside_domain::time::Mono;

use self::crop::Crop;
use super::alignment::Shift;
use super::background::{Background, PIXELS, Remains};
use super::blobs;
use super::config::GateConfig;
use super::grid::{PxBox, neighbours, on_rim};
use super::report::{RegionKind, StaticRegion};
use super::tuning::{light, region as tuning};

/// One region of a gate.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) id: u32,
    pub(super) kind: RegionKind,
    /// Ascending.
    pub(super) pixels: Vec<u32>,
    px: PxBox,
    appeared: Mono,
    still_since: Mono,
    pub(super) confirmed: Mono,
    /// Share of its pixels that had drifted when they became its own, 0..1.
    drifted: f32,
    crop: Crop,
    /// Correlation with its crop in the last frame, -1..1.
    similarity: f32,
    hidden_since: Option<Mono>,
    gone_since: Option<Mono>,
    /// Since when it shows the street itself in another light.
    light_since: Option<Mono>,
    /// Share of its pixels that showed the object in the last frame, 0..1.
    in_view: f32,
}

/// What a region's pixels show in one frame, as shares of its pixels.
struct PixelShares {
    object: f32,
    street: f32,
    still: f32,
}

impl PixelShares {
    /// All that is seen is the object and the street: nothing hides it. Where less of it is left than before, whoever left
    /// it stood so close that both were one region.
    fn is_parted(&self) -> bool {
        self.object + self.street >= tuning::PARTED && self.street < tuning::GONE
    }
}

impl Region {
    /// A blob as the region of `slot`. It owns its pixels from here on.
    pub(super) fn new(
        (id, slot): (u32, usize),
        blob: Vec<u32>,
        still_since: Mono,
        background: &mut Background,
        picture: &[u8],
        at: Mono,
    ) -> Self {
        let kind = kind_of(&blob, background);
        background.claim(&blob, slot);
        let changed_since =
            percentile(&blob, tuning::APPEARED_PERCENTILE, |ix| background.changed_since(ix, at));
        Region {
            id,
            kind,
            px: PxBox::around(&blob),
            appeared: changed_since.min(still_since),
            drifted: background.drifted_share(&blob),
            crop: Crop::cut(&blob, picture),
            pixels: blob,
            still_since,
            confirmed: at,
            similarity: 1.0,
            hidden_since: None,
            gone_since: None,
            light_since: None,
            in_view: 1.0,
        }
    }

    /// Takes a blob that belongs to it.
    pub(super) fn grow(&mut self, blob: &[u32], slot: usize, background: &mut Background, picture: &[u8]) {
        background.claim(blob, slot);
        let (old, new) = (self.pixels.len() as f32, blob.len() as f32);
        self.drifted = (self.drifted * old + background.drifted_share(blob) * new) / (old + new);
        self.pixels.extend_from_slice(blob);
        self.pixels.sort_unstable();
        self.recrop(picture);
    }

    /// Whether a blob of this many pixels beside it is a part of it: it is small, or both are new. One who stands before a
    /// region is no part of it.
    pub(super) fn takes(&self, pixels: usize, at: Mono) -> bool {
        let is_new = at.since_s(self.confirmed) < tuning::GROWS_FOR_S;
        let is_small = (pixels as f32) < tuning::SMALL_PART * self.pixels.len() as f32;
        let is_in_view = self.hidden_since.is_none() && self.in_view > tuning::IN_VIEW;
        is_in_view && (is_new || is_small)
    }

    /// After a change of light: what still has its structure is taken as it looks now.
    pub(super) fn relight(&mut self, background: &mut Background, picture: &[u8]) {
        if self.crop.similarity(picture) > tuning::SAME_STRUCTURE_RELIT {
            background.set_object(&self.pixels, picture);
            self.recrop(picture);
        }
    }

    pub(super) fn report(&self, shift: Shift) -> StaticRegion {
        StaticRegion {
            id: self.id,
            bbox: self.px.norm(shift),
            area_norm: self.pixels.len() as f32 / PIXELS as f32,
            appeared: self.appeared,
            still_since: self.still_since,
            occluded: self.hidden_since.is_some(),
            similarity: (self.similarity * 1000.0).round() / 1000.0,
            kind: self.kind,
        }
    }

    /// A large object falls into parts where it is of the street's colour.
    pub(super) fn is_part_of_one_with(&self, other: &Region) -> bool {
        let apart_s = self.confirmed.since_s(other.confirmed).max(other.confirmed.since_s(self.confirmed));
        apart_s < tuning::GROWS_FOR_S && self.px.grown(tuning::PARTS_APART_PX).meets(other.px)
    }

    /// One frame further. `Some`: the region ends, and this remains of it.
    pub(super) fn update(
        &mut self,
        slot: usize,
        background: &mut Background,
        picture: &[u8],
        at: Mono,
        config: &GateConfig,
    ) -> Option<Remains> {
        if let Some(remains) = self.expired(at, config) {
            return Some(remains);
        }
        self.similarity = self.crop.similarity(picture);
        let shares = self.shares(background, picture);
        self.in_view = shares.object;
        // Its own structure in another light (a cloud, a lamp).
        let relit = shares.street < tuning::MOSTLY_STREET && self.similarity > tuning::SAME_STRUCTURE;
        let ended = if shares.object >= tuning::PRESENT || shares.is_parted() || relit {
            self.update_present(&shares, slot, background, picture, at)
        } else if shares.street >= tuning::GONE {
            self.update_gone(at)
        } else {
            self.update_hidden(&shares, background, picture, at)
        };
        let too_small = self.pixels.len() < config.min_px() / tuning::MIN_PART + 1;
        ended.or(too_small.then_some(Remains::AsBefore))
    }

    fn expired(&self, at: Mono, config: &GateConfig) -> Option<Remains> {
        let age_s = at.since_s(self.confirmed);
        match self.kind {
            RegionKind::Appeared => (age_s > config.absorb_after_s).then_some(Remains::Object),
            RegionKind::Removed => (age_s > config.absorb_removed_s).then_some(Remains::Street),
        }
    }

    fn shares(&self, background: &Background, picture: &[u8]) -> PixelShares {
        let (mut object, mut street, mut still) = (0u32, 0u32, 0u32);
        for ix in self.pixels.iter().map(|&ix| ix as usize) {
            still += u32::from(background.is_still(ix));
            let shows_street = !background.is_changed(ix);
            let nearer_to_street = shows_street && background.is_nearer_to_street(ix, picture);
            if background.shows_object(ix, picture) && !nearer_to_street {
                object += 1;
            } else {
                street += u32::from(shows_street);
            }
        }
        let n = self.pixels.len().max(1) as f32;
        PixelShares { object: object as f32 / n, street: street as f32 / n, still: still as f32 / n }
    }

    fn update_present(
        &mut self,
        shares: &PixelShares,
        slot: usize,
        background: &mut Background,
        picture: &[u8],
        at: Mono,
    ) -> Option<Remains> {
        self.hidden_since = None;
        self.gone_since = None;
        if shares.object < tuning::PRESENT && !shares.is_parted() {
            background.set_object(&self.pixels, picture);
        }
        self.shrink(slot, background, picture);
        if self.is_light(slot, background, at) {
            return Some(Remains::Street);
        }
        if shares.object > tuning::KIND_IN_VIEW && at.since_s(self.confirmed) < tuning::KIND_SETTLES_S {
            self.kind = kind_of(&self.pixels, background);
        }
        None
    }

    /// Two frames must show the street: a single coat of the street's colour is not an empty street.
    fn update_gone(&mut self, at: Mono) -> Option<Remains> {
        if self.gone_since.is_some_and(|since| at > since) {
            return Some(Remains::AsBefore);
        }
        self.gone_since = Some(at);
        None
    }

    /// Neither the object nor its background. Something bigger in front hides it. Something that fits into its outline and
    /// stays is the object itself, changed (a fuller pile, another box in the same place).
    fn update_hidden(
        &mut self,
        shares: &PixelShares,
        background: &mut Background,
        picture: &[u8],
        at: Mono,
    ) -> Option<Remains> {
        self.gone_since = None;
        let hidden_since = *self.hidden_since.get_or_insert(at);
        let hidden_s = at.since_s(hidden_since);
        let hides = shares.still < tuning::HIDER_STILL || self.is_reached_over(background);
        let settled = !hides && hidden_s >= tuning::CHANGED_AFTER_S;
        if settled && self.kind == RegionKind::Appeared && self.lost_its_outline(background) {
            return Some(Remains::Street);
        }
        if settled || hidden_s > tuning::MAX_HIDDEN_S {
            background.set_object(&self.pixels, picture);
            self.still_since =
                percentile(&self.pixels, tuning::STILL_PERCENTILE, |ix| background.still_since(ix));
            self.hidden_since = None;
            self.recrop(picture);
        }
        None
    }

    /// The object is gone, and the street there is lit otherwise than it was.
    fn lost_its_outline(&self, background: &Background) -> bool {
        let ground = |ix: usize| background.short_term(ix);
        let now = blobs::outline_strength(&self.pixels, ground, ground);
        let object = blobs::outline_strength(&self.pixels, |ix| background.object(ix), ground);
        now < tuning::OUTLINE_LOST * object
    }

    /// A wet patch or a shade grows from spots too small to tell: what is light once it is large enough is no object.
    fn is_light(&mut self, slot: usize, background: &Background, at: Mono) -> bool {
        let own = |ix: usize| background.owner(ix) == Some(slot);
        let light = self.kind == RegionKind::Appeared
            && (self.drifted > light::DRIFTED
                || blobs::is_light_only(&self.pixels, own, background, light::ENOUGH_IN_TIME));
        if !light {
            self.light_since = None;
            return false;
        }
        at.since_s(*self.light_since.get_or_insert(at)) >= light::FOR_S
    }

    /// Whether what covers the region goes on outside it.
    fn is_reached_over(&self, background: &Background) -> bool {
        let enough = self.pixels.len() / tuning::REACHES_OUT + tuning::REACHES_OUT_PX;
        let mut visited = vec![false; PIXELS];
        for &ix in &self.pixels {
            visited[ix as usize] = true;
        }
        let mut stack: Vec<usize> = self.pixels.iter().map(|&ix| ix as usize).collect();
        let mut outside = 0;
        while let Some(ix) = stack.pop() {
            if on_rim(ix) {
                continue;
            }
            for n in neighbours(ix) {
                if !visited[n] && background.is_changed(n) {
                    visited[n] = true;
                    outside += 1;
                    stack.push(n);
                }
            }
            if outside >= enough {
                return true;
            }
        }
        false
    }

    /// Gives back pixels that show the street again for good: a person stepped away from the bag they were one with.
    fn shrink(&mut self, slot: usize, background: &mut Background, picture: &[u8]) {
        let before = self.pixels.len();
        self.pixels.retain(|&ix| {
            let ix = ix as usize;
            let is_street = !background.is_changed(ix)
                && background.is_still(ix)
                && (!background.shows_object(ix, picture) || background.is_nearer_to_street(ix, picture));
            if is_street && background.owner(ix) == Some(slot) {
                background.disown(ix);
            }
            !is_street
        });
        if self.pixels.len() < before {
            self.px = PxBox::around(&self.pixels);
        }
        if self.pixels.len() * tuning::RECROP < self.crop.region_pixels() {
            self.recrop(picture);
        }
    }

    /// Takes the crop of now as what the region looks like.
    fn recrop(&mut self, picture: &[u8]) {
        self.px = PxBox::around(&self.pixels);
        self.crop = Crop::cut(&self.pixels, picture);
        self.similarity = 1.0;
    }
}

fn kind_of(pixels: &[u32], background: &Background) -> RegionKind {
    if blobs::is_removal(pixels, background) { RegionKind::Removed } else { RegionKind::Appeared }
}

/// The time below which `share` of the pixels' times lie.
pub(super) fn percentile(pixels: &[u32], share: f32, of: impl Fn(usize) -> Mono) -> Mono {
    let mut times: Vec<Mono> = pixels.iter().map(|&ix| of(ix as usize)).collect();
    times.sort_unstable();
    times.get((times.len().saturating_sub(1) as f32 * share) as usize).copied().unwrap_or_default()
}
