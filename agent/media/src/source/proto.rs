//! What the capture child and its parent say to each other: length-checked binary frames on stdin and stdout.
//!
//! Frame: `"KBS1"`, head length and blob length (u32, little endian), head (JSON), blob (packet or picture bytes).
//! Pure over `Read` and `Write`. The parent trusts nothing in here: a child reads hostile streams. Sizes are checked before
//! memory is taken, and pictures must be as large as they say.

use std::io::{Read, Write};
use std::path::PathBuf;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::source::cut_job::PictureJob;
use kerbside_domain::frame::{LUMA_HEIGHT, LUMA_WIDTH, Level, StreamInfo};

/// Both sides must speak the same; the child says it first.
pub const VERSION: u32 = 1;
const MAGIC: [u8; 4] = *b"KBS1";
/// Longest head, bytes. A cut job with its drawings is the longest.
pub const MAX_HEAD: usize = 256 * 1024;
/// Longest blob, bytes: a 4K key frame, or a frame of 1920 px.
pub const MAX_BLOB: usize = 16 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum ProtoError {
    #[error("pipe: {0}")]
    Io(#[from] std::io::Error),
    #[error("not a frame: magic {0:02x?}")]
    Magic([u8; 4]),
    #[error("{part} of {bytes} bytes, limit {limit}")]
    TooLong { part: &'static str, bytes: usize, limit: usize },
    #[error("head is not understood: {0}")]
    Head(#[from] serde_json::Error),
    #[error("{what} should have {expected} bytes and has {bytes}")]
    Blob { what: &'static str, expected: u64, bytes: usize },
    #[error("child speaks version {theirs}, this program {VERSION}")]
    Version { theirs: u32 },
}

/// How a file's time passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// As the source gives it.
    #[default]
    Live,
    /// A file, by its own timestamps.
    Realtime,
    /// A file, as fast as its frames are acknowledged; nothing is dropped.
    Lockstep,
}

/// What the child shall open. Sent on stdin, never as an argument: urls hold passwords.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    pub url: String,
    /// OpenCV's `VideoCapture` instead of libav.
    pub opencv: bool,
    pub pace: Pace,
    pub level: Level,
    pub analysis_fps: f64,
    /// Width of frames, px.
    pub analysis_width: u32,
    /// Silence after which reading gives up, s.
    pub timeout_s: f64,
    /// Address space the child may use beyond what it has at its start, bytes.
    pub memory_bytes: u64,
}

/// Parent to child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToChild {
    Open(Open),
    SetLevel(Level),
    /// One frame is done with. In lockstep `level` holds from the frame after the next one on, so that replay is
    /// the same whatever the machine's load.
    Ack {
        level: Level,
    },
    Stop,
}

/// Why a source could not be opened or went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    Refused,
    Unauthorised,
    NotFound,
    TimedOut,
    NoVideo,
    /// No decoder, or not one that the ring and its clips can carry.
    WrongCodec,
    /// Bytes arrive and are no video.
    Garbled,
    /// It was open, and the other side closed it.
    Lost,
    Other,
}

/// What the child noticed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The child ends after this one.
    Failed {
        fault: Fault,
        text: String,
    },
    /// End of a file; the child ends.
    Ended,
    /// Packets arrive and give no pictures.
    Undecodable {
        text: String,
    },
    Decodable,
    /// Key frames come too seldom to watch by them alone; distance in seconds.
    SparseKeys {
        gap_s: f64,
    },
    ResolutionChanged {
        from: (u32, u32),
        to: (u32, u32),
    },
    /// The backend keeps giving the same old picture (OpenCV after a stall).
    StaleFrames,
}

/// Counters since the child's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    pub packets: u64,
    pub packet_bytes: u64,
    pub decoded: u64,
    pub decode_errors: u64,
    pub frames: u64,
    /// Frames not sent because the parent still had two (live only: newest wins).
    pub frames_dropped: u64,
    /// CPU the child has used, ms.
    pub cpu_ms: u64,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
}

/// A packet before the parent has put it on the line's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct RawPacket {
    pub epoch: u32,
    pub pts: i64,
    pub dts: i64,
    pub duration: i64,
    pub key: bool,
    pub data: Bytes,
}

/// A frame before the parent has put it on the line's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct RawFrame {
    pub epoch: u32,
    pub pts: i64,
    pub level: Level,
    pub width: u32,
    pub height: u32,
    pub rgb: Bytes,
    pub luma: Bytes,
}

/// Child to parent.
#[derive(Clone, Debug, PartialEq)]
pub enum FromChild {
    Hello { version: u32 },
    Stream(StreamInfo),
    Packet(RawPacket),
    Frame(RawFrame),
    Event(Event),
    Stats(Stats),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Head {
    Hello { version: u32 },
    Stream(StreamHead),
    Packet { epoch: u32, pts: i64, dts: i64, duration: i64, key: bool },
    Frame { epoch: u32, pts: i64, level: Level, width: u32, height: u32 },
    Event(Event),
    Stats(Stats),
}

/// [`StreamInfo`] without its extradata, which is the blob.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamHead {
    epoch: u32,
    codec: String,
    width: u32,
    height: u32,
    time_base: (i32, i32),
    fps: f32,
}

impl StreamHead {
    pub fn of(info: &StreamInfo) -> Self {
        StreamHead {
            epoch: info.epoch,
            codec: info.codec.clone(),
            width: info.width,
            height: info.height,
            time_base: info.time_base,
            fps: info.fps,
        }
    }

    pub fn with_extradata(self, extradata: Bytes) -> StreamInfo {
        let StreamHead { epoch, codec, width, height, time_base, fps } = self;
        StreamInfo { epoch, codec, width, height, time_base, fps, extradata }
    }
}

/// Parent to the evidence child (`capture --cut`): one job, then its packets, then the end of the pipe.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutHead {
    Job { stream: StreamHead, clip: Option<PathBuf>, pictures: Vec<PictureJob> },
    Packet { pts: i64, dts: i64, duration: i64, key: bool },
}

/// The evidence child's only answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct CutAnswer {
    /// `None` if no clip was asked for.
    pub clip: Option<Result<(), String>>,
    /// In the order of the job.
    pub pictures: Vec<Result<Written, String>>,
}

/// A picture that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub bytes: u64,
    /// Of the JPEG, px: smaller than the stream's if the limit of bytes asked for it.
    pub width: u32,
    pub height: u32,
    /// Of the frame it really shows.
    pub pts: i64,
}

/// Writes one frame; the caller flushes.
pub fn write_frame(out: &mut impl Write, head: &impl Serialize, blob: &[&[u8]]) -> Result<(), ProtoError> {
    let head = serde_json::to_vec(head)?;
    let blob_len: usize = blob.iter().map(|b| b.len()).sum();
    check("head", head.len(), MAX_HEAD)?;
    check("blob", blob_len, MAX_BLOB)?;
    out.write_all(&MAGIC)?;
    out.write_all(&(head.len() as u32).to_le_bytes())?;
    out.write_all(&(blob_len as u32).to_le_bytes())?;
    out.write_all(&head)?;
    for part in blob {
        out.write_all(part)?;
    }
    Ok(())
}

/// Reads one frame; `None` at a clean end.
pub fn read_frame<H: DeserializeOwned>(from: &mut impl Read) -> Result<Option<(H, Bytes)>, ProtoError> {
    let mut magic = [0u8; 4];
    if !read_or_end(from, &mut magic)? {
        return Ok(None);
    }
    if magic != MAGIC {
        return Err(ProtoError::Magic(magic));
    }
    let head_len = read_len(from)?;
    let blob_len = read_len(from)?;
    check("head", head_len, MAX_HEAD)?;
    check("blob", blob_len, MAX_BLOB)?;
    let head = serde_json::from_slice(&read_exactly(from, head_len)?)?;
    let blob = Bytes::from(read_exactly(from, blob_len)?);
    Ok(Some((head, blob)))
}

/// The child's next message; `None` when it closed its end.
pub fn read_from_child(from: &mut impl Read) -> Result<Option<FromChild>, ProtoError> {
    let Some((head, blob)) = read_frame(from)? else { return Ok(None) };
    Ok(Some(match head {
        Head::Hello { version } => FromChild::Hello { version },
        Head::Stream(stream) => {
            check("codec name", stream.codec.len(), 64)?;
            FromChild::Stream(stream.with_extradata(blob))
        }
        Head::Packet { epoch, pts, dts, duration, key } => {
            FromChild::Packet(RawPacket { epoch, pts, dts, duration, key, data: blob })
        }
        Head::Frame { epoch, pts, level, width, height } => {
            let rgb_len = (u64::from(width) * u64::from(height)).saturating_mul(3);
            let expected = rgb_len.saturating_add((LUMA_WIDTH * LUMA_HEIGHT) as u64);
            if width == 0 || height == 0 || expected != blob.len() as u64 {
                return Err(ProtoError::Blob { what: "frame", expected, bytes: blob.len() });
            }
            let rgb = blob.slice(..rgb_len as usize);
            let luma = blob.slice(rgb_len as usize..);
            FromChild::Frame(RawFrame { epoch, pts, level, width, height, rgb, luma })
        }
        Head::Event(event) => FromChild::Event(event),
        Head::Stats(stats) => FromChild::Stats(stats),
    }))
}

/// Writes the child's message and flushes it.
pub fn write_from_child(out: &mut impl Write, message: &FromChild) -> Result<(), ProtoError> {
    match message {
        FromChild::Hello { version } => write_frame(out, &Head::Hello { version: *version }, &[])?,
        FromChild::Stream(s) => write_frame(out, &Head::Stream(StreamHead::of(s)), &[&s.extradata])?,
        FromChild::Packet(p) => write_packet(out, p.epoch, (p.pts, p.dts, p.duration), p.key, &p.data)?,
        FromChild::Frame(l) => {
            let (epoch, pts, level) = (l.epoch, l.pts, l.level);
            let head = Head::Frame { epoch, pts, level, width: l.width, height: l.height };
            write_frame(out, &head, &[&l.rgb, &l.luma])?;
        }
        FromChild::Event(event) => write_frame(out, &Head::Event(event.clone()), &[])?,
        FromChild::Stats(stats) => write_frame(out, &Head::Stats(*stats), &[])?,
    }
    Ok(out.flush()?)
}

/// A packet straight from the demuxer's buffer, without a copy; the caller flushes. `times`: pts, dts, duration in ticks.
pub fn write_packet(
    out: &mut impl Write,
    epoch: u32,
    times: (i64, i64, i64),
    key: bool,
    data: &[u8],
) -> Result<(), ProtoError> {
    let head = Head::Packet { epoch, pts: times.0, dts: times.1, duration: times.2, key };
    write_frame(out, &head, &[data])
}

pub fn write_to_child(out: &mut impl Write, message: &ToChild) -> Result<(), ProtoError> {
    write_frame(out, message, &[])?;
    Ok(out.flush()?)
}

/// The parent's next message; `None` when the parent is gone.
pub fn read_to_child(from: &mut impl Read) -> Result<Option<ToChild>, ProtoError> {
    Ok(read_frame(from)?.map(|(message, _)| message))
}

pub(super) fn check(part: &'static str, bytes: usize, limit: usize) -> Result<(), ProtoError> {
    if bytes > limit { Err(ProtoError::TooLong { part, bytes, limit }) } else { Ok(()) }
}

fn read_len(from: &mut impl Read) -> Result<usize, ProtoError> {
    let mut len = [0u8; 4];
    from.read_exact(&mut len)?;
    Ok(u32::from_le_bytes(len) as usize)
}

/// Memory grows with what really arrives, up to `len`; the result holds no spare capacity worth speaking of.
fn read_exactly(from: &mut impl Read, len: usize) -> Result<Vec<u8>, ProtoError> {
    let mut bytes = Vec::with_capacity(len.min(1 << 20));
    from.take(len as u64).read_to_end(&mut bytes)?;
    if bytes.len() < len {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// False if the stream ended before the first byte.
fn read_or_end(from: &mut impl Read, buf: &mut [u8]) -> Result<bool, ProtoError> {
    let mut got = 0;
    while got < buf.len() {
        match from.read(&mut buf[got..]) {
            Ok(0) if got == 0 => return Ok(false),
            Ok(0) => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            Ok(n) => got += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn samples() -> Vec<FromChild> {
        let extradata = Bytes::from_static(&[1, 0x42, 0xc0]);
        let info = StreamInfo {
            epoch: 3,
            codec: "h264".into(),
            width: 1920,
            height: 1080,
            time_base: (1, 90_000),
            fps: 25.0,
            extradata,
        };
        let data = Bytes::from_static(b"\0\0\0\x01\x65abc");
        let rgb = Bytes::from(vec![7u8; 4 * 2 * 3]);
        let luma = Bytes::from(vec![9u8; LUMA_WIDTH * LUMA_HEIGHT]);
        vec![
            FromChild::Hello { version: VERSION },
            FromChild::Stream(info),
            FromChild::Packet(RawPacket {
                epoch: 3,
                pts: -5,
                dts: i64::MIN,
                duration: 3600,
                key: true,
                data,
            }),
            FromChild::Frame(RawFrame { epoch: 3, pts: 9, level: Level::L2, width: 4, height: 2, rgb, luma }),
            FromChild::Event(Event::Failed { fault: Fault::Refused, text: "no".into() }),
            FromChild::Stats(Stats { packets: 1, ..Stats::default() }),
        ]
    }

    fn wire() -> Vec<u8> {
        let mut wire = Vec::new();
        for message in samples() {
            write_from_child(&mut wire, &message).unwrap();
        }
        wire
    }

    #[test]
    fn messages_come_back_as_they_went() {
        let wire = wire();
        let mut from = wire.as_slice();
        let mut back = Vec::new();
        while let Some(message) = read_from_child(&mut from).unwrap() {
            back.push(message);
        }
        assert_eq!(back, samples());
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_read() {
        let mut wire = MAGIC.to_vec();
        wire.extend_from_slice(&10u32.to_le_bytes());
        wire.extend_from_slice(&u32::MAX.to_le_bytes());
        let error = read_from_child(&mut wire.as_slice()).unwrap_err();
        assert_eq!(error.to_string(), "blob of 4294967295 bytes, limit 16777216");
    }

    #[test]
    fn a_look_must_be_as_large_as_it_says() {
        let mut wire = Vec::new();
        let head = Head::Frame { epoch: 0, pts: 0, level: Level::L1, width: u32::MAX, height: u32::MAX };
        write_frame(&mut wire, &head, &[&[0; 14_400]]).unwrap();
        let error = read_from_child(&mut wire.as_slice()).unwrap_err();
        assert!(error.to_string().starts_with("frame should have"), "{error}");
    }

    proptest! {
        /// Flipped, cut and spliced bytes end in an error or a message, never in a panic or in memory beyond what came.
        #[test]
        fn mutated_input_is_survived(
            edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut wire = wire();
            for (at, byte) in edits {
                let at = at.index(wire.len());
                wire[at] = byte;
            }
            wire.truncate(cut.index(wire.len()) + 1);
            let mut from = wire.as_slice();
            while let Ok(Some(message)) = read_from_child(&mut from) {
                if let FromChild::Frame(frame) = message {
                    prop_assert_eq!(frame.rgb.len() as u64, u64::from(frame.width) * u64::from(frame.height) * 3);
                }
            }
        }

        #[test]
        fn noise_is_survived(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut framed = MAGIC.to_vec();
            framed.extend_from_slice(&noise);
            let _ = read_from_child(&mut framed.as_slice());
            let _ = read_to_child(&mut framed.as_slice());
            let _ = read_from_child(&mut noise.as_slice());
        }
    }
}
