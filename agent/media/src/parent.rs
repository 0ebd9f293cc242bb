//! The agent's side of a camera: a capture child and its replacement, its time on our clock, the feeding of the ring.
//!
//! It touches no codec: that is the child's business.

mod backoff;
mod liveness;
mod process;
mod program;
mod session;
mod settings;
mod timeline;

pub use program::CaptureProgram;
pub use session::CaptureSession;
pub use settings::CaptureSettings;
