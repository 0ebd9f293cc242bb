//! Cameras that are devices or pipelines: V4L2 through libavdevice, GStreamer and whatever else OpenCV reads.
//!
//! Only the program `kerbside-devices` calls this. libavdevice and OpenCV's `videoio` bring two hundred shared libraries, which
//! would cost every other child, and every clip, a quarter of a second and fifty megabytes.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;

use super::error::CaptureError;
use super::parent_link::ParentLink;
use super::{libav, opencv};
use crate::proto::{OpenSource, SourceFault};

/// Reads a device or a pipeline until it ends.
pub fn run(open: &OpenSource, parent: &mut ParentLink) -> Result<(), CaptureError> {
    match open.url.strip_prefix("v4l2:") {
        Some(device) if !open.opencv => libav::run_input(open_v4l2(device)?, open, parent),
        _ => opencv::run(open, parent),
    }
}

fn open_v4l2(device: &str) -> Result<Input, CaptureError> {
    ffmpeg::device::register_all();
    let format = ffmpeg::device::input::video().find(|f| f.name().split(',').any(|n| n == "v4l2"));
    let format = format.ok_or_else(|| CaptureError::source(SourceFault::Other, "FFmpeg has no V4L2 here"))?;
    match ffmpeg::format::open(device, &format) {
        Ok(context) => Ok(context.input()),
        Err(e) => Err(CaptureError::source(SourceFault::Refused, format!("{device}: {e}"))),
    }
}
