//! What a camera's thread reports.

use std::sync::Arc;

use kerbside_domain::frame::Level;
use kerbside_media::ring::PacketRing;
use kerbside_media::{CameraWarning, CaptureStats, Confinement};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;

use crate::health::{CameraMetrics, CameraWarnings, DropPolicy, Metrics, Pulse, Stage};

pub(crate) struct CameraMeter {
    metrics: CameraMetrics,
    ring: Arc<Mutex<PacketRing>>,
    frames: Counter,
    packets: Counter,
    overwritten: Counter,
    skipped: Counter,
    overtaking: Counter,
    /// The totals of the running capture child.
    last: CaptureStats,
    pulse: Pulse,
    warnings: CameraWarnings,
}

impl CameraMeter {
    pub(super) fn new(
        metrics: &Metrics,
        of_camera: CameraMetrics,
        ring: Arc<Mutex<PacketRing>>,
        pulse: Pulse,
        warnings: CameraWarnings,
    ) -> Self {
        CameraMeter {
            metrics: of_camera,
            ring,
            frames: metrics.stage(Stage::Gate),
            packets: metrics.stage(Stage::Source),
            overwritten: metrics.dropped(DropPolicy::SlotOlderFrame),
            skipped: metrics.dropped(DropPolicy::CaptureOlderFrame),
            overtaking: metrics.dropped(DropPolicy::IdleFrameOvertaking),
            last: CaptureStats::default(),
            pulse,
            warnings,
        }
    }

    pub(crate) fn frame(&self, level: Level) {
        self.pulse.beat();
        self.frames.inc();
        self.metrics.frames.inc();
        self.metrics.set_level(level);
        let ring = self.ring.lock();
        let span_s = ring.latest().zip(ring.oldest()).map_or(0.0, |(to, from)| to.mono.since_s(from.mono));
        self.metrics.set_ring(ring.bytes(), span_s);
    }

    /// The slot held an older frame, which is lost.
    pub(crate) fn overwritten(&self) {
        self.overwritten.inc();
    }

    /// A frame without a detector run came while the detector still had an earlier one.
    pub(crate) fn overtaking(&self) {
        self.overtaking.inc();
    }

    /// Totals of the capture child, which begin anew with each child.
    pub(crate) fn capture(&mut self, stats: &CaptureStats) {
        self.packets.inc_by(stats.packets.saturating_sub(self.last.packets));
        self.skipped.inc_by(stats.frames_dropped.saturating_sub(self.last.frames_dropped));
        self.metrics.decode_errors.inc_by(stats.decode_errors.saturating_sub(self.last.decode_errors));
        self.last = *stats;
    }

    /// What stands around the capture child.
    pub(crate) fn confined(&self, stands: &Confinement) {
        for (gauge, (_, wall)) in self.metrics.confined.iter().zip(stands.walls()) {
            gauge.set(i64::from(wall.is_whole()));
        }
    }

    /// Something of the camera is to be put right, until its child is replaced.
    pub(crate) fn warned(&self, warning: CameraWarning) {
        let counter = match warning {
            CameraWarning::Clock(_) => &self.metrics.clock_faults,
            CameraWarning::Ring { .. } => &self.metrics.large_groups,
        };
        counter.inc();
        self.warnings.set(self.metrics.id(), warning);
    }

    pub(crate) fn restarted(&mut self) {
        self.last = CaptureStats::default();
        self.warnings.clear(self.metrics.id());
    }

    /// The camera's source ended as it should: nobody waits for its pulse. Never said by a thread that panics.
    pub(crate) fn ended(&self) {
        self.pulse.end();
    }

    pub(crate) fn alive(&self) {
        self.pulse.beat();
    }
}
