//! Cascade: the street network sees every frame. A second network is shown parts of it at native scale, where the gate found
//! something that stays: small things need the pixels, and most frames have nothing to show.
//!
//! At most one close-up a frame; a third network, the witness, may be asked about the same thing. So a frame costs three
//! inferences at most.

use kerbside_domain::detection::{CloseUp, Detection};
use kerbside_domain::frame::{BBox, Frame};
use kerbside_seeing::incident::{Observation, SweepLook};
use kerbside_seeing::pipeline::DetectionJob;

use crate::close_up::{CloseUpTurns, Turn, part_px, square_px, tile_px};
use crate::detector::Detector;
use crate::error::DetectorError;

/// The networks of one worker.
pub struct Cascade {
    street: Box<dyn Detector>,
    close_up: Option<Box<dyn Detector>>,
    witness: Option<Box<dyn Detector>>,
    turns: CloseUpTurns,
}

impl std::fmt::Debug for Cascade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cascade(close-ups: {}, witness: {})", self.close_up.is_some(), self.witness.is_some())
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
    /// `close_up`: is shown parts of frames; `None`: this box has no such network.
    pub fn new(street: Box<dyn Detector>, close_up: Option<Box<dyn Detector>>) -> Self {
        Cascade { street, close_up, witness: None, turns: CloseUpTurns::default() }
    }

    /// With a network that names what a close-up is about as a whole; `None`: this box has none.
    pub fn with_witness(self, witness: Option<Box<dyn Detector>>) -> Self {
        Cascade { witness, ..self }
    }

    /// The network that sees whole frames.
    pub fn street(&mut self) -> &mut dyn Detector {
        &mut *self.street
    }

    /// Detects in one frame, and in the part of it whose turn it is. A failure costs this frame, never the next.
    pub fn observe(&mut self, job: DetectionJob) -> CascadeOutput {
        if !job.is_due() {
            let (sweep, failed) = self.sweep(&job);
            return CascadeOutput { observation: Observation { sweep, ..job.undetected() }, failed };
        }
        let detections = match self.street.detect(&job.frame) {
            Ok(detections) => detections,
            Err(error) => {
                return CascadeOutput { observation: job.undetected(), failed: Some(error) };
            }
        };
        let ((close_up, witness), failed) = self.show_parts(&job, &detections);
        let (sweep, failed) = match failed {
            None => self.sweep(&job),
            failed => (Vec::new(), failed),
        };
        let (detections, witness) = (Some(detections), witness.map(Box::new));
        let observation = Observation { detections, close_up, witness, sweep, ..job.undetected() };
        CascadeOutput { observation, failed }
    }

    /// The parts that the sweep wants. The first failure ends it; what was seen before it stands.
    fn sweep(&mut self, job: &DetectionJob) -> (Vec<SweepLook>, Option<DetectorError>) {
        let Some(network) = &mut self.close_up else { return (Vec::new(), None) };
        let mut looks = Vec::new();
        for asked in &job.sweep {
            let Some(px) = tile_px(asked, job.frame.width, job.frame.height) else { continue };
            let (shown, part) = cut(&job.frame, px);
            match network.suspect(&shown) {
                Ok(mut detections) => {
                    detections.iter_mut().for_each(|d| d.bbox = d.bbox.within(&part));
                    looks.push(SweepLook { asked: *asked, part, detections });
                }
                Err(error) => return (looks, Some(error)),
            }
        }
        (looks, None)
    }

    /// The region whose turn it is, to the close-up network and to the witness. What the first saw stands if the second fails.
    fn show_parts(
        &mut self,
        job: &DetectionJob,
        detections: &[Detection],
    ) -> ((Option<CloseUp>, Option<CloseUp>), Option<DetectorError>) {
        let DetectionJob { frame, gate, .. } = job;
        if self.close_up.is_none() && self.witness.is_none() {
            return ((None, None), None);
        }
        let turn = self.turns.next(frame.camera, frame.at.mono, &gate.regions, detections);
        let Some(Turn { bbox, witness: about }) = turn else { return ((None, None), None) };
        let close_up = show(&mut self.close_up, frame, part_px(&bbox, frame.width, frame.height));
        let close_up = match close_up {
            Ok(close_up) => close_up,
            Err(error) => return ((None, None), Some(error)),
        };
        let square = about.and_then(|about| square_px(&about, frame.width, frame.height));
        match show(&mut self.witness, frame, square) {
            Ok(witness) => ((close_up, witness), None),
            Err(error) => ((close_up, None), Some(error)),
        }
    }
}

/// A part of a frame, px, to a network; `None`: the box has no such network, or there is no such part.
fn show(
    network: &mut Option<Box<dyn Detector>>,
    frame: &Frame,
    px: Option<(u32, u32, u32, u32)>,
) -> Result<Option<CloseUp>, DetectorError> {
    let (Some(network), Some(px)) = (network, px) else { return Ok(None) };
    let (shown, part) = cut(frame, px);
    let mut found = network.detect(&shown)?;
    found.iter_mut().for_each(|detection| detection.bbox = detection.bbox.within(&part));
    Ok(Some(CloseUp { part, detections: found }))
}

/// A part of a frame, and where it is in shares of the whole.
fn cut(frame: &Frame, (x, y, w, h): (u32, u32, u32, u32)) -> (Frame, BBox) {
    let share = |px: u32, of: u32| px as f32 / of as f32;
    let part = BBox {
        x: share(x, frame.width),
        y: share(y, frame.height),
        w: share(w, frame.width),
        h: share(h, frame.height),
    };
    (frame.part(x, y, w, h), part)
}

#[cfg(test)]
mod tests {
    use kerbside_domain::detection::Group;
    use kerbside_domain::frame::CameraIx;
    use kerbside_domain::time::Moment;
    use kerbside_seeing::gate::{GateReport, StaticRegion};

    use super::*;
    use crate::fake::{FakeDetector, boxed, frame_of, region};

    fn job(frame: Frame, gate: GateReport) -> DetectionJob {
        DetectionJob { frame, gate, due_per_s: 5.0, sweep: Vec::new() }
    }

    #[test]
    fn boxes_of_a_close_up_find_back_into_the_picture() {
        let whole = BBox { x: 0.25, y: 0.25, w: 0.5, h: 0.5 };
        let close = FakeDetector::default().with(CameraIx(0), 0, vec![boxed(Group::Waste, whole)]);
        let mut cascade = Cascade::new(Box::new(FakeDetector::default()), Some(Box::new(close)));
        let bbox = BBox { x: 0.5, y: 0.5, w: 0.02, h: 0.03 };
        let gate =
            GateReport { regions: vec![StaticRegion { bbox, ..region(1, 0.5) }], ..GateReport::default() };
        let frame = Frame { at: Moment::default(), ..frame_of(640, 360, |_, _| [9; 3]) };
        let seen = cascade.observe(job(frame, gate));
        let close_up = seen.observation.close_up.expect("the region is due");
        let px = |b: &BBox| [b.x * 640.0, b.y * 360.0, b.w * 640.0, b.h * 360.0].map(f32::round);
        assert_eq!(px(&close_up.part), [246.0, 137.0, 160.0, 96.0]);
        assert_eq!(px(&close_up.detections[0].bbox), [286.0, 161.0, 80.0, 48.0]);
        assert_eq!(seen.observation.detections, Some(vec![]));
        assert!(seen.failed.is_none());
    }

    #[test]
    fn the_sweep_is_shown_its_parts_and_a_frame_that_is_not_due_nothing_else() {
        let whole = BBox { x: 0.25, y: 0.25, w: 0.5, h: 0.5 };
        let close = FakeDetector::default().with(CameraIx(0), 0, vec![boxed(Group::Waste, whole)]);
        let mut cascade = Cascade::new(Box::new(FakeDetector::default()), Some(Box::new(close)));
        let tile = |x: f32| BBox { x, y: 0.5, w: 0.25, h: 0.27 };
        let job = |due_for_detection: bool| DetectionJob {
            frame: frame_of(640, 360, |_, _| [9; 3]),
            gate: GateReport { due_for_detection, ..GateReport::default() },
            due_per_s: 5.0,
            sweep: vec![tile(0.1), tile(0.5)],
        };
        for due in [true, false] {
            let seen = cascade.observe(job(due)).observation;
            assert_eq!(seen.detections.is_some(), due);
            assert_eq!(seen.sweep.iter().map(|look| look.asked).collect::<Vec<_>>(), [tile(0.1), tile(0.5)]);
            let found = seen.sweep[1].detections[0].bbox;
            assert!(found.intersection(&seen.sweep[1].part) > 0.99 * found.area(), "{found:?}");
        }
    }

    #[test]
    fn the_witness_names_the_square_about_the_region_and_costs_the_close_up_nothing_when_it_fails() {
        let whole = BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
        let bbox = BBox { x: 0.5, y: 0.5, w: 0.2, h: 0.3 };
        for fails in [false, true] {
            let mut witness = FakeDetector::default().with(CameraIx(0), 0, vec![boxed(Group::Stall, whole)]);
            witness.failing = if fails { vec![0] } else { vec![] };
            let mut cascade =
                Cascade::new(Box::new(FakeDetector::default()), Some(Box::new(FakeDetector::default())))
                    .with_witness(Some(Box::new(witness)));
            let regions = vec![StaticRegion { bbox, ..region(1, 0.5) }];
            let gate = GateReport { regions, ..GateReport::default() };
            let seen = cascade.observe(job(frame_of(640, 360, |_, _| [9; 3]), gate));
            assert!(seen.observation.close_up.is_some());
            assert_eq!(seen.failed.is_some(), fails);
            let said = seen.observation.witness.map(|look| (look.part, look.detections[0].bbox));
            let px = |b: BBox| [b.x * 640.0, b.y * 360.0, b.w * 640.0, b.h * 360.0].map(f32::round);
            let square = [307.0, 157.0, 153.0, 153.0];
            assert_eq!(said.map(|(part, bbox)| (px(part), px(bbox))), (!fails).then_some((square, square)));
        }
    }

    #[test]
    fn a_close_up_that_fails_costs_only_itself() {
        let mut close = FakeDetector::default();
        close.failing = vec![0];
        let mut cascade = Cascade::new(Box::new(FakeDetector::default()), Some(Box::new(close)));
        let gate = GateReport { regions: vec![region(1, 0.5)], ..GateReport::default() };
        let seen = cascade.observe(job(frame_of(64, 36, |_, _| [9; 3]), gate));
        assert_eq!((seen.observation.detections, seen.observation.close_up), (Some(vec![]), None));
        assert!(seen.failed.is_some());
    }
}
