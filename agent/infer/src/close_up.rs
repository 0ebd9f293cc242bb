//! Which part of a frame is shown to the close-up network, and when. Pure.

use std::collections::BTreeMap;

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::Mono;
use kerbside_seeing::gate::{RegionKind, StaticRegion};

use crate::tuning::{
    CLOSE_UP_ASPECT, CLOSE_UP_CAMERA_EVERY_S, CLOSE_UP_CONTEXT, CLOSE_UP_COVERED, CLOSE_UP_MIN_WIDTH,
    CLOSE_UP_REGION_EVERY_S, WITNESS_ANSWERS, WITNESS_CONTEXT, WITNESS_LATER_EVERY_S, WITNESS_MIN_WIDTH,
    WITNESS_NEIGHBOUR,
};

/// When each region was last shown. Bounded by the regions that the gate knows.
#[derive(Debug, Default)]
pub(super) struct CloseUpTurns {
    shown: BTreeMap<(CameraIx, u32), Shown>,
    cameras: BTreeMap<CameraIx, Mono>,
}

/// What was shown of one region.
#[derive(Clone, Copy, Debug)]
struct Shown {
    last: Mono,
    /// To the witness.
    answers: u32,
    answered: Mono,
}

/// What is shown next, in shares of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turn {
    /// The region.
    pub(super) bbox: BBox,
    /// The region with those that touch it, if the witness is to be asked too.
    pub(super) witness: Option<BBox>,
}

impl CloseUpTurns {
    /// The region that has waited longest, if one is due; never shown comes first, then the lower id.
    pub(super) fn next(
        &mut self,
        camera: CameraIx,
        at: Mono,
        regions: &[StaticRegion],
        detections: &[Detection],
    ) -> Option<Turn> {
        self.shown.retain(|(c, id), _| *c != camera || regions.iter().any(|r| r.id == *id));
        let due = |last: Option<&Mono>, every_s: f64| last.is_none_or(|last| at.since_s(*last) >= every_s);
        if !due(self.cameras.get(&camera), CLOSE_UP_CAMERA_EVERY_S) {
            return None;
        }
        let shows_itself = |r: &&StaticRegion| {
            r.kind == RegionKind::Appeared && !r.occluded && !is_covered(&r.bbox, detections)
        };
        let candidates = regions.iter().filter(shows_itself);
        let candidates = candidates.map(|r| (self.shown.get(&(camera, r.id)).map(|shown| &shown.last), r));
        let candidates = candidates.filter(|(last, _)| due(*last, CLOSE_UP_REGION_EVERY_S));
        let (_, region) = candidates.min_by_key(|(last, r)| (last.copied(), r.id))?;
        let shown =
            self.shown.entry((camera, region.id)).or_insert(Shown { last: at, answers: 0, answered: at });
        shown.last = at;
        let is_asked = shown.answers < WITNESS_ANSWERS || at.since_s(shown.answered) >= WITNESS_LATER_EVERY_S;
        if is_asked {
            (shown.answers, shown.answered) = (shown.answers.saturating_add(1), at);
        }
        self.cameras.insert(camera, at);
        Some(Turn { bbox: region.bbox, witness: is_asked.then(|| with_neighbours(region, regions)) })
    }
}

fn with_neighbours(region: &StaticRegion, regions: &[StaticRegion]) -> BBox {
    let grown = region.bbox.buffered(WITNESS_NEIGHBOUR);
    let touching = regions.iter().filter(|r| r.kind == RegionKind::Appeared);
    let touching = touching.filter(|r| r.bbox.buffered(WITNESS_NEIGHBOUR).intersection(&grown) > 0.0);
    touching.fold(region.bbox, |all, r| all.union(&r.bbox))
}

fn is_covered(bbox: &BBox, detections: &[Detection]) -> bool {
    let movers = detections.iter().filter(|d| matches!(d.group, Group::Person | Group::Vehicle));
    let covered: f32 = movers.map(|d| d.bbox.intersection(bbox)).sum();
    covered >= CLOSE_UP_COVERED * bbox.area()
}

/// The part of the network's proportions around the middle of a tile, as wide as the tile, in px of the frame as in
/// [`part_px`].
pub(super) fn tile_px(tile: &BBox, width: u32, height: u32) -> Option<(u32, u32, u32, u32)> {
    fit_px(tile.w * width as f32, tile.centre(), width, height)
}

/// The part around a box, in px of the frame: left, top, width, height; moved into the picture at its edges. `None`: the
/// frame is no picture.
pub(super) fn part_px(bbox: &BBox, width: u32, height: u32) -> Option<(u32, u32, u32, u32)> {
    let (full_w, full_h) = (width as f32, height as f32);
    let needed = (bbox.w * full_w).max(bbox.h * full_h * CLOSE_UP_ASPECT) * CLOSE_UP_CONTEXT;
    fit_px(needed.max(CLOSE_UP_MIN_WIDTH * full_w), bbox.centre(), width, height)
}

/// The square about a box that the witness is shown, in px of the frame as in [`part_px`].
pub(super) fn square_px(bbox: &BBox, width: u32, height: u32) -> Option<(u32, u32, u32, u32)> {
    let (full_w, full_h) = (width as f32, height as f32);
    let wanted = (bbox.w * full_w).max(bbox.h * full_h) * WITNESS_CONTEXT;
    let side = wanted.max(WITNESS_MIN_WIDTH * full_w).min(full_w).min(full_h);
    let (cx, cy) = bbox.centre();
    let place = |centre: f32, full: f32| (centre * full - side / 2.0).clamp(0.0, full - side) as u32;
    let (x, y, side) = (place(cx, full_w), place(cy, full_h), side as u32);
    (side > 0 && x + side <= width && y + side <= height).then_some((x, y, side, side))
}

fn fit_px(wanted: f32, (cx, cy): (f32, f32), width: u32, height: u32) -> Option<(u32, u32, u32, u32)> {
    let (full_w, full_h) = (width as f32, height as f32);
    let w = wanted.min(full_w).min(full_h * CLOSE_UP_ASPECT);
    let h = w / CLOSE_UP_ASPECT;
    let place = |centre: f32, size: f32, full: f32| (centre * full - size / 2.0).clamp(0.0, full - size);
    let (x, y) = (place(cx, w, full_w), place(cy, h, full_h));
    let (x, y, w, h) = (x as u32, y as u32, w as u32, h as u32);
    (w > 0 && h > 0 && x + w <= width && y + h <= height).then_some((x, y, w, h))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{boxed, region};

    /// Which region is shown at each of the moments, s.
    fn shown(at_s: &[f64], regions: &[StaticRegion], seen: &[Detection]) -> Vec<Option<u32>> {
        let mut turns = CloseUpTurns::default();
        let id = |bbox: BBox| regions.iter().find(|r| r.bbox == bbox).map(|r| r.id);
        let next = |at: &f64| turns.next(CameraIx(0), Mono::from_s(*at), regions, seen);
        at_s.iter().map(next).map(|turn| turn.and_then(|turn| id(turn.bbox))).collect()
    }

    #[test]
    fn regions_take_turns_and_none_is_shown_again_at_once() {
        let three = [region(1, 0.1), region(2, 0.4), region(3, 0.7)];
        let at_s = [0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 2.4, 2.5];
        let turns = [Some(1), None, Some(2), Some(3), None, Some(1), None, Some(2)];
        assert_eq!(shown(&at_s, &three, &[]), turns);
    }

    #[test]
    fn what_is_hidden_removed_or_a_vehicle_is_not_shown() {
        let car = boxed(Group::Vehicle, BBox { x: 0.05, y: 0.45, w: 0.2, h: 0.2 });
        let hidden = StaticRegion { occluded: true, ..region(2, 0.4) };
        let ground = StaticRegion { kind: RegionKind::Removed, ..region(3, 0.7) };
        assert_eq!(shown(&[0.0], &[region(1, 0.1), hidden, ground], &[car]), [None]);
        let umbrella = boxed(Group::Furniture, BBox { x: 0.05, y: 0.45, w: 0.2, h: 0.2 });
        assert_eq!(shown(&[0.0], &[region(1, 0.1)], &[umbrella]), [Some(1)]);
    }

    #[test]
    fn the_witness_is_asked_often_at_first_and_now_and_then_later() {
        let mut turns = CloseUpTurns::default();
        let touching = [region(1, 0.1), region(2, 0.16), region(3, 0.7)];
        let asked = |turns: &mut CloseUpTurns, at: u32| {
            let turn = turns.next(CameraIx(0), Mono::from_s(f64::from(at)), &touching[..2], &[]);
            turn.filter(|turn| turn.bbox == touching[0].bbox).and_then(|turn| turn.witness)
        };
        let first = asked(&mut turns, 0).expect("asked at once");
        assert_eq!(first, touching[0].bbox.union(&touching[1].bbox));
        let of = |turns: &mut CloseUpTurns, s: std::ops::Range<u32>| {
            s.filter(|at| asked(turns, *at).is_some()).count()
        };
        assert_eq!((of(&mut turns, 1..16), of(&mut turns, 16..40), of(&mut turns, 40..100)), (7, 0, 2));
    }

    #[test]
    fn the_witness_is_shown_a_square_that_stays_in_the_picture() {
        let stall = BBox { x: 0.25, y: 0.25, w: 0.2, h: 0.3 };
        assert_eq!(square_px(&stall, 640, 360), Some((147, 67, 153, 153)));
        let corner = BBox { x: 0.97, y: 0.95, w: 0.03, h: 0.05 };
        assert_eq!(square_px(&corner, 640, 360), Some((576, 296, 64, 64)));
        let all = BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
        assert_eq!(square_px(&all, 640, 360), Some((140, 0, 360, 360)));
        assert_eq!(square_px(&all, 0, 0), None);
    }

    #[test]
    fn a_part_surrounds_its_thing_and_stays_in_the_picture() {
        let small = BBox { x: 0.5, y: 0.5, w: 0.02, h: 0.03 };
        assert_eq!(part_px(&small, 640, 360), Some((246, 137, 160, 96)));
        let corner = BBox { x: 0.97, y: 0.95, w: 0.03, h: 0.05 };
        assert_eq!(part_px(&corner, 640, 360), Some((480, 264, 160, 96)));
        let large = BBox { x: 0.2, y: 0.2, w: 0.6, h: 0.6 };
        assert_eq!(part_px(&large, 640, 360), Some((20, 0, 600, 360)));
        assert_eq!(part_px(&small, 0, 0), None);
    }
}
