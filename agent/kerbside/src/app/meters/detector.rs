//! What a detector's thread reports.

use kerbside_infer::worker::InferenceTiming;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use crate::health::{DropPolicy, Metrics, Stage};

pub(crate) struct DetectorMeter {
    frames: Counter,
    failed: Counter,
    inference: Histogram,
    close_ups: Counter,
    /// One a camera.
    ages: Vec<Histogram>,
}

impl DetectorMeter {
    pub(super) fn new(metrics: &Metrics, ages: Vec<Histogram>) -> Self {
        DetectorMeter {
            frames: metrics.stage(Stage::Detector),
            failed: metrics.dropped(DropPolicy::DetectorFailedFrame),
            inference: metrics.inference(),
            close_ups: metrics.stage(Stage::CloseUp),
            ages,
        }
    }

    pub(crate) fn observe(&self, timing: InferenceTiming) {
        self.frames.inc();
        self.inference.observe(timing.inference_s);
        if let Some(age) = self.ages.get(usize::from(timing.camera.0)) {
            age.observe(timing.age_s);
        }
        if timing.close_up {
            self.close_ups.inc();
        }
        if !timing.ok {
            self.failed.inc();
        }
    }
}
