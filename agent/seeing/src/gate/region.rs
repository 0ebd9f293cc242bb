//! Region: something that changed and stayed, over looks. It survives occlusion, and ends when its background shows again, and
//! only then.

use super::blobs::{self, PxBox};
use super::planes::{PIXELS, Planes, bit};
use super::{GateConfig, RegionKind, StaticRegion};
use kerbside_domain::time::Mono;

/// A person who stands before a thing hides it; longer than this the hider is the thing.
const HIDDEN_AT_MOST_S: f64 = 600.0;
/// Parts of one thing may be confirmed one after the other.
const GROWING_S: f64 = 5.0;
/// And lie so far apart, luma px.
const PARTS_APART_PX: usize = 4;
/// Until then it may turn out to be a removal, or not to be one: the first crop may be cut while a foot is still in it.
const KIND_SURE_S: f64 = 10.0;
/// The street shows again on so much of a region: it is gone.
const GONE: f32 = 0.6;
/// All that is seen of a region is itself and the street: nothing hides it. Where less of it is left than before, whoever
/// left it stood so close that both were one region.
const PARTED: f32 = 0.9;

/// The street's own texture for so long, darker or brighter: light or water, no thing.
const LIGHT_FOR_S: f64 = 2.0;
/// So much of a region came by creeping: light, however dappled.
const CREPT: f32 = 0.5;
/// Pixels inside a region that tell by looking on whether it is light.
const ENOUGH_IN_TIME: f32 = 8.0;

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
    /// Share of its pixels that had crept when they became its own, 0..1.
    crept: f32,
    /// The crop when confirmed, and where it was cut.
    template: Vec<u8>,
    template_px: PxBox,
    /// Pixels when the crop was cut.
    captured: usize,
    similarity: f32,
    hidden_since: Option<Mono>,
    gone_since: Option<Mono>,
    /// It has shown the street itself in another light since.
    light_since: Option<Mono>,
    /// Share of its pixels that showed it in the last look, 0..1.
    held_share: f32,
}

/// What a region's pixels show in one look, as shares of its pixels.
struct Sight {
    held: f32,
    background: f32,
    still: f32,
}

impl Region {
    /// A blob as the region of `slot`, whose pixels it owns from here on.
    pub(super) fn new(
        (id, slot): (u32, usize),
        blob: Vec<u32>,
        still_since: Mono,
        planes: &mut Planes,
        picture: &[u8],
        at: Mono,
    ) -> Self {
        let kind = kind_of(&blob, planes);
        own(&blob, slot, planes);
        let mut region = Region {
            id,
            kind,
            px: PxBox::around(&blob),
            appeared: percentile(&blob, 0.1, |ix| planes.changed_since(ix, at)).min(still_since),
            crept: planes.crept_share(&blob),
            pixels: blob,
            still_since,
            confirmed: at,
            template: Vec::new(),
            template_px: PxBox { x0: 0, y0: 0, x1: 0, y1: 0 },
            captured: 0,
            similarity: 1.0,
            hidden_since: None,
            gone_since: None,
            light_since: None,
            held_share: 1.0,
        };
        region.capture(picture);
        region
    }

    /// Takes a blob that belongs to it.
    pub(super) fn grow(&mut self, blob: &[u32], slot: usize, planes: &mut Planes, picture: &[u8]) {
        own(blob, slot, planes);
        let (old, new) = (self.pixels.len() as f32, blob.len() as f32);
        self.crept = (self.crept * old + planes.crept_share(blob) * new) / (old + new);
        self.pixels.extend_from_slice(blob);
        self.pixels.sort_unstable();
        self.capture(picture);
    }

    /// Whether a blob of so many pixels beside it is a part of it: it is small, or both are new.
    pub(super) fn takes(&self, pixels: usize, at: Mono) -> bool {
        let new = at.since_s(self.confirmed) < GROWING_S;
        // Who stands before a region is not part of it.
        let in_view = self.hidden_since.is_none() && self.held_share > 0.6;
        in_view && (new || pixels * 2 < self.pixels.len())
    }

    /// After a change of light: what still has its structure is taken as it looks now.
    pub(super) fn take_new_light(&mut self, planes: &mut Planes, picture: &[u8]) {
        if similarity(&self.template, self.template_px, picture) > 0.5 {
            hold(&self.pixels, planes, picture);
            self.capture(picture);
        }
    }

    /// `shift`: see [`PxBox::norm`].
    pub(super) fn report(&self, shift: (i32, i32)) -> StaticRegion {
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

    /// A large thing falls into parts where it is of the street's colour.
    pub(super) fn is_part_of_one_with(&self, other: &Region) -> bool {
        let apart_s = self.confirmed.since_s(other.confirmed).max(other.confirmed.since_s(self.confirmed));
        apart_s < GROWING_S && self.px.grown(PARTS_APART_PX).meets(other.px)
    }

    /// Takes the crop of now as what the region looks like.
    fn capture(&mut self, picture: &[u8]) {
        self.px = PxBox::around(&self.pixels);
        self.captured = self.pixels.len();
        self.template_px = self.px.grown(1);
        self.template = self.template_px.pixels().map(|ix| picture[ix]).collect();
        self.similarity = 1.0;
    }
}

/// The region after a look, or none if it is gone.
pub(super) fn judge(
    mut region: Region,
    slot: usize,
    planes: &mut Planes,
    picture: &[u8],
    at: Mono,
    config: &GateConfig,
) -> Option<Region> {
    let expired = match region.kind {
        RegionKind::Appeared => at.since_s(region.confirmed) > config.absorb_after_s,
        RegionKind::Removed => at.since_s(region.confirmed) > config.absorb_removed_s,
    };
    if expired {
        let thing = region.kind == RegionKind::Appeared;
        release(&region.pixels, planes, if thing { Leaves::Thing } else { Leaves::Street });
        return None;
    }
    region.similarity = similarity(&region.template, region.template_px, picture);
    let sight = look_at(&region, planes, picture);
    region.held_share = sight.held;
    let parted = sight.held + sight.background >= PARTED && sight.background < GONE;
    if sight.held >= 0.5 || parted || (sight.background < 0.5 && region.similarity > 0.85) {
        region.hidden_since = None;
        region.gone_since = None;
        if sight.held < 0.5 && !parted {
            // Its own structure in another light (a cloud, a lamp).
            hold(&region.pixels, planes, picture);
        }
        shrink(&mut region, slot, planes, picture);
        if is_light(&mut region, slot, planes, at) {
            release(&region.pixels, planes, Leaves::Street);
            return None;
        }
        if sight.held > 0.85 && at.since_s(region.confirmed) < KIND_SURE_S {
            region.kind = kind_of(&region.pixels, planes);
        }
    } else if sight.background >= GONE {
        // Two looks, or one where looks are rare: a single coat of the street's colour is not an empty street.
        match region.gone_since {
            Some(since) if at > since => {
                release(&region.pixels, planes, Leaves::Waiting);
                return None;
            }
            _ => region.gone_since = Some(at),
        }
    } else {
        if !hidden_or_other(&mut region, &sight, planes, picture, at) {
            release(&region.pixels, planes, Leaves::Street);
            return None;
        }
    }
    if region.pixels.len() < config.min_px() / 2 + 1 {
        release(&region.pixels, planes, Leaves::Waiting);
        return None;
    }
    Some(region)
}

/// A wet patch or a shade grows from spots too small to tell: what is light once it is large enough is no thing.
/// Asked in every look of every region: whose pixel it is stands in the planes.
fn is_light(region: &mut Region, slot: usize, planes: &Planes, at: Mono) -> bool {
    let own = |ix: usize| usize::from(planes.owner[ix]) == slot + 1;
    let light = region.crept > CREPT || blobs::is_light_only(&region.pixels, own, planes, ENOUGH_IN_TIME);
    if region.kind != RegionKind::Appeared || !light {
        region.light_since = None;
        return false;
    }
    let since = *region.light_since.get_or_insert(at);
    at.since_s(since) >= LIGHT_FOR_S
}

fn look_at(region: &Region, planes: &Planes, picture: &[u8]) -> Sight {
    let (mut held, mut background, mut still) = (0u32, 0u32, 0u32);
    for &ix in &region.pixels {
        let ix = ix as usize;
        still += u32::from(planes.is(ix, bit::STILL));
        let shows_background = planes.bits[ix] & bit::WEAK == 0;
        if planes.shows_held(ix, picture) && !(shows_background && planes.closer_to_background(ix, picture)) {
            held += 1;
        } else {
            background += u32::from(shows_background);
        }
    }
    let n = region.pixels.len().max(1) as f32;
    Sight { held: held as f32 / n, background: background as f32 / n, still: still as f32 / n }
}

/// Neither itself nor its background. Something bigger in front hides it; something that fits into its outline and
/// stays is the thing itself, changed (a fuller pile, another box in the same place). False: it is gone, and the street
/// there is lit otherwise than it was.
fn hidden_or_other(
    region: &mut Region,
    sight: &Sight,
    planes: &mut Planes,
    picture: &[u8],
    at: Mono,
) -> bool {
    region.gone_since = None;
    let hidden_since = *region.hidden_since.get_or_insert(at);
    let hider = sight.still < 0.7 || reaches_out(region, planes);
    let settled = !hider && at.since_s(hidden_since) >= 2.0;
    if settled && region.kind == RegionKind::Appeared {
        let outline = |of: &[f32]| blobs::outline(&region.pixels, of, &planes.fast);
        if outline(&planes.fast) < 0.35 * outline(&planes.held) {
            return false;
        }
    }
    if settled || at.since_s(hidden_since) > HIDDEN_AT_MOST_S {
        hold(&region.pixels, planes, picture);
        region.still_since = percentile(&region.pixels, 0.5, |ix| planes.fast_since[ix]);
        region.hidden_since = None;
        region.capture(picture);
    }
    true
}

/// Whether what covers the region goes on outside it, by a third of its size or more.
fn reaches_out(region: &Region, planes: &Planes) -> bool {
    let changed = |ix: usize| planes.bits[ix] & bit::WEAK != 0;
    let enough = region.pixels.len() / 3 + 4;
    let mut seen = vec![false; PIXELS];
    for &ix in &region.pixels {
        seen[ix as usize] = true;
    }
    let mut stack: Vec<usize> = region.pixels.iter().map(|&ix| ix as usize).collect();
    let mut outside = 0;
    while let Some(ix) = stack.pop() {
        if blobs::on_rim(ix) {
            continue;
        }
        for n in blobs::neighbours(ix) {
            if !seen[n] && changed(n) {
                seen[n] = true;
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

/// Gives back pixels that show the background again for good: a person stepped away from the bag they were one with.
fn shrink(region: &mut Region, slot: usize, planes: &mut Planes, picture: &[u8]) {
    let before = region.pixels.len();
    region.pixels.retain(|&ix| {
        let ix = ix as usize;
        let back = planes.bits[ix] & (bit::WEAK | bit::STILL) == bit::STILL
            && (!planes.shows_held(ix, picture) || planes.closer_to_background(ix, picture));
        if back && usize::from(planes.owner[ix]) == slot + 1 {
            planes.owner[ix] = 0;
        }
        !back
    });
    if region.pixels.len() < before {
        region.px = PxBox::around(&region.pixels);
    }
    if region.pixels.len() * 2 < region.captured {
        // The old crop shows mostly street now.
        region.capture(picture);
    }
}

fn kind_of(pixels: &[u32], planes: &Planes) -> RegionKind {
    if blobs::outline_is_in_background(pixels, planes) { RegionKind::Removed } else { RegionKind::Appeared }
}

fn own(pixels: &[u32], slot: usize, planes: &mut Planes) {
    for &ix in pixels {
        planes.owner[ix as usize] = slot as u8 + 1;
        planes.held[ix as usize] = planes.fast[ix as usize];
    }
}

fn hold(pixels: &[u32], planes: &mut Planes, picture: &[u8]) {
    for &ix in pixels {
        planes.held[ix as usize] = f32::from(picture[ix as usize]);
    }
}

/// What a region leaves to the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// The background as it waited for the region to go.
    Waiting,
    /// What is seen there now: the street, lit otherwise or uncovered.
    Street,
    /// What is seen there now: a thing that is not told any more.
    Thing,
}

/// Ends a region: its pixels are nobody's.
pub(super) fn release(pixels: &[u32], planes: &mut Planes, leaves: Leaves) {
    for &ix in pixels {
        let ix = ix as usize;
        planes.owner[ix] = 0;
        if leaves != Leaves::Waiting {
            planes.absorb(ix);
            planes.thing[ix] = leaves == Leaves::Thing;
        }
    }
}

pub(super) fn percentile(pixels: &[u32], share: f32, of: impl Fn(usize) -> Mono) -> Mono {
    let mut times: Vec<Mono> = pixels.iter().map(|&ix| of(ix as usize)).collect();
    times.sort_unstable();
    times.get((times.len().saturating_sub(1) as f32 * share) as usize).copied().unwrap_or_default()
}

/// Normalised cross-correlation of two crops, -1..1. Two flat crops are alike if their levels are.
fn similarity(template: &[u8], px: PxBox, picture: &[u8]) -> f32 {
    let n = template.len().max(1) as f32;
    let (mut sa, mut sb) = (0.0f32, 0.0f32);
    for (&a, ix) in template.iter().zip(px.pixels()) {
        sa += f32::from(a);
        sb += f32::from(picture[ix]);
    }
    let (ma, mb) = (sa / n, sb / n);
    let (mut ab, mut aa, mut bb) = (0.0f32, 0.0f32, 0.0f32);
    for (&a, ix) in template.iter().zip(px.pixels()) {
        let (a, b) = (f32::from(a) - ma, f32::from(picture[ix]) - mb);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    const FLAT: f32 = 2.0;
    if aa < FLAT * n && bb < FLAT * n {
        return if (ma - mb).abs() < 10.0 { 1.0 } else { 0.0 };
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}
