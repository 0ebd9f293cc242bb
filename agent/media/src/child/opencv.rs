//! OpenCV `VideoCapture` in the capture child: GStreamer pipelines (`gst:...`, the way to a Jetson's or Rockchip's decoder) and a
//! second opinion where libav fails. Gives frames only; there are no packets, so no ring and no clip, and the evidence says so.
//!
//! Known traps: without both timeouts opening and reading block for 30 s; after a stall `read` hands out the last picture once
//! more and calls it new; `POS_MSEC` is no clock. Pictures are dated when they arrive.

use bytes::Bytes;
use opencv::core::{Mat, Size, Vector};
use opencv::prelude::*;
use opencv::videoio::{
    CAP_ANY, CAP_FFMPEG, CAP_GSTREAMER, CAP_PROP_FPS, CAP_PROP_OPEN_TIMEOUT_MSEC, CAP_PROP_READ_TIMEOUT_MSEC,
    VideoCapture,
};
use opencv::{core, imgproc};

use super::error::CaptureError;
use super::parent_link::ParentLink;
use crate::picture::size::{self, Plane};
use crate::proto::{CaptureEvent, OpenSource, Pace, RawFrame, SourceFault};
use crate::tuning::{OPENCV_L1_FPS, SILENCE_SHARE};
use crate::url;
use kerbside_domain::frame::{Level, StreamInfo, Turn};
use kerbside_domain::time::Mono;
use kerbside_site::camera_url::CameraUrl;

/// Microseconds: pictures are dated by the child's own clock.
const TIME_BASE: (i32, i32) = (1, 1_000_000);

pub(super) fn run(open: &OpenSource, parent: &mut ParentLink) -> Result<(), CaptureError> {
    let mut capture = open_capture(open)?;
    let fps = capture.get(CAP_PROP_FPS).ok().filter(|f| f.is_finite() && (1.0..240.0).contains(f));
    let mut sampler = FrameSampler::new(open, fps.unwrap_or(0.0));
    loop {
        let started = parent.now();
        if !capture.grab().map_err(failed)? {
            return ended(open, parent, started);
        }
        let waited_s = parent.now().since_s(started);
        parent.stats.packets += 1;
        parent.between_packets()?;
        let pts = sampler.date(parent.now());
        if !sampler.is_due(pts, parent.level()) || !parent.wants_frame()? {
            continue;
        }
        let mut frame = Mat::default();
        if !capture.retrieve(&mut frame, 0).map_err(failed)? {
            continue;
        }
        parent.stats.decoded += 1;
        sampler.frame(&frame, pts, waited_s, open, parent)?;
    }
}

fn open_capture(open: &OpenSource) -> Result<VideoCapture, CaptureError> {
    let address = match CameraUrl::parse(&open.url) {
        Ok(CameraUrl::File(path)) => url::for_ffmpeg(&path),
        Ok(CameraUrl::Network(url)) => url.with_login(),
        _ => open.url.clone(),
    };
    let (name, api) = match open.url.strip_prefix("gst:") {
        Some(pipeline) => (pipeline, CAP_GSTREAMER),
        None if open.url.starts_with("v4l2:") => (open.url.trim_start_matches("v4l2:"), CAP_ANY),
        None => (address.as_str(), CAP_FFMPEG),
    };
    let timeout_ms = (open.timeout_s * 1000.0) as i32;
    let timeouts =
        Vector::from_slice(&[CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms, CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]);
    let mut capture = VideoCapture::from_file_with_params(name, api, &timeouts).map_err(failed)?;
    if api != CAP_FFMPEG && !capture.is_opened().map_err(failed)? {
        // Some backends refuse to open with parameters they do not know. There the parent ends a silent child.
        capture = VideoCapture::from_file(name, api).map_err(failed)?;
    }
    if !capture.is_opened().map_err(failed)? {
        return Err(CaptureError::source(
            SourceFault::Refused,
            format!("{}: OpenCV cannot open it", open.url),
        ));
    }
    Ok(capture)
}

fn ended(open: &OpenSource, parent: &ParentLink, started: Mono) -> Result<(), CaptureError> {
    let waited_s = parent.now().since_s(started);
    if waited_s >= open.timeout_s * SILENCE_SHARE {
        return Err(CaptureError::source(SourceFault::TimedOut, format!("nothing came for {waited_s:.0} s")));
    }
    if open.pace == Pace::Live {
        return Err(CaptureError::source(SourceFault::Lost, "the pipeline ended"));
    }
    Ok(())
}

fn failed(error: opencv::Error) -> CaptureError {
    CaptureError::source(SourceFault::Other, format!("OpenCV: {}", error.message))
}

/// Which pictures become frames, and the stream they are announced as.
struct FrameSampler {
    info: Option<StreamInfo>,
    epoch: u32,
    fps: f64,
    lockstep: bool,
    frames: i64,
    next_due: i64,
    last_luma: Vec<u8>,
}

impl FrameSampler {
    fn new(open: &OpenSource, fps: f64) -> Self {
        let lockstep = open.pace == Pace::Lockstep;
        FrameSampler {
            info: None,
            epoch: 0,
            fps,
            lockstep,
            frames: 0,
            next_due: i64::MIN,
            last_luma: Vec::new(),
        }
    }

    fn date(&mut self, now: Mono) -> i64 {
        self.frames += 1;
        if self.lockstep {
            let fps = if self.fps > 0.0 { self.fps } else { 25.0 };
            return ((self.frames - 1) as f64 * 1e6 / fps) as i64;
        }
        now.0 as i64
    }

    fn is_due(&self, pts: i64, level: Level) -> bool {
        level > Level::L0 && pts >= self.next_due
    }

    fn frame(
        &mut self,
        frame: &Mat,
        pts: i64,
        waited_s: f64,
        open: &OpenSource,
        parent: &mut ParentLink,
    ) -> Result<(), CaptureError> {
        let level = parent.level();
        let rate = if level == Level::L1 { OPENCV_L1_FPS } else { open.analysis_fps };
        self.next_due = pts + (1e6 / rate.clamp(0.05, 60.0)) as i64 - 20_000;
        let (rgb, luma, (width, height)) = shrink(frame, open.analysis_width).map_err(failed)?;
        if waited_s > open.timeout_s / 2.0 && luma == self.last_luma {
            parent.event(CaptureEvent::StaleFrames)?;
            return Err(CaptureError::source(SourceFault::Lost, "after a stall the old picture came again"));
        }
        self.announce(frame, parent)?;
        self.last_luma.clone_from(&luma);
        let (rgb, luma) = (Bytes::from(rgb), Bytes::from(luma));
        parent.frame(RawFrame { epoch: self.epoch, pts, level, width, height, rgb, luma })
    }

    fn announce(&mut self, frame: &Mat, parent: &mut ParentLink) -> Result<(), CaptureError> {
        let (width, height) = (frame.cols().max(0) as u32, frame.rows().max(0) as u32);
        let before = self.info.as_ref().map(|i| (i.width, i.height));
        if before == Some((width, height)) {
            return Ok(());
        }
        if let Some(from) = before {
            parent.event(CaptureEvent::ResolutionChanged { from, to: (width, height) })?;
        }
        self.epoch += 1;
        let info = StreamInfo {
            epoch: self.epoch,
            codec: "rawvideo".into(),
            width,
            height,
            turn: Turn::NONE,
            time_base: TIME_BASE,
            fps: self.fps as f32,
            extradata: Bytes::new(),
        };
        parent.stream(&info)?;
        self.info = Some(info);
        Ok(())
    }
}

/// RGB24 at the frame's size, the gate's luma, and the size.
type Small = (Vec<u8>, Vec<u8>, (u32, u32));

fn shrink(frame: &Mat, analysis_width: u32) -> opencv::Result<Small> {
    let (w, h) = (frame.cols().max(1) as u32, frame.rows().max(1) as u32);
    let (small_w, small_h) = size::analysis_size(w, h, analysis_width);
    let mut small = Mat::default();
    let size = Size::new(small_w as i32, small_h as i32);
    imgproc::resize(frame, &mut small, size, 0.0, 0.0, imgproc::INTER_LINEAR)?;
    let (mut rgb, mut gray) = (Mat::default(), Mat::default());
    match small.channels() {
        1 => imgproc::cvt_color_def(&small, &mut rgb, imgproc::COLOR_GRAY2RGB)?,
        4 => imgproc::cvt_color_def(&small, &mut rgb, imgproc::COLOR_BGRA2RGB)?,
        _ => imgproc::cvt_color_def(&small, &mut rgb, imgproc::COLOR_BGR2RGB)?,
    }
    imgproc::cvt_color_def(&rgb, &mut gray, imgproc::COLOR_RGB2GRAY)?;
    let plane = Plane {
        data: gray.data_bytes()?,
        stride: small_w as usize,
        width: small_w as usize,
        height: small_h as usize,
    };
    let short = || opencv::Error::new(core::StsBadArg, "picture smaller than it says");
    let luma = size::gate_luma(plane).ok_or_else(short)?;
    Ok((rgb.data_bytes()?.to_vec(), luma, (small_w, small_h)))
}
