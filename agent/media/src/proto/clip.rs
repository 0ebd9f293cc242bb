//! What the parent sends to a clip child (`capture --clip`), and the one answer.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::stream::StreamHeader;
use crate::clip_job::{ClipForm, StillJob};

/// Parent to clip child: one job, then its packets, then the end of the pipe.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipMessage {
    /// What to write.
    Job {
        /// Describes the packets; its extradata is the blob.
        stream: StreamHeader,
        /// Where the clip goes, if one is wanted.
        clip: Option<PathBuf>,
        /// The stills that are wanted.
        stills: Vec<StillJob>,
    },
    /// One packet; its bytes are the blob. Times are in ticks of the stream.
    Packet {
        /// Presentation time.
        pts: i64,
        /// Decoding time.
        dts: i64,
        /// How long it is shown.
        duration: i64,
        /// Decoding can begin here.
        key: bool,
        /// Pictures that must be decoded from here on until they are whole.
        refresh: u16,
        /// Something of it is missing.
        damaged: bool,
    },
}

/// The clip child's only answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClipAnswer {
    /// `None` if no clip was wanted.
    pub clip: Option<Result<ClipForm, String>>,
    /// In the order of the job.
    pub stills: Vec<Result<StillInfo, String>>,
}

/// A still that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StillInfo {
    /// Size of the file.
    pub bytes: u64,
    /// Width of the JPEG, px: smaller than the stream's if the limit of bytes demands it.
    pub width: u32,
    /// Height of the JPEG, px.
    pub height: u32,
    /// Presentation time of the frame that it really shows, ticks.
    pub pts: i64,
}
