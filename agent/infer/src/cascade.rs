//! Cascade: the street network sees every frame; a second one is shown parts of it at native scale, where the gate found
//! something that stays. Small things need the pixels, and most frames have nothing to show.
//!
//! [`Turns`] decides which part is next and is pure. One close-up a frame at most, so a frame costs two inferences at most.

use std::collections::BTreeMap;

use super::{Detection, Detector, DetectorError, Group};
use kerbside_domain::detection::CloseUp;
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::Mono;
use kerbside_seeing::gate::{RegionKind, StaticRegion};
use kerbside_seeing::incident::Observation;
use kerbside_seeing::pipeline::DetectionJob;

/// Between two close-ups of one region: it stands still, so its next frame says little more.
const REGION_EVERY_S: f64 = 2.0;
/// Between two close-ups of one camera, whatever stands there.
const CAMERA_EVERY_S: f64 = 0.5;
/// A part is so many times as wide as what it is about: a thing is known by its surroundings too.
const CONTEXT: f32 = 2.5;
/// And at least this share of the picture's width: enlarging shows no more.
const MIN_WIDTH: f32 = 0.25;
/// Width to height of a part in px, as of the networks' inputs.
const ASPECT: f32 = 5.0 / 3.0;
/// A region that people or vehicles cover so far would show them.
const COVERED: f32 = 0.5;

/// The networks of one worker.
pub struct Cascade {
    street: Box<dyn Detector>,
    close: Option<Box<dyn Detector>>,
    turns: Turns,
}

impl std::fmt::Debug for Cascade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cascade(close-ups: {})", self.close.is_some())
    }
}

/// What became of one frame.
#[derive(Debug)]
pub struct CascadeOutput {
    pub observation: Observation,
    /// Why it, or its close-up, could not be judged.
    pub failed: Option<DetectorError>,
}

impl Cascade {
    /// `close`: shown parts of frames; `None`: this box has no such network.
    pub fn new(street: Box<dyn Detector>, close: Option<Box<dyn Detector>>) -> Self {
        Cascade { street, close, turns: Turns::default() }
    }

    /// The network that sees whole frames.
    pub fn street(&mut self) -> &mut dyn Detector {
        &mut *self.street
    }

    /// Detects in one frame, and in the part of it whose turn it is. A failure costs this frame, never the next.
    pub fn observe(&mut self, job: DetectionJob) -> CascadeOutput {
        let detections = match self.street.detect(&job.frame) {
            Ok(detections) => detections,
            Err(error) => {
                return CascadeOutput { observation: job.undetected(), failed: Some(error) };
            }
        };
        let (close_up, failed) = match self.close_up(&job, &detections) {
            Ok(close_up) => (close_up, None),
            Err(error) => (None, Some(error)),
        };
        let observation = Observation { detections: Some(detections), close_up, ..job.undetected() };
        CascadeOutput { observation, failed }
    }

    fn close_up(&mut self, job: &DetectionJob, seen: &[Detection]) -> Result<Option<CloseUp>, DetectorError> {
        let Some(close) = &mut self.close else { return Ok(None) };
        let DetectionJob { frame, gate } = job;
        let Some(region) = self.turns.next(frame.camera, frame.at.mono, &gate.regions, seen) else {
            return Ok(None);
        };
        let Some((x, y, w, h)) = part_px(&region, frame.width, frame.height) else { return Ok(None) };
        let shown = frame.part(x, y, w, h);
        let share = |px: u32, of: u32| px as f32 / of as f32;
        let part = BBox {
            x: share(x, frame.width),
            y: share(y, frame.height),
            w: share(w, frame.width),
            h: share(h, frame.height),
        };
        let mut detections = close.detect(&shown)?;
        for detection in &mut detections {
            detection.bbox = detection.bbox.within(&part);
        }
        Ok(Some(CloseUp { part, detections }))
    }
}

/// When each region was last shown. Bounded by the regions that the gate knows.
#[derive(Debug, Default)]
pub struct Turns {
    shown: BTreeMap<(CameraIx, u32), Mono>,
    cameras: BTreeMap<CameraIx, Mono>,
}

impl Turns {
    /// The box of the region that has waited longest, if one is due; never shown comes first, then the lower id.
    fn next(
        &mut self,
        camera: CameraIx,
        at: Mono,
        regions: &[StaticRegion],
        seen: &[Detection],
    ) -> Option<BBox> {
        self.shown.retain(|(c, id), _| *c != camera || regions.iter().any(|r| r.id == *id));
        let due = |last: Option<&Mono>, every_s: f64| last.is_none_or(|last| at.since_s(*last) >= every_s);
        if !due(self.cameras.get(&camera), CAMERA_EVERY_S) {
            return None;
        }
        let open =
            |r: &&StaticRegion| r.kind == RegionKind::Appeared && !r.occluded && !is_covered(&r.bbox, seen);
        let waited = regions.iter().filter(open).map(|r| (self.shown.get(&(camera, r.id)), r));
        let waited = waited.filter(|(last, _)| due(*last, REGION_EVERY_S));
        let (_, region) = waited.min_by_key(|(last, r)| (last.copied(), r.id))?;
        self.shown.insert((camera, region.id), at);
        self.cameras.insert(camera, at);
        Some(region.bbox)
    }
}

fn is_covered(bbox: &BBox, seen: &[Detection]) -> bool {
    let movers = seen.iter().filter(|d| matches!(d.group, Group::Person | Group::Vehicle));
    let covered: f32 = movers.map(|d| d.bbox.intersection(bbox)).sum();
    covered >= COVERED * bbox.area()
}

/// The part around a box, in px of the frame: left, top, width, height; moved into the picture at its edges. `None`: the
/// frame is no picture.
fn part_px(bbox: &BBox, width: u32, height: u32) -> Option<(u32, u32, u32, u32)> {
    let (full_w, full_h) = (width as f32, height as f32);
    let needed = (bbox.w * full_w).max(bbox.h * full_h * ASPECT) * CONTEXT;
    let w = needed.max(MIN_WIDTH * full_w).min(full_w).min(full_h * ASPECT);
    let h = w / ASPECT;
    let (cx, cy) = bbox.centre();
    let place = |centre: f32, size: f32, full: f32| (centre * full - size / 2.0).clamp(0.0, full - size);
    let (x, y) = (place(cx, w, full_w), place(cy, h, full_h));
    let (x, y, w, h) = (x as u32, y as u32, w as u32, h as u32);
    (w > 0 && h > 0 && x + w <= width && y + h <= height).then_some((x, y, w, h))
}

#[cfg(test)]
mod tests {
    use super::super::FakeDetector;
    use super::super::fake::frame_of;
    use super::*;
    use kerbside_domain::frame::Frame;
    use kerbside_domain::time::Moment;
    use kerbside_seeing::gate::GateReport;

    fn region(id: u32, x: f32) -> StaticRegion {
        let bbox = BBox { x, y: 0.5, w: 0.05, h: 0.05 };
        let at = Mono::ZERO;
        let kind = RegionKind::Appeared;
        StaticRegion {
            id,
            bbox,
            area_norm: 0.002,
            appeared: at,
            still_since: at,
            occluded: false,
            similarity: 1.0,
            kind,
        }
    }

    fn boxed(group: Group, bbox: BBox) -> Detection {
        Detection { label: "thing".into(), group, confidence: 0.8, bbox }
    }

    /// Which region is shown at each of the moments, s.
    fn shown(at_s: &[f64], regions: &[StaticRegion], seen: &[Detection]) -> Vec<Option<u32>> {
        let mut turns = Turns::default();
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

    #[test]
    fn boxes_of_a_close_up_find_back_into_the_picture() {
        let whole = BBox { x: 0.25, y: 0.25, w: 0.5, h: 0.5 };
        let close = FakeDetector::default().say(CameraIx(0), 0, vec![boxed(Group::Waste, whole)]);
        let mut cascade = Cascade::new(Box::new(FakeDetector::default()), Some(Box::new(close)));
        let bbox = BBox { x: 0.5, y: 0.5, w: 0.02, h: 0.03 };
        let gate =
            GateReport { regions: vec![StaticRegion { bbox, ..region(1, 0.5) }], ..GateReport::default() };
        let frame = Frame { at: Moment::default(), ..frame_of(640, 360, |_, _| [9; 3]) };
        let seen = cascade.observe(DetectionJob { frame, gate });
        let close_up = seen.observation.close_up.expect("the region is due");
        let px = |b: &BBox| [b.x * 640.0, b.y * 360.0, b.w * 640.0, b.h * 360.0].map(f32::round);
        assert_eq!(px(&close_up.part), [246.0, 137.0, 160.0, 96.0]);
        assert_eq!(px(&close_up.detections[0].bbox), [286.0, 161.0, 80.0, 48.0]);
        assert_eq!(seen.observation.detections, Some(vec![]));
        assert!(seen.failed.is_none());
    }

    #[test]
    fn a_close_up_that_fails_costs_only_itself() {
        let mut close = FakeDetector::default();
        close.failing = vec![0];
        let mut cascade = Cascade::new(Box::new(FakeDetector::default()), Some(Box::new(close)));
        let gate = GateReport { regions: vec![region(1, 0.5)], ..GateReport::default() };
        let seen = cascade.observe(DetectionJob { frame: frame_of(64, 36, |_, _| [9; 3]), gate });
        assert_eq!((seen.observation.detections, seen.observation.close_up), (Some(vec![]), None));
        assert!(seen.failed.is_some());
    }
}
