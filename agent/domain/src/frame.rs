//! What travels between source and detector: packets and frames. Plain data, no library types.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use crate::boxes::BBox;
use crate::time::Moment;

/// Width of the luma picture that the gate sees, px.
pub const LUMA_WIDTH: usize = 160;
/// Height of the luma picture that the gate sees, px.
pub const LUMA_HEIGHT: usize = 90;

/// Index of a camera in the checked configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CameraIx(pub u16);

impl CameraIx {
    /// No camera: of an incident on the word of a sensor that none sees.
    pub const NONE: CameraIx = CameraIx(u16::MAX);
}

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

/// How a picture must be turned to stand upright: mirrored first, then turned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Left and right are exchanged.
    pub mirrored: bool,
    /// Turns by 90 degrees clockwise, 0 to 3.
    pub quarters: u8,
}

impl Turn {
    /// Nothing has to be turned.
    pub const NONE: Turn = Turn { mirrored: false, quarters: 0 };
}

/// What a stream is, known once its headers are read. A change of any field starts a new epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// Counts (re)starts and parameter changes within one source session; packets of different epochs never share a clip.
    pub epoch: u32,
    /// FFmpeg's codec name: `h264`, `hevc`, `mjpeg`, ...
    pub codec: String,
    /// Of the picture as it is encoded, px.
    pub width: u32,
    /// Of the picture as it is encoded, px.
    pub height: u32,
    /// How the encoded picture must be turned to stand upright.
    pub turn: Turn,
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
    /// See [`StreamInfo::epoch`].
    pub epoch: u32,
    /// When it is shown, in ticks of the stream's time base.
    pub pts: i64,
    /// When it is decoded, in the same ticks.
    pub dts: i64,
    /// How long it is shown, in the same ticks.
    pub duration: i64,
    /// It begins a group of pictures: decoding can start here.
    pub key: bool,
    /// Pictures that must be decoded from a `key` packet on until they are whole: 0 where the packet is a picture by itself, more
    /// at a recovery point of a stream that refreshes its picture part by part.
    pub refresh: u16,
    /// Something of it is missing, or it could not be decoded without an error: pictures are not whole from here to the next
    /// `key` packet.
    pub damaged: bool,
    /// When the camera showed it, on the line's clock (pts mapped to the monotonic clock).
    pub at: Moment,
    /// As it came.
    pub data: Bytes,
}

/// A decoded picture that is analysed: small, for gate and detector.
#[derive(Clone)]
pub struct Frame {
    /// The camera that showed it.
    pub camera: CameraIx,
    /// Counts the frames of a camera since its session began.
    pub seq: u64,
    /// See [`StreamInfo::epoch`].
    pub epoch: u32,
    /// As in its packet.
    pub pts: i64,
    /// When the camera showed it.
    pub at: Moment,
    /// How much of the stream was decoded.
    pub level: Level,
    /// Of `rgb`, px.
    pub width: u32,
    /// Of `rgb`, px.
    pub height: u32,
    /// RGB24, row by row, no padding: `width * height * 3` bytes.
    pub rgb: Bytes,
    /// Luma, `LUMA_WIDTH * LUMA_HEIGHT` bytes, the whole picture stretched to that size.
    pub luma: Bytes,
}

impl Frame {
    /// A part of the picture at its own scale, px. What lies outside the picture is left out. The luma stays that of the whole.
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
