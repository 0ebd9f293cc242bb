//! Clips that a browser plays, of streams that none does: pictures are decoded and encoded again as VP9.
//!
//! VP9 in MP4 needs no licence, plays in Chromium, Firefox and Safari, and libvpx (BSD) is part of Debian's FFmpeg. The clip is
//! then no copy of what the camera sent; manifest and message say so.

use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::threading;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::format::context::Output;
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Dictionary, Rational, encoder};
use kerbside_domain::frame::{Packet, StreamInfo, Turn};

use super::decode::{is_flagged, pts_of};
use super::{decoder as opening, parameters, timestamps};
use crate::picture::scale;
use crate::picture::turned::Turned;
use crate::tuning::{CLIP_KEY_PICTURES, CLIP_MOST_PER_S, CLIP_QUALITY, CLIP_WIDTH};

const ENCODER: &str = "libvpx-vp9";

/// Writes the pictures of `packets` (all of one stream) as an MP4 of VP9.
pub(super) fn write(stream: &StreamInfo, packets: &[Packet], path: &Path) -> Result<(), String> {
    let text = |e: ffmpeg::Error| e.to_string();
    let codec = encoder::find_by_name(ENCODER).ok_or("this FFmpeg has no encoder for VP9")?;
    let name = path.to_str().ok_or("path is not UTF-8")?;
    let mut output = ffmpeg::format::output_as(name, "mp4").map_err(text)?;
    let time_base = Rational(stream.time_base.0, stream.time_base.1.max(1));
    let parameters = parameters::of_stream(stream, packets)?;
    let mut decoder = opening::open(&parameters, time_base).map_err(text)?;
    let mut writer: Option<Writer> = None;
    let zero = packets.iter().map(|p| p.pts).min().unwrap_or(0);
    let step = (1.0 / (CLIP_MOST_PER_S * f64::from(time_base))) as i64;
    let mut due = i64::MIN;
    let mut picture = Video::empty();
    for packet in packets.iter().map(Some).chain([None]) {
        match packet {
            Some(packet) if packet.data.is_empty() => continue,
            Some(packet) => {
                let mut sent = ffmpeg::Packet::copy(&packet.data);
                sent.set_pts(Some(packet.pts.saturating_sub(zero)));
                // A broken picture costs itself only: it is left out.
                let _ = decoder.send_packet(&sent);
            }
            None => _ = decoder.send_eof(),
        }
        while decoder.receive_frame(&mut picture).is_ok() {
            let pts = pts_of(&picture);
            if is_flagged(&picture) || pts < due {
                continue;
            }
            due = pts.saturating_add(step);
            if writer.is_none() {
                writer = Some(Writer::begin(&mut output, codec, &picture, stream, time_base).map_err(text)?);
            }
            if let Some(writer) = &mut writer {
                writer.picture(&picture, pts)?;
            }
        }
    }
    writer.ok_or("no whole picture comes of the packets")?.finish(&mut output)
}

/// The encoder and the file behind it.
struct Writer {
    encoder: encoder::video::Encoder,
    scaler: Option<((Pixel, u32, u32), scaling::Context)>,
    size: (u32, u32),
    from: Rational,
    to: Rational,
    turn: Turn,
    packets: Vec<ffmpeg::Packet>,
    last_pts: Option<i64>,
}

impl Writer {
    fn begin(
        output: &mut Output,
        codec: ffmpeg::Codec,
        first: &Video,
        stream: &StreamInfo,
        time_base: Rational,
    ) -> Result<Self, ffmpeg::Error> {
        let upright = Turned::of(first, stream.turn).ok_or(ffmpeg::Error::InvalidData)?;
        let size = size_within(upright.width(), upright.height());
        let mut context = ffmpeg::codec::Context::new_with_codec(codec);
        context.set_threading(threading::Config { count: 1, ..Default::default() });
        let mut video = context.encoder().video()?;
        video.set_width(size.0);
        video.set_height(size.1);
        video.set_format(Pixel::YUV420P);
        video.set_time_base(time_base);
        video.set_gop(CLIP_KEY_PICTURES);
        video.set_bit_rate(0);
        video.set_flags(ffmpeg::codec::Flags::GLOBAL_HEADER | ffmpeg::codec::Flags::BITEXACT);
        let mut options = Dictionary::new();
        options.set("deadline", "realtime");
        options.set("cpu-used", "8");
        options.set("lag-in-frames", "0");
        options.set("crf", CLIP_QUALITY);
        let encoder = video.open_with(options)?;
        let mut track = output.add_stream(ffmpeg::codec::Id::None)?;
        track.set_parameters(&encoder);
        track.set_time_base(time_base);
        let mut options = Dictionary::new();
        options.set("movflags", "+faststart");
        options.set("fflags", "+bitexact");
        output.write_header_with(options)?;
        let to = output.stream(0).map_or(time_base, |s| s.time_base());
        let (turn, from) = (stream.turn, time_base);
        Ok(Writer { encoder, scaler: None, size, from, to, turn, packets: Vec::new(), last_pts: None })
    }

    fn picture(&mut self, picture: &Video, pts: i64) -> Result<(), String> {
        let text = |e: ffmpeg::Error| e.to_string();
        // The encoder wants rising times.
        if self.last_pts.is_some_and(|last| pts <= last) {
            return Ok(());
        }
        self.last_pts = Some(pts);
        let upright = Turned::of(picture, self.turn).ok_or("the picture cannot be turned upright")?;
        let form = (upright.format(), upright.width(), upright.height());
        if self.scaler.as_ref().is_none_or(|(of, _)| *of != form) {
            let (w, h) = self.size;
            let flags = scale::exact();
            let context = scaling::Context::get(form.0, form.1, form.2, Pixel::YUV420P, w, h, flags);
            self.scaler = Some((form, context.map_err(text)?));
        }
        let mut plain = Video::empty();
        let (_, scaler) = self.scaler.as_mut().ok_or("no scaler")?;
        scaler.run(&upright, &mut plain).map_err(text)?;
        plain.set_pts(Some(pts));
        self.encoder.send_frame(&plain).map_err(text)?;
        self.drain();
        Ok(())
    }

    fn finish(mut self, output: &mut Output) -> Result<(), String> {
        let text = |e: ffmpeg::Error| e.to_string();
        self.encoder.send_eof().map_err(text)?;
        self.drain();
        let times: Vec<_> =
            self.packets.iter().map(|p| (p.pts().unwrap_or(0), p.dts().unwrap_or(0))).collect();
        let times = timestamps::of_clip(times.into_iter(), f64::from(self.from));
        for (mut packet, (pts, dts)) in std::mem::take(&mut self.packets).into_iter().zip(times) {
            packet.set_pts(Some(pts));
            packet.set_dts(Some(dts));
            packet.set_stream(0);
            packet.rescale_ts(self.from, self.to);
            packet.write_interleaved(output).map_err(text)?;
        }
        output.write_trailer().map_err(text)
    }

    fn drain(&mut self) {
        let mut packet = ffmpeg::Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            self.packets.push(std::mem::replace(&mut packet, ffmpeg::Packet::empty()));
        }
    }
}

/// At most [`CLIP_WIDTH`] wide, even, in the same proportion.
fn size_within(width: u32, height: u32) -> (u32, u32) {
    crate::picture::size::analysis_size(width, height, CLIP_WIDTH)
}
