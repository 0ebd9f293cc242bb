//! What a cutting child shall write, and what it wrote.

use std::path::PathBuf;

use kerbside_domain::frame::{BBox, Packet, StreamInfo};

/// What the child shall write. Paths are temporary names; pictures are full resolution JPEG.
#[derive(Clone, Debug)]
pub struct CutJob {
    pub stream: StreamInfo,
    pub packets: Vec<Packet>,
    pub clip: Option<PathBuf>,
    pub pictures: Vec<PictureJob>,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct PictureJob {
    /// The frame at or just before this pts, in ticks of the stream.
    pub pts: i64,
    pub path: PathBuf,
    pub max_bytes: u64,
    /// Drawn into the picture; none for a plain one.
    pub marks: Vec<Mark>,
}

/// A drawing, in shares of the picture.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Mark {
    Box {
        bbox: BBox,
        label: String,
        emphasis: bool,
    },
    Zone {
        polygon_norm: Vec<(f32, f32)>,
    },
    /// A line of text at the lower edge (ASCII).
    Caption(String),
}

/// What the child wrote.
#[derive(Clone, Debug, Default)]
pub struct CutDone {
    pub clip_written: bool,
    /// Per picture of the job, in its order: written or why not.
    pub pictures: Vec<Result<(), String>>,
}
