//! What a clip child shall write, and what it wrote.

use std::path::PathBuf;

use kerbside_domain::frame::{Packet, StreamInfo};
use serde::{Deserialize, Serialize};

use crate::picture::Drawing;

/// Packets of one stream, and the files to make of them. Paths are temporary names.
#[derive(Clone, Debug)]
pub struct ClipJob {
    pub stream: StreamInfo,
    pub packets: Vec<Packet>,
    /// The packets as they are, as MP4.
    pub clip: Option<PathBuf>,
    pub stills: Vec<StillJob>,
}

/// One picture at full resolution, as JPEG.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StillJob {
    /// The frame at or just before this pts, in ticks of the stream.
    pub pts: i64,
    pub path: PathBuf,
    /// The file is at most this large; quality, then size is reduced for it.
    pub max_bytes: u64,
    /// Drawn into the picture; none for a plain one.
    pub drawings: Vec<Drawing>,
}

/// What the child wrote.
#[derive(Clone, Debug, Default)]
pub struct ClipOutput {
    pub clip_written: bool,
    /// For each still of the job, in its order: written, or why not.
    pub stills: Vec<Result<(), String>>,
}
