//! Health: what the box reports of itself. Metrics, liveness of the stages, and the loopback server that shows both.
//!
//! It knows names and numbers, nothing of what the stages do.

mod ends;
mod liveness;
mod metrics;
mod server;
mod warnings;

pub(crate) use ends::{Ends, Stays, end_with_a_panic};
pub(crate) use liveness::{Liveness, Pulse, notify_ready, notify_stopping, supervise};
pub(crate) use metrics::{
    CameraMetrics, DeliveryOutcome, DropPolicy, Metrics, Priority, Queue, SensorMetrics, Stage, raise,
};
pub(crate) use server::{HealthError, bind};
pub(crate) use warnings::CameraWarnings;
