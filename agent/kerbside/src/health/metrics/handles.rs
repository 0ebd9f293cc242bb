//! Handles of several metrics that one stage holds.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::labels::{ByCameraOff, CameraCondition};
use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::frame::Level;

/// Handles of one camera.
#[derive(Clone, Debug)]
pub(crate) struct CameraMetrics {
    /// Observe the age of a frame, s, when its inference ended.
    pub(crate) frame_age: Histogram,
    pub(crate) frames: Counter,
    pub(crate) decode_errors: Counter,
    pub(crate) clock_faults: Counter,
    pub(crate) large_groups: Counter,
    pub(super) level: Gauge,
    pub(super) ring_bytes: Gauge,
    pub(super) ring_seconds: Gauge<f64, AtomicU64>,
    pub(super) states: [(CameraCondition, Gauge); 3],
    /// 1 for each wall that stands whole: files, network, system calls.
    pub(crate) confined: [Gauge; 3],
    pub(super) id: String,
    /// Of all cameras; a reason is there once it occurred.
    pub(super) off: Family<ByCameraOff, Gauge>,
}

impl CameraMetrics {
    /// The camera's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn set_level(&self, level: Level) {
        self.level.set(match level {
            Level::L0 => 0,
            Level::L1 => 1,
            Level::L2 => 2,
        });
    }

    /// What the camera's packet ring holds now.
    pub(crate) fn set_ring(&self, bytes: usize, seconds: f64) {
        self.ring_bytes.set(bytes as i64);
        self.ring_seconds.set(seconds);
    }

    pub(crate) fn set_state(&self, state: CameraState) {
        let now = match state {
            CameraState::Watching => CameraCondition::Watching,
            CameraState::Blind(_) => CameraCondition::Blind,
            CameraState::Off(_) => CameraCondition::Off,
        };
        for (condition, gauge) in &self.states {
            gauge.set(i64::from(*condition == now));
        }
        let reason = if let CameraState::Off(reason) = state { Some(reason) } else { None };
        for other in Off::ALL {
            let label = ByCameraOff { camera: self.id.clone(), reason: other.as_str() };
            if Some(other) == reason {
                self.off.get_or_create_owned(&label).set(1);
            } else if let Some(gauge) = self.off.get(&label) {
                gauge.set(0);
            }
        }
    }
}

/// Handles of the sensor and GNSS adapters.
#[derive(Clone, Debug)]
pub(crate) struct SensorMetrics {
    pub(crate) accepted: Counter,
    pub(crate) suspicious: Counter,
    pub(crate) malformed: Counter,
    pub(crate) unknown_topic: Counter,
    pub(crate) no_answer: Counter,
    pub(crate) refused: Counter,
    pub(crate) line_lost: Counter,
    pub(crate) readings_dropped: Counter,
    pub(crate) gnss_good: Counter,
    pub(crate) gnss_bad: Counter,
    pub(crate) gnss_dropped: Counter,
}

/// Raises a counter to a total that its stage keeps itself.
pub(crate) fn raise(counter: &Counter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}
