//! The agent's side of a camera: a capture child and its replacement, its time on our clock, the feeding of the ring.
//!
//! It touches no codec: that is the child's business.

mod backoff;
mod budget;
mod cell;
mod connect;
mod enclosure;
mod liveness;
mod probe;
mod process;
mod program;
mod reach;
mod said;
mod session;
mod settings;
mod start;
mod timeline;
mod tls;
mod trial;
mod tunnel;
mod walls;

pub(crate) use enclosure::start_clip;
pub use probe::{ProbeError, ProbeOutcome, confinement, probe};
pub use program::CaptureProgram;
pub use session::CaptureSession;
pub use settings::CaptureSettings;
pub use trial::{CameraSeen, CameraTrouble, try_camera};
pub use walls::Walls;
