//! Pictures at full resolution out of packets: one group of pictures is decoded, the frame wanted is drawn on and written as JPEG.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Rational, decoder};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use opencv::core::{Mat, MatTraitConst, MatTraitConstManual, Size, Vec3b};
use opencv::imgproc;

use kerbside_domain::frame::{Packet, StreamInfo};

use super::{decoder as opening, parameters};
use crate::clip::StillJob;
use crate::picture::pen::{ChannelOrder, Pen};
use crate::picture::scale;
use crate::proto::StillInfo;
use crate::tuning::{JPEG_QUALITIES, STILL_MIN_WIDTH, STILL_SHRINK};

/// Finds frames by pts among the packets of one stream.
pub(super) struct Stills<'a> {
    packets: &'a [Packet],
    decoder: decoder::Video,
    next: usize,
    drained: bool,
    current: Option<Video>,
    next_shown: Option<Video>,
}

impl<'a> Stills<'a> {
    pub(super) fn new(stream: &StreamInfo, packets: &'a [Packet]) -> Result<Self, String> {
        let parameters = parameters::of_stream(stream, packets)?;
        let time_base = Rational(stream.time_base.0, stream.time_base.1.max(1));
        let decoder = opening::open(&parameters, time_base).map_err(|e| format!("{}: {e}", stream.codec))?;
        Ok(Stills { packets, decoder, next: 0, drained: false, current: None, next_shown: None })
    }

    /// Writes one picture of the job.
    pub(super) fn write(&mut self, job: &StillJob) -> Result<StillInfo, String> {
        let frame = self.find(job.pts).ok_or("the packets give no picture")?;
        let pts = pts_of(frame);
        let cv = |e: opencv::Error| format!("OpenCV: {}", e.message);
        let mut picture = to_mat(frame)?;
        Pen::new(&mut picture, ChannelOrder::Bgr).draw(&job.drawings).map_err(cv)?;
        let limit = usize::try_from(job.max_bytes).unwrap_or(usize::MAX);
        let (jpeg, width, height) = encode(picture, limit)?;
        std::fs::write(&job.path, &jpeg).map_err(|e| format!("{}: {e}", job.path.display()))?;
        Ok(StillInfo { bytes: jpeg.len() as u64, width, height, pts })
    }

    /// The frame shown at `pts`: the last one not later; the first there is if all are later.
    fn find(&mut self, pts: i64) -> Option<&Video> {
        let start = self.key_before(pts)?;
        let behind = self.current.as_ref().is_none_or(|f| pts_of(f) > pts);
        if behind || start >= self.next {
            self.decoder.flush();
            (self.next, self.drained) = (start, false);
            (self.current, self.next_shown) = (None, None);
        }
        loop {
            match self.next_shown.take() {
                Some(frame) if self.current.is_some() && pts_of(&frame) > pts => {
                    self.next_shown = Some(frame);
                    break;
                }
                Some(frame) => self.current = Some(frame),
                None => {}
            }
            self.next_shown = self.next_frame();
            if self.next_shown.is_none() {
                break;
            }
        }
        self.current.as_ref()
    }

    fn key_before(&self, pts: i64) -> Option<usize> {
        let keys = || self.packets.iter().enumerate().filter(|(_, p)| p.key);
        keys().filter(|(_, p)| p.pts <= pts).last().or_else(|| keys().next()).map(|(i, _)| i)
    }

    fn next_frame(&mut self) -> Option<Video> {
        let mut frame = Video::empty();
        loop {
            if self.decoder.receive_frame(&mut frame).is_ok() {
                return Some(frame);
            }
            if let Some(packet) = self.packets.get(self.next) {
                self.next += 1;
                if packet.data.is_empty() {
                    continue;
                }
                let mut sent = ffmpeg::Packet::copy(&packet.data);
                sent.set_pts(Some(packet.pts));
                sent.set_dts(Some(packet.dts));
                // A broken packet costs its own picture only.
                let _ = self.decoder.send_packet(&sent);
            } else if std::mem::replace(&mut self.drained, true) || self.decoder.send_eof().is_err() {
                return None;
            }
        }
    }
}

fn pts_of(frame: &Video) -> i64 {
    frame.timestamp().or(frame.pts()).unwrap_or(i64::MIN)
}

fn to_mat(frame: &Video) -> Result<Mat, String> {
    let (w, h) = (frame.width(), frame.height());
    let flags = scale::exact() | scaling::Flags::FULL_CHR_H_INT;
    let mut scaler = scaling::Context::get(frame.format(), w, h, Pixel::BGR24, w, h, flags)
        .map_err(|e| format!("picture format: {e}"))?;
    let mut bgr = Video::empty();
    scaler.run(frame, &mut bgr).map_err(|e| format!("picture format: {e}"))?;
    let bytes = scale::rows(&bgr, w as usize * 3).ok_or("picture smaller than it says")?;
    Mat::new_rows_cols_with_bytes::<Vec3b>(h as i32, w as i32, &bytes)
        .and_then(|mat| mat.try_clone())
        .map_err(|e| format!("OpenCV: {}", e.message))
}

/// JPEG of at most `limit` bytes, with its size; the smallest that is still evidence if nothing fits.
fn encode(mut picture: Mat, limit: usize) -> Result<(Vec<u8>, u32, u32), String> {
    loop {
        let mut jpeg = Vec::new();
        for quality in JPEG_QUALITIES {
            jpeg = jpeg_of(&picture, quality)?;
            if jpeg.len() <= limit {
                break;
            }
        }
        let (width, height) = (picture.cols(), picture.rows());
        if jpeg.len() <= limit || f64::from(width) * STILL_SHRINK < f64::from(STILL_MIN_WIDTH) {
            return Ok((jpeg, width.max(0) as u32, height.max(0) as u32));
        }
        let mut smaller = Mat::default();
        let size =
            Size::new((f64::from(width) * STILL_SHRINK) as i32, (f64::from(height) * STILL_SHRINK) as i32);
        imgproc::resize(&picture, &mut smaller, size, 0.0, 0.0, imgproc::INTER_AREA)
            .map_err(|e| format!("OpenCV: {}", e.message))?;
        picture = smaller;
    }
}

/// Not OpenCV's `imgcodecs`: that brings GDAL, and with it a hundred libraries into every child.
fn jpeg_of(picture: &Mat, quality: u8) -> Result<Vec<u8>, String> {
    let side =
        |length: i32| u16::try_from(length).map_err(|_| format!("{length} px are too many for a JPEG"));
    let (width, height) = (side(picture.cols())?, side(picture.rows())?);
    let bgr = picture.data_bytes().map_err(|e| format!("OpenCV: {}", e.message))?;
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(bgr, width, height, ColorType::Bgr).map_err(|e| format!("JPEG: {e}"))?;
    Ok(jpeg)
}
