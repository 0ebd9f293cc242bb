//! Opening a source: the options that FFmpeg gets, and what its errors mean.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::error as errno;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Dictionary, Error};

use kerbside_site::camera_url::CameraUrl;

use super::deadline::Deadline;
use crate::child::error::CaptureError;
use crate::proto::{OpenSource, SourceFault};
use crate::tuning::{ANALYSE_US, FPS_PROBE_PICTURES, REORDER_PACKETS, SILENCE_SHARE};
use crate::url;

pub(super) fn open_input(open: &OpenSource, deadline: &Deadline) -> Result<Input, CaptureError> {
    input(&address(open)?, options(open), open, deadline)
}

/// A stream whose bytes somebody else fetches.
pub(super) fn open_pipe(
    pipe: std::os::fd::RawFd,
    open: &OpenSource,
    deadline: &Deadline,
) -> Result<Input, CaptureError> {
    let mut options = Dictionary::new();
    options.set("protocol_whitelist", "pipe");
    options.set("analyzeduration", ANALYSE_US);
    options.set("fpsprobesize", FPS_PROBE_PICTURES);
    input(&format!("pipe:{pipe}"), options, open, deadline)
}

fn input(
    address: &str,
    options: Dictionary<'_>,
    open: &OpenSource,
    deadline: &Deadline,
) -> Result<Input, CaptureError> {
    let interrupt = deadline.clone();
    ffmpeg::format::input_with_interrupt_and_dictionary(address, move || interrupt.is_over(), options)
        .map_err(|e| if deadline.spent_share() >= SILENCE_SHARE { Error::Exit } else { e })
        .map_err(|e| open_failed(e, open))
}

/// The source as FFmpeg reads it: a login that means the same to it, and no path that it would take for a protocol.
fn address(open: &OpenSource) -> Result<String, CaptureError> {
    match CameraUrl::parse(&open.url) {
        Ok(CameraUrl::Network(url)) => Ok(url.with_login()),
        Ok(CameraUrl::File(path)) => Ok(url::for_ffmpeg(&path)),
        Ok(CameraUrl::Device(_) | CameraUrl::Pipeline(_)) => {
            Err(CaptureError::source(SourceFault::Other, "a device is no stream"))
        }
        Err(fault) => Err(CaptureError::source(SourceFault::Other, fault.to_string())),
    }
}

/// Timeouts are in microseconds. The whitelists keep a playlist or a hostile file from opening anything else.
fn options(open: &OpenSource) -> Dictionary<'static> {
    let mut options = Dictionary::new();
    let timeout_us = ((open.timeout_s * 1e6) as u64).to_string();
    if open.url.starts_with("rtsp") {
        options.set("rtsp_transport", "tcp");
        // Without a queue FFmpeg does not even notice that packets are missing.
        options.set("reorder_queue_size", REORDER_PACKETS);
        options.set("timeout", &timeout_us);
        options.set("allowed_media_types", "video");
        options.set("protocol_whitelist", "rtsp,rtsps,rtp,srtp,tcp,tls");
        options.set("analyzeduration", ANALYSE_US);
        options.set("fpsprobesize", FPS_PROBE_PICTURES);
    } else if open.url.starts_with("http") {
        options.set("rw_timeout", &timeout_us);
        options.set("protocol_whitelist", "http,https,httpproxy,tcp,tls,crypto,hls");
        options.set("analyzeduration", ANALYSE_US);
        options.set("fpsprobesize", FPS_PROBE_PICTURES);
    } else {
        options.set("protocol_whitelist", "file");
    }
    options
}

fn open_failed(error: Error, open: &OpenSource) -> CaptureError {
    let fault = match error {
        Error::HttpUnauthorized | Error::HttpForbidden => SourceFault::Unauthorised,
        Error::HttpNotFound => SourceFault::NotFound,
        Error::Exit => SourceFault::TimedOut,
        Error::Other { errno: errno::ETIMEDOUT } => SourceFault::TimedOut,
        Error::Other { errno: errno::ENOENT } => SourceFault::NotFound,
        Error::InvalidData => SourceFault::Garbled,
        Error::HttpBadRequest | Error::HttpOther4xx | Error::HttpServerError => SourceFault::Refused,
        Error::Other { errno: libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EIO } => {
            SourceFault::Unreachable
        }
        Error::ProtocolNotFound | Error::Other { errno: libc::EPROTONOSUPPORT } => SourceFault::Protocol,
        Error::Other { .. } => SourceFault::Refused,
        _ => SourceFault::Other,
    };
    let why = if fault == SourceFault::TimedOut {
        format!("no answer for {} s", open.timeout_s)
    } else {
        error.to_string()
    };
    CaptureError::source(fault, format!("{}: {why}", open.url))
}
