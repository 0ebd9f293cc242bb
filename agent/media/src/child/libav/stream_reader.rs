//! One opened stream: dates its packets, tells where a new epoch begins, and hands them to the parent and to the decoder.

use bytes::Bytes;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Packet, Rational};
use kerbside_domain::frame::StreamInfo;

use super::key_spacing::KeyFrameSpacing;
use super::pacer::RealtimePacer;
use crate::child::decode::FrameDecoder;
use crate::child::error::CaptureError;
use crate::child::parent_link::ParentLink;
use crate::child::{libav_sys, nal};
use crate::proto::{CaptureEvent, OpenSource, Pace, SourceFault};
use crate::tuning::{MAX_JUMP_BACK_S, MAX_JUMP_S};

pub(super) struct StreamReader {
    index: usize,
    info: StreamInfo,
    family: Option<nal::Family>,
    /// Parameter sets inside the stream; a new one begins a new epoch.
    parameter_sets: Vec<u8>,
    tick_s: f64,
    decoder: FrameDecoder,
    key_spacing: KeyFrameSpacing,
    last_dts: Option<i64>,
    last_pts: i64,
    pacer: Option<RealtimePacer>,
}

impl StreamReader {
    /// Takes the best video stream of `input` and announces it.
    pub(super) fn new(
        open: &OpenSource,
        input: &mut Input,
        parent: &mut ParentLink,
    ) -> Result<Self, CaptureError> {
        let stream = input
            .streams()
            .best(ffmpeg::media::Type::Video)
            .ok_or_else(|| CaptureError::source(SourceFault::NoVideo, "the source has no video stream"))?;
        let parameters = stream.parameters();
        let codec = parameters.id().name().to_string();
        let time_base = stream.time_base();
        let (width, height) = libav_sys::dimensions(&parameters);
        let info = StreamInfo {
            epoch: 1,
            width,
            height,
            time_base: (time_base.numerator(), time_base.denominator()),
            fps: frames_per_s(stream.avg_frame_rate()),
            extradata: Bytes::from(libav_sys::extradata(&parameters)),
            codec,
        };
        let index = stream.index();
        let decoder = FrameDecoder::new(open, parameters, time_base, &info.codec)?;
        parent.stream(&info)?;
        Ok(StreamReader {
            index,
            family: nal::Family::of(&info.codec),
            parameter_sets: Vec::new(),
            tick_s: f64::from(time_base.numerator()) / f64::from(time_base.denominator().max(1)),
            info,
            decoder,
            key_spacing: KeyFrameSpacing::default(),
            last_dts: None,
            last_pts: 0,
            pacer: (open.pace == Pace::Realtime).then(RealtimePacer::default),
        })
    }

    /// Number of the stream within its input.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// One packet: on to the parent, and as far as the level asks through the decoder.
    pub(super) fn packet(&mut self, mut packet: Packet, parent: &mut ParentLink) -> Result<(), CaptureError> {
        let key = packet.is_key();
        let pts = self.date(&mut packet);
        let dts = packet.dts().unwrap_or(pts);
        let dts_s = dts as f64 * self.tick_s;
        self.check_jump(dts, parent)?;
        if key {
            self.check_parameter_sets(&packet, parent)?;
        }
        if let Some(pacer) = &mut self.pacer {
            pacer.wait(dts_s, parent);
        }
        let times = (pts, dts, packet.duration());
        if let Some(data) = packet.data() {
            parent.packet(self.info.epoch, times, key, data)?;
        }
        if let Some(gap_s) = self.key_spacing.packet(dts_s, key) {
            parent.event(CaptureEvent::SparseKeys { gap_s })?;
        }
        let size = self.decoder.packet(packet, key, self.info.epoch, parent)?;
        self.check_size(size, parent)
    }

    /// Gives every packet a pts: some sources leave timestamps out, and decoding and clips must see the same ones.
    fn date(&mut self, packet: &mut Packet) -> i64 {
        let step = if packet.duration() > 0 {
            packet.duration()
        } else {
            (1.0 / (f64::from(self.info.fps).clamp(1.0, 240.0) * self.tick_s)).round().max(1.0) as i64
        };
        let pts = packet.pts().or(packet.dts()).unwrap_or(self.last_pts + step);
        packet.set_pts(Some(pts));
        self.last_pts = pts;
        pts
    }

    /// A jump of decoding time begins a new epoch.
    fn check_jump(&mut self, dts: i64, parent: &mut ParentLink) -> Result<(), CaptureError> {
        let jump_s = self.last_dts.map_or(0.0, |last| dts.saturating_sub(last) as f64 * self.tick_s);
        self.last_dts = Some(dts);
        if !(-MAX_JUMP_BACK_S..=MAX_JUMP_S).contains(&jump_s) {
            self.info.epoch += 1;
            self.decoder.restart();
            parent.stream(&self.info)?;
        }
        Ok(())
    }

    /// New parameter sets inside the stream begin a new epoch: its packets need other extradata.
    fn check_parameter_sets(&mut self, packet: &Packet, parent: &mut ParentLink) -> Result<(), CaptureError> {
        let Some(family) = self.family else { return Ok(()) };
        let Some(sets) = packet.data().and_then(|data| nal::parameter_sets(family, data)) else {
            return Ok(());
        };
        if self.parameter_sets.is_empty() {
            self.parameter_sets.clone_from(&sets);
            if !self.info.extradata.is_empty() {
                return Ok(());
            }
            self.info.extradata = Bytes::from(sets);
            return parent.stream(&self.info);
        }
        if !nal::is_new_sequence(family, &self.parameter_sets, &sets) {
            return Ok(());
        }
        self.parameter_sets.clone_from(&sets);
        self.info.extradata = Bytes::from(sets);
        self.info.epoch += 1;
        self.decoder.restart();
        if let Some(size) = self.decoder.measure(packet) {
            let from = (self.info.width, self.info.height);
            (self.info.width, self.info.height) = size;
            if from != size {
                parent.event(CaptureEvent::ResolutionChanged { from, to: size })?;
            }
        }
        parent.stream(&self.info)
    }

    /// The decoder may see another size than was announced (MJPEG, or a header without size).
    fn check_size(&mut self, size: Option<(u32, u32)>, parent: &mut ParentLink) -> Result<(), CaptureError> {
        let from = (self.info.width, self.info.height);
        let Some(to) = size.filter(|&to| to != from) else { return Ok(()) };
        (self.info.width, self.info.height) = to;
        if from != (0, 0) {
            self.info.epoch += 1;
            parent.event(CaptureEvent::ResolutionChanged { from, to })?;
        }
        parent.stream(&self.info)
    }

    /// End of a file: the decoder still holds the last pictures.
    pub(super) fn finish(&mut self, parent: &mut ParentLink) -> Result<(), CaptureError> {
        self.decoder.drain(self.info.epoch, parent)
    }
}

/// 0 where the container does not say.
fn frames_per_s(rate: Rational) -> f32 {
    if rate.denominator() > 0 && rate.numerator() > 0 { f64::from(rate) as f32 } else { 0.0 }
}
