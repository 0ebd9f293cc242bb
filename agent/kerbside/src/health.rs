//! Health: what the box says of itself. Metrics, liveness of the stages, and the loopback server that shows both.
//!
//! It knows names and numbers, nothing of what the stages do.

mod liveness;
mod metrics;
mod server;

pub use liveness::{Liveness, Pulse, StageAge, notify_ready, notify_stopping, watch};
pub use metrics::{CameraMetrics, Metrics, SensorMetrics, Stage};
pub use server::{HealthError, Server, bind};
