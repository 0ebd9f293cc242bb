//! The messages between the agent and its capture children: length-checked, on stdin and stdout.
//!
//! Pure over `Read` and `Write`. The parent trusts nothing in them, because a child reads hostile streams: sizes are checked
//! before memory is taken, and pictures must be as large as they say.

mod capture;
mod clip;
mod error;
mod framing;
mod probe;
mod stream;
mod version;

pub use capture::{
    CaptureEvent, CaptureStats, ClockFault, FromChild, Greeting, OpenSource, OpenTransport, Pace, PacketKind,
    RawFrame, RawPacket, SourceFault, ToChild, read_from_child, read_to_child, write_from_child,
    write_packet, write_to_child,
};
pub use clip::{ClipAnswer, ClipMessage, StillInfo};
pub use error::ProtoError;
#[cfg(feature = "camera")]
pub(crate) use framing::check_length;
pub use framing::{read_message, write_message};
pub use probe::{Act, ProbeAnswer, Stage};
pub use stream::StreamHeader;
pub use version::VERSION;

#[cfg(test)]
mod tests;
