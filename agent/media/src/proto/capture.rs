//! What is said about one camera: what the child shall open, what it found, packets and frames.

use std::fmt;
use std::io::{Read, Write};

use bytes::Bytes;
use kerbside_domain::frame::{LUMA_HEIGHT, LUMA_WIDTH, Level, StreamInfo};
use serde::{Deserialize, Serialize};

use super::error::ProtoError;
use super::framing::{check_length, read_message, write_message};
use super::stream::StreamHeader;
use crate::tuning::MAX_EXTRADATA;

/// How the time of a source passes.
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
pub struct OpenSource {
    pub url: String,
    /// The camera's own `host:port`, where `url` names a tunnel to it.
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default)]
    pub transport: OpenTransport,
    /// RTSP by FFmpeg's own client.
    #[serde(default)]
    pub libav: bool,
    /// OpenCV's `VideoCapture` instead of libav.
    pub opencv: bool,
    pub pace: Pace,
    pub level: Level,
    pub analysis_fps: f64,
    /// Width of frames, px.
    pub analysis_width: u32,
    /// Silence after which reading gives up, s.
    pub timeout_s: f64,
    /// Size of the packet ring, bytes: a group of pictures that is larger cannot be kept.
    pub ring_bytes: u64,
    /// Address space the child may use beyond what it has at its start, bytes.
    pub memory_bytes: u64,
}

/// Parent to child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToChild {
    /// The first message; it is sent once.
    Open(OpenSource),
    /// The level wanted between frames.
    SetLevel(Level),
    /// One frame has been taken. In lockstep `level` holds from the frame after the next one on, so that a replay is the same
    /// whatever the machine's load.
    Ack { level: Level },
    /// The child ends at once.
    Stop,
}

/// Why a source could not be opened or went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceFault {
    /// It answers, and refuses for a reason of its own.
    Refused,
    /// Nobody answers at its address.
    Unreachable,
    /// Wrong user or password, or this user may not.
    Unauthorised,
    NotFound,
    /// It speaks another protocol, redirects elsewhere, or its packets cannot come as they may.
    Protocol,
    /// It sends its viewers to the address that is the text, with whatever secrets are in it. Whether to follow is the parent's
    /// choice.
    Redirected,
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

/// A child's first message, before it gets anything to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// Of these messages.
    pub version: u32,
    /// Why its system calls are not filtered; `None`: they are.
    #[serde(default)]
    pub unfiltered: Option<String>,
}

/// How a stream's own timestamps contradict the arrival of its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockFault {
    /// There are none.
    Missing,
    /// They do not rise, or as if there were hundreds of pictures a second.
    Stands,
    /// They rise more slowly than time passes.
    Slow,
    /// They rise faster than time passes.
    Fast,
    /// They jump again and again.
    Jumps,
}

impl fmt::Display for ClockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClockFault::Missing => "there are none",
            ClockFault::Stands => "they stand still",
            ClockFault::Slow => "they rise more slowly than time passes",
            ClockFault::Fast => "they rise faster than time passes",
            ClockFault::Jumps => "they jump again and again",
        })
    }
}

/// How an RTSP camera's packets come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenTransport {
    /// Inside the connection; over UDP where the camera refuses that.
    #[default]
    Auto,
    Tcp,
    Udp,
}

/// What the child noticed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureEvent {
    /// The child ends after this one.
    Failed {
        fault: SourceFault,
        text: String,
    },
    /// End of a file; the child ends.
    Ended,
    /// Packets arrive but give no pictures.
    Undecodable {
        text: String,
    },
    /// Pictures come again.
    Decodable,
    /// Key frames come too seldom to watch by them alone; distance in seconds.
    SparseKeys {
        gap_s: f64,
    },
    ResolutionChanged {
        from: (u32, u32),
        to: (u32, u32),
    },
    /// The stream's own timestamps contradict the arrival of its packets, which dates them from here on.
    ClockUnreliable(ClockFault),
    /// Packets with these times of this epoch could not be decoded without an error.
    Damaged {
        epoch: u32,
        pts: i64,
    },
    /// A group of pictures is larger than the packet ring; its size so far and its length in seconds.
    GroupTooLarge {
        bytes: u64,
        seconds: f64,
    },
    /// The backend keeps giving the same old picture (OpenCV after a stall).
    StaleFrames,
    /// The source is open: from here on the child can open no socket and no file. `open`: why it still can.
    Sealed {
        open: Option<String>,
    },
}

/// Counters since the child's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureStats {
    pub packets: u64,
    pub packet_bytes: u64,
    pub decoded: u64,
    pub decode_errors: u64,
    pub frames: u64,
    /// Frames not sent because the parent still had two (live only: newest wins).
    pub frames_dropped: u64,
    /// RTP packets that did not come.
    #[serde(default)]
    pub lost: u64,
    /// CPU the child has used, ms.
    pub cpu_ms: u64,
    /// Resident memory, bytes; filled in by the parent, the child does not see it.
    #[serde(default)]
    pub rss_bytes: u64,
}

/// What can be decoded of a packet and of what follows it; see [`Packet`](kerbside_domain::frame::Packet).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketKind {
    /// Decoding can begin here.
    pub key: bool,
    /// Pictures that must be decoded from here on until they are whole.
    pub refresh: u16,
    /// Something of it is missing.
    pub damaged: bool,
}

/// A packet before the parent has put it on the agent's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct RawPacket {
    pub epoch: u32,
    pub pts: i64,
    pub dts: i64,
    pub duration: i64,
    pub key: bool,
    pub refresh: u16,
    pub damaged: bool,
    pub data: Bytes,
}

impl RawPacket {
    /// A picture by itself.
    pub fn spare(epoch: u32, pts: i64, data: Bytes) -> Self {
        RawPacket { epoch, pts, dts: pts, duration: 0, key: true, refresh: 0, damaged: false, data }
    }
}

/// A frame before the parent has put it on the agent's clock.
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
    Hello(Greeting),
    Stream(StreamInfo),
    Packet(RawPacket),
    Frame(RawFrame),
    /// A whole picture as JPEG, from a stream whose groups of pictures the ring cannot hold.
    Spare(RawPacket),
    Event(CaptureEvent),
    Stats(CaptureStats),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Header {
    Hello(Greeting),
    Stream(StreamHeader),
    Packet { epoch: u32, pts: i64, dts: i64, duration: i64, key: bool, refresh: u16, damaged: bool },
    Frame { epoch: u32, pts: i64, level: Level, width: u32, height: u32 },
    Spare { epoch: u32, pts: i64 },
    Event(CaptureEvent),
    Stats(CaptureStats),
}

/// The child's next message; `None` when it closed its end.
pub fn read_from_child(from: &mut impl Read) -> Result<Option<FromChild>, ProtoError> {
    let Some((header, blob)) = read_message(from)? else { return Ok(None) };
    Ok(Some(match header {
        Header::Hello(greeting) => FromChild::Hello(greeting),
        Header::Stream(stream) => {
            stream.check()?;
            check_length("description of a codec", blob.len(), MAX_EXTRADATA)?;
            FromChild::Stream(stream.with_extradata(blob))
        }
        Header::Packet { epoch, pts, dts, duration, key, refresh, damaged } => {
            FromChild::Packet(RawPacket { epoch, pts, dts, duration, key, refresh, damaged, data: blob })
        }
        Header::Frame { epoch, pts, level, width, height } => {
            let rgb_len = (u64::from(width) * u64::from(height)).saturating_mul(3);
            let expected = rgb_len.saturating_add((LUMA_WIDTH * LUMA_HEIGHT) as u64);
            if width == 0 || height == 0 || expected != blob.len() as u64 {
                return Err(ProtoError::Blob { what: "frame", expected, bytes: blob.len() });
            }
            let rgb = blob.slice(..rgb_len as usize);
            let luma = blob.slice(rgb_len as usize..);
            FromChild::Frame(RawFrame { epoch, pts, level, width, height, rgb, luma })
        }
        Header::Spare { epoch, pts } => FromChild::Spare(RawPacket::spare(epoch, pts, blob)),
        Header::Event(event) => FromChild::Event(event),
        Header::Stats(stats) => FromChild::Stats(stats),
    }))
}

/// Writes the child's message and flushes it.
pub fn write_from_child(out: &mut impl Write, message: &FromChild) -> Result<(), ProtoError> {
    match message {
        FromChild::Hello(greeting) => write_message(out, &Header::Hello(greeting.clone()), &[])?,
        FromChild::Stream(s) => write_message(out, &Header::Stream(StreamHeader::of(s)), &[&s.extradata])?,
        FromChild::Packet(p) => {
            let times = (p.pts, p.dts, p.duration);
            let kind = PacketKind { key: p.key, refresh: p.refresh, damaged: p.damaged };
            write_packet(out, p.epoch, times, kind, &p.data)?;
        }
        FromChild::Frame(f) => {
            let (epoch, pts, level) = (f.epoch, f.pts, f.level);
            let header = Header::Frame { epoch, pts, level, width: f.width, height: f.height };
            write_message(out, &header, &[&f.rgb, &f.luma])?;
        }
        FromChild::Spare(p) => write_message(out, &Header::Spare { epoch: p.epoch, pts: p.pts }, &[&p.data])?,
        FromChild::Event(event) => write_message(out, &Header::Event(event.clone()), &[])?,
        FromChild::Stats(stats) => write_message(out, &Header::Stats(*stats), &[])?,
    }
    Ok(out.flush()?)
}

/// A packet straight from the demuxer's buffer, without a copy; the caller flushes. `times`: pts, dts, duration in ticks.
pub fn write_packet(
    out: &mut impl Write,
    epoch: u32,
    times: (i64, i64, i64),
    kind: PacketKind,
    data: &[u8],
) -> Result<(), ProtoError> {
    let PacketKind { key, refresh, damaged } = kind;
    let header =
        Header::Packet { epoch, pts: times.0, dts: times.1, duration: times.2, key, refresh, damaged };
    write_message(out, &header, &[data])
}

pub fn write_to_child(out: &mut impl Write, message: &ToChild) -> Result<(), ProtoError> {
    write_message(out, message, &[])?;
    Ok(out.flush()?)
}

/// The parent's next message; `None` when the parent is gone.
pub fn read_to_child(from: &mut impl Read) -> Result<Option<ToChild>, ProtoError> {
    Ok(read_message(from)?.map(|(message, _)| message))
}
