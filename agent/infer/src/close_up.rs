//! Which part of a frame is shown to the close-up network, and when. Pure.

use std::collections::BTreeMap;

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::Mono;
use kerbside_seeing::gate::{RegionKind, StaticRegion};

use crate::tuning::{
    CLOSE_UP_ASPECT, CLOSE_UP_CAMERA_EVERY_S, CLOSE_UP_CONTEXT, CLOSE_UP_COVERED, CLOSE_UP_MIN_WIDTH,
    CLOSE_UP_REGION_EVERY_S,
};

/// When each region was last shown. Bounded by the regions that the gate knows.
#[derive(Debug, Default)]
pub(super) struct CloseUpTurns {
    shown: BTreeMap<(CameraIx, u32), Mono>,
    cameras: BTreeMap<CameraIx, Mono>,
}

impl CloseUpTurns {
    /// The box of the region that has waited longest, if one is due; never shown comes first, then the lower id.
    pub(super) fn next(
        &mut self,
        camera: CameraIx,
        at: Mono,
        regions: &[StaticRegion],
        detections: &[Detection],
    ) -> Option<BBox> {
        self.shown.retain(|(c, id), _| *c != camera || regions.iter().any(|r| r.id == *id));
        let due = |last: Option<&Mono>, every_s: f64| last.is_none_or(|last| at.since_s(*last) >= every_s);
        if !due(self.cameras.get(&camera), CLOSE_UP_CAMERA_EVERY_S) {
            return None;
        }
        let shows_itself = |r: &&StaticRegion| {
            r.kind == RegionKind::Appeared && !r.occluded && !is_covered(&r.bbox, detections)
        };
        let candidates = regions.iter().filter(shows_itself).map(|r| (self.shown.get(&(camera, r.id)), r));
        let candidates = candidates.filter(|(last, _)| due(*last, CLOSE_UP_REGION_EVERY_S));
        let (_, region) = candidates.min_by_key(|(last, r)| (last.copied(), r.id))?;
        self.shown.insert((camera, region.id), at);
        self.cameras.insert(camera, at);
        Some(region.bbox)
    }
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
        at_s.iter().map(|at| turns.next(CameraIx(0), Mono::from_s(*at), regions, seen).and_then(id)).collect()
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
