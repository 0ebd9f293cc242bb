//! libav in the capture child: demux once, send every packet, decode as little as the level asks.
//!
//! RTSP over TCP, HTTP and files; devices come opened. No FFmpeg type leaves this crate (invariant 3).

mod deadline;
mod group_size;
mod key_spacing;
mod opening;
mod pacer;
mod sequence;
mod stream_reader;

use std::time::Duration;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Error, Packet};

use self::deadline::Deadline;
pub(super) use self::stream_reader::StreamReader;
pub(super) use super::decode::measure;
use super::error::CaptureError;
use super::libav_log;
use super::parent_link::ParentLink;
use crate::proto::{OpenSource, Pace, SourceFault};
use crate::tuning::MAX_GARBLED_PACKETS;
use crate::url;

/// What a demuxer that has nothing yet gets before it is read again.
const AGAIN_AFTER: Duration = Duration::from_millis(2);

/// Opens a source and reads it until it ends.
pub(super) fn run(open: &OpenSource, parent: &mut ParentLink) -> Result<(), CaptureError> {
    let deadline = Deadline::new(open.timeout_s);
    let input = opening::open_input(open, &deadline)?;
    if input.format().name().split(',').any(|name| name == "hls") {
        parent.stays_open("HLS opens a connection for each piece");
    }
    read(input, open, &deadline, parent)
}

/// The same for the body of an answer that comes through a pipe.
pub(super) fn run_pipe(
    pipe: std::os::fd::RawFd,
    open: &OpenSource,
    parent: &mut ParentLink,
) -> Result<(), CaptureError> {
    let deadline = Deadline::new(open.timeout_s);
    let input = opening::open_pipe(pipe, open, &deadline)?;
    read(input, open, &deadline, parent)
}

/// The same for an input that is open already.
pub(super) fn run_input(
    input: Input,
    open: &OpenSource,
    parent: &mut ParentLink,
) -> Result<(), CaptureError> {
    read(input, open, &Deadline::new(open.timeout_s), parent)
}

fn read(
    mut input: Input,
    open: &OpenSource,
    deadline: &Deadline,
    parent: &mut ParentLink,
) -> Result<(), CaptureError> {
    let mut reader = StreamReader::new(open, &mut input, parent)?;
    let mut garbled = 0;
    // What was said while the source was opened is about packets that are still to be read.
    if libav_log::take().lost_packets {
        reader.lost();
    }
    loop {
        let mut packet = Packet::empty();
        deadline.renew();
        match packet.read(&mut input) {
            // An interrupted demuxer first hands out what its parser held: that is no sign of life.
            Ok(()) if deadline.is_over() => return Err(read_failed(Error::Exit, open)),
            Ok(()) => garbled = 0,
            Err(Error::Eof) if is_live(open) => return Err(CaptureError::closed()),
            Err(Error::Eof) => return reader.finish(parent),
            Err(Error::Other { errno }) if errno == ffmpeg::error::EAGAIN => {
                std::thread::sleep(AGAIN_AFTER);
                continue;
            }
            Err(Error::InvalidData) if garbled < MAX_GARBLED_PACKETS => {
                garbled += 1;
                continue;
            }
            Err(error) => return Err(read_failed(error, open)),
        }
        if libav_log::take().lost_packets {
            reader.lost();
        }
        if packet.stream() == reader.index() && packet.size() > 0 {
            reader.packet(packet, parent)?;
        }
    }
}

fn is_live(open: &OpenSource) -> bool {
    open.pace == Pace::Live && url::is_network(&open.url)
}

fn read_failed(error: Error, open: &OpenSource) -> CaptureError {
    match error {
        Error::Exit => CaptureError::silent(open.timeout_s),
        Error::InvalidData => {
            CaptureError::source(SourceFault::Garbled, "the stream is not readable as video")
        }
        other if is_live(open) => CaptureError::source(SourceFault::Lost, format!("reading: {other}")),
        other => CaptureError::source(SourceFault::Garbled, format!("reading: {other}")),
    }
}
