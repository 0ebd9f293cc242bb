//! What travels between source and detector: packets, looks and boxes. Plain data, no library types.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::time::Moment;

/// Width and height of the luma plane that the gate sees, px.
pub const LUMA_WIDTH: usize = 160;
pub const LUMA_HEIGHT: usize = 90;

/// Index of a camera in the checked configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CameraIx(pub u16);

/// How much of a stream is decoded (design: decode ladder). L3, one GOP on demand, is a request, not a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Nothing; the ring fills.
    L0,
    /// Key frames.
    #[default]
    L1,
    /// Every frame.
    L2,
}

/// Key frames further apart than this cannot carry [`Level::L1`], s.
pub const SPARSE_KEY_S: f64 = 4.0;

/// What a stream is, known once its headers are read. A change of any field starts a new epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// Counts (re)starts and parameter changes within one source session; packets of different epochs never share a clip.
    pub epoch: u32,
    /// FFmpeg's codec name: `h264`, `hevc`, `mjpeg`, ...
    pub codec: String,
    pub width: u32,
    pub height: u32,
    /// Seconds per tick of `pts` and `dts`, as numerator and denominator.
    pub time_base: (i32, i32),
    /// Average frame rate if the container says so, frames/s; 0 when unknown.
    pub fps: f32,
    /// Codec extradata (SPS/PPS and the like), as the demuxer gave it.
    pub extradata: Bytes,
}

/// One encoded packet as the camera sent it.
#[derive(Clone, Debug)]
pub struct Packet {
    pub epoch: u32,
    /// In ticks of the stream's time base.
    pub pts: i64,
    pub dts: i64,
    pub duration: i64,
    pub key: bool,
    /// When the camera showed it, on the line's clock (pts mapped to the monotonic clock).
    pub at: Moment,
    pub data: Bytes,
}

/// A decoded picture, small, for gate and detector.
#[derive(Clone)]
pub struct Frame {
    pub camera: CameraIx,
    /// Counts the looks of a camera since its session began.
    pub seq: u64,
    pub epoch: u32,
    pub pts: i64,
    /// When the camera showed it.
    pub at: Moment,
    pub level: Level,
    pub width: u32,
    pub height: u32,
    /// RGB24, row by row, no padding: `width * height * 3` bytes.
    pub rgb: Bytes,
    /// Luma, `LUMA_WIDTH * LUMA_HEIGHT` bytes, the whole picture stretched to that size.
    pub luma: Bytes,
}

impl Frame {
    /// A part of the picture at its own scale, px; what lies outside is left out. The luma stays that of the whole.
    pub fn part(&self, x: u32, y: u32, width: u32, height: u32) -> Frame {
        let (x, y) = (x.min(self.width), y.min(self.height));
        let (width, height) = (width.min(self.width - x), height.min(self.height - y));
        let rows = self.rgb.chunks_exact(self.width.max(1) as usize * 3);
        let columns = x as usize * 3..(x + width) as usize * 3;
        let rows = rows.skip(y as usize).take(height as usize);
        let rgb: Vec<u8> =
            rows.flat_map(|row| row.get(columns.clone()).unwrap_or_default()).copied().collect();
        Frame { width, height, rgb: Bytes::from(rgb), ..self.clone() }
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Frame({:?} #{} {}x{} at {:?})",
            self.camera, self.seq, self.width, self.height, self.at.mono
        )
    }
}

/// A box in shares of the picture: left, top, width, height, each 0..1. On the wire `bbox_norm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BBox {
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
}

impl BBox {
    pub fn from_corners(x0: f32, y0: f32, x1: f32, y1: f32) -> Self {
        BBox { x: x0, y: y0, w: (x1 - x0).max(0.0), h: (y1 - y0).max(0.0) }
    }

    pub fn area(&self) -> f32 {
        self.w * self.h
    }

    pub fn centre(&self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// Where the thing touches the ground: middle of the lower edge.
    pub fn foot(&self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h)
    }

    pub fn intersection(&self, other: &BBox) -> f32 {
        let w = (self.x + self.w).min(other.x + other.w) - self.x.max(other.x);
        let h = (self.y + self.h).min(other.y + other.h) - self.y.max(other.y);
        w.max(0.0) * h.max(0.0)
    }

    /// Intersection over union, 0..1.
    pub fn iou(&self, other: &BBox) -> f32 {
        let inter = self.intersection(other);
        let union = self.area() + other.area() - inter;
        if union > 0.0 { inter / union } else { 0.0 }
    }

    /// The box grown on each side by `share` of its own size (buffered IoU), not clamped.
    pub fn buffered(&self, share: f32) -> Self {
        BBox {
            x: self.x - self.w * share,
            y: self.y - self.h * share,
            w: self.w * (1.0 + 2.0 * share),
            h: self.h * (1.0 + 2.0 * share),
        }
    }

    pub fn union(&self, other: &BBox) -> Self {
        BBox::from_corners(
            self.x.min(other.x),
            self.y.min(other.y),
            (self.x + self.w).max(other.x + other.w),
            (self.y + self.h).max(other.y + other.h),
        )
    }

    /// A box in shares of `part` as shares of the picture that the part is of.
    pub fn within(&self, part: &BBox) -> Self {
        BBox {
            x: part.x + self.x * part.w,
            y: part.y + self.y * part.h,
            w: self.w * part.w,
            h: self.h * part.h,
        }
    }

    /// Clamped to the picture.
    pub fn clamped(&self) -> Self {
        BBox::from_corners(
            self.x.clamp(0.0, 1.0),
            self.y.clamp(0.0, 1.0),
            (self.x + self.w).clamp(0.0, 1.0),
            (self.y + self.h).clamp(0.0, 1.0),
        )
    }
}
