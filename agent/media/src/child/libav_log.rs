//! What FFmpeg says of damage in its log and in no other place: packets of RTP that are missing, pictures that a decoder refers to
//! and does not have, parts of a picture that it made up.
//!
//! FFmpeg's H.265 decoder flags none of it in its pictures, its H.264 decoder flags the picture that was hit; both log. Every
//! message is a format string of FFmpeg's, so a few known beginnings are enough, and none is ever formatted. The counts belong to
//! the thread: FFmpeg reads and decodes on the thread that calls it (one thread a decoder).
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};

use ffmpeg_next::ffi;

/// Beginnings of messages about a picture that is not whole (libavcodec's `h264_slice.c`, `h264_refs.c`, `h264_cabac.c`,
/// `error_resilience.c`, `hevc_refs.c`, `hevcdec.c`).
const DAMAGED_PICTURE: [&str; 9] = [
    "Frame num gap",
    "error while decoding MB",
    "concealing ",
    "Missing reference picture",
    "reference picture missing during reorder",
    "Could not find ref with POC",
    "Error constructing the frame RPS",
    "Error parsing NAL unit",
    "Skipping invalid undecodable NALU",
];
/// The same of packets that did not come (libavformat's `rtpdec.c`).
const LOST_PACKETS: &str = "RTP: missed ";

thread_local! {
    static HEARD: Cell<Heard> = const { Cell::new(Heard { lost_packets: false, damaged_picture: false }) };
}

/// What was said since it was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) lost_packets: bool,
    pub(super) damaged_picture: bool,
}

/// From now on messages are heard, and none is written anywhere: broken streams would fill the log. Errors have their texts from
/// here on; `ffmpeg::init` would link libavdevice for it.
pub(super) fn install() {
    ffmpeg_next::util::error::register_all();
    // SAFETY: the callback keeps no pointer and may be called from any thread at any time; it lives as long as the program.
    unsafe { ffi::av_log_set_callback(Some(hear)) };
}

/// What this thread heard since the last call.
pub(super) fn take() -> Heard {
    HEARD.take()
}

/// Generic over the list of arguments, whose type differs by machine: it is never read.
unsafe extern "C" fn hear<Arguments>(
    _context: *mut c_void,
    level: c_int,
    format: *const c_char,
    _arguments: Arguments,
) {
    // A gap of frame numbers is logged for debugging only.
    if level > ffi::AV_LOG_DEBUG as c_int || format.is_null() {
        return;
    }
    // SAFETY: FFmpeg's format strings are C strings, valid for the call.
    let format = unsafe { CStr::from_ptr(format) }.to_bytes();
    let begins = |text: &str| format.starts_with(text.as_bytes());
    let mut heard = HEARD.get();
    heard.lost_packets |= begins(LOST_PACKETS);
    heard.damaged_picture |= DAMAGED_PICTURE.iter().any(|text| begins(text));
    HEARD.set(heard);
}
