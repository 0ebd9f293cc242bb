//! What a clip child shall write, and what it wrote.

use std::path::PathBuf;

use kerbside_domain::frame::{BBox, Packet, StreamInfo};
use serde::{Deserialize, Serialize};

use crate::picture::Drawing;

/// Packets of one stream, and the files to make of them. Paths are temporary names.
#[derive(Clone, Debug)]
pub struct ClipJob {
    pub stream: StreamInfo,
    pub packets: Vec<Packet>,
    /// As MP4: the packets as they are where browsers play their codec.
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
    /// Only this part of the picture; `None`: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Crop>,
}

/// A part of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crop {
    /// In shares of the upright picture.
    pub window: BBox,
    /// The part is enlarged to this width if it has fewer pixels, px.
    pub min_width: u32,
}

/// How a clip was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipForm {
    /// The packets as the camera sent them.
    AsSent,
    /// In this codec, since no browser plays the camera's.
    Encoded(String),
    /// As the camera sent them, in a codec that no browser plays: it could not be encoded again, and why.
    Unplayable(String),
}

/// What the child wrote.
#[derive(Clone, Debug, Default)]
pub struct ClipOutput {
    /// How the clip was written; `None` if it was not.
    pub clip: Option<ClipForm>,
    /// For each still of the job, in its order: presentation time of the picture that it shows, in ticks of the stream, or why it
    /// was not written. A damaged picture is replaced by the nearest whole one.
    pub stills: Vec<Result<i64, String>>,
}
