//! Media: cameras through capture children, the packet ring, clips and pictures. FFmpeg and OpenCV are used only here.
//!
//! Whatever a camera sends is demuxed and decoded in a child process, so that a hostile or broken stream costs one camera a
//! few seconds and never the box. The two processes exchange checked messages over pipes:
//!
//! * [`parent`]: runs in the agent. [`parent::CaptureSession`] starts a child for each camera, replaces it when it fails, dates
//!   what it sends and feeds the [`ring`]. It touches no codec.
//! * [`child`]: runs in the child. [`child::capture`] demuxes and decodes one camera, [`child::clip`] writes the clip and the
//!   stills of one job. Only here are bytes of a camera given to FFmpeg or OpenCV.
//! * [`proto`]: the messages between the two.
//! * [`source`]: the seam. The agent takes frames from a [`FrameSource`] by a [`FrameSink`]; [`scripted`] is the fake of tests.
//! * [`signed_video`]: signatures that a camera puts into its stream, and where a clip must end so that none is missing.
//! * [`clip`]: what a clip job is, and its parent's side.
//! * [`picture`]: sizes, scaling and drawing, the same bytes on every machine; both processes use it.
//! * [`annotated_video`]: the video that a replay draws, of our own pictures, in the parent.
//! * [`confinement`]: what keeps a child in, and the words for how far it does.
//! * `tuning`: every constant of this crate with its unit and reason.
//!
//! A packet goes from `child` to the [`ring`]; a frame goes from `child` to the sink; a clip goes from the ring to a file.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

#[cfg(feature = "camera")]
pub mod annotated_video;
pub mod child;
pub mod clip;
mod clip_job;
pub mod confinement;
mod dial;
pub mod parent;
pub mod picture;
pub mod proto;
pub mod ring;
pub mod scripted;
pub mod signed_video;
pub mod source;
pub(crate) mod tuning;
pub mod url;

pub use confinement::{Confinement, Wall};
pub use parent::{CaptureProgram, CaptureSession, CaptureSettings, Walls};
pub use proto::{CaptureStats, ClockFault, Pace};
pub use ring::{PacketRing, RingSpan};
pub use source::{CameraWarning, FrameSink, FrameSource, Notice, SourceEnd, StopSignal};

/// Name and version of each native library built in, for `doctor`.
#[cfg(feature = "camera")]
pub fn versions() -> Vec<(String, String)> {
    let dotted = |v: u32| format!("{}.{}.{}", v >> 16, (v >> 8) & 255, v & 255);
    let opencv = ::opencv::core::get_version_string().unwrap_or_else(|e| e.message);
    vec![
        ("libavcodec".to_owned(), dotted(ffmpeg_next::codec::version())),
        ("libavformat".to_owned(), dotted(ffmpeg_next::format::version())),
        ("OpenCV".to_owned(), opencv),
    ]
}
