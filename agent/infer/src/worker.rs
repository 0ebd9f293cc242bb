//! Worker: the thread that takes frames from the slots, detects, and hands them on. One per cascade of model sessions.
//!
//! A frame that cannot be judged costs itself, never the worker: it goes on without detections, and is counted.

use std::sync::Arc;
use std::thread::JoinHandle;

use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::{Clock, Mono};
use kerbside_seeing::incident::Observation;
use kerbside_seeing::pipeline::DetectionJob;

use crate::cascade::{Cascade, CascadeOutput};
use crate::slots::Slots;

/// What one inference took, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InferenceTiming {
    pub camera: CameraIx,
    /// From the camera showing the frame to the end of its inference.
    pub age_s: f64,
    /// Of all networks that it was shown to.
    pub inference_s: f64,
    pub close_up: bool,
    pub ok: bool,
}

/// Works until the slots are closed. `observe` hears of every inference, `done` gets every frame.
pub fn run(
    slots: &Slots<DetectionJob>,
    cascade: &mut Cascade,
    clock: &dyn Clock,
    mut observe: impl FnMut(InferenceTiming),
    mut done: impl FnMut(Observation),
) {
    while let Some(mut job) = slots.wait(clock) {
        if slots.waiting() > 0 {
            // The sweep yields to every frame that waits; it will want its parts again.
            job.sweep.retain(|_| !job.gate.due_for_detection);
        }
        let begin: Mono = clock.now().mono;
        let CascadeOutput { observation, failed } = cascade.observe(job);
        if let Some(error) = &failed {
            tracing::warn!(camera = observation.camera.0, seq = observation.seq, %error, "a frame or its close-up was not analysed");
        }
        let end = clock.now().mono;
        observe(InferenceTiming {
            camera: observation.camera,
            age_s: end.since_s(observation.at.mono),
            inference_s: end.since_s(begin),
            close_up: observation.close_up.is_some(),
            ok: failed.is_none(),
        });
        done(observation);
    }
}

/// [`run`] on a thread of its own. It ends when the slots are closed.
pub fn spawn(
    slots: Arc<Slots<DetectionJob>>,
    mut cascade: Cascade,
    clock: Arc<dyn Clock>,
    observe: impl FnMut(InferenceTiming) + Send + 'static,
    done: impl FnMut(Observation) + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let body = move || run(&slots, &mut cascade, &*clock, observe, done);
    std::thread::Builder::new().name("detector".to_owned()).spawn(body)
}

#[cfg(test)]
mod tests {
    use kerbside_domain::detection::{Detection, Group};
    use kerbside_domain::frame::{BBox, Frame};
    use kerbside_domain::time::VirtualClock;
    use kerbside_seeing::gate::GateReport;

    use super::*;
    use crate::fake::{FakeDetector, frame_of};
    use crate::schedule::Urgency;

    fn job(camera: u16, seq: u64) -> DetectionJob {
        let frame = Frame { camera: CameraIx(camera), seq, ..frame_of(8, 8, |_, _| [0; 3]) };
        DetectionJob { frame, gate: GateReport::default(), due_per_s: 5.0, sweep: Vec::new() }
    }

    #[test]
    fn a_bad_frame_costs_itself_and_the_next_is_seen() {
        let person = Detection {
            label: "person".into(),
            group: Group::Person,
            confidence: 0.9,
            bbox: BBox::default(),
        };
        let mut detector = FakeDetector::default().with(CameraIx(1), 8, vec![person.clone()]);
        detector.failing = vec![7];
        let slots = Slots::new(2);
        let clock = VirtualClock::new(0);
        clock.advance_to(Mono::from_s(0.5));
        for job in [job(0, 7), job(1, 8)] {
            let urgency = Urgency::of(&job, 0.2);
            assert!(slots.offer(job.frame.camera, urgency, job).is_none());
        }
        let (mut observed, mut seen) = (Vec::new(), Vec::new());
        run(
            &slots,
            &mut Cascade::new(Box::new(detector), None),
            &*clock,
            |o| observed.push(o),
            |frame| {
                seen.push(frame);
                if seen.len() == 2 {
                    slots.close();
                }
            },
        );
        let detections: Vec<_> = seen.into_iter().map(|s| (s.seq, s.detections)).collect();
        assert_eq!(detections, [(7, None), (8, Some(vec![person]))]);
        assert_eq!(
            observed.iter().map(|o| (o.camera.0, o.ok, o.age_s)).collect::<Vec<_>>(),
            [(0, false, 0.5), (1, true, 0.5)]
        );
    }
}
