//! One opened stream: dates its packets, tells where a new epoch begins, and hands them to the parent and to the decoder.

use bytes::Bytes;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::Parameters;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::packet::side_data::Type;
use ffmpeg_next::{Packet, Rational};
use kerbside_domain::frame::{StreamInfo, Turn};
use kerbside_domain::time::Mono;

use super::group_size::{GroupChange, GroupSize};
use super::key_spacing::KeyFrameSpacing;
use super::pacer::RealtimePacer;
use super::sequence::{PacketView, Sequence};
use crate::child::decode::{Fed, FrameDecoder};
use crate::child::error::CaptureError;
use crate::child::libav_sys;
use crate::child::nal::Entry;
use crate::child::parent_link::ParentLink;
use crate::child::stream_clock::{StreamClock, Times};
use crate::picture::turned;
use crate::proto::{CaptureEvent, OpenSource, Pace, PacketKind, SourceFault};
use crate::tuning::{COARSEST_TICKS, FINE_TICKS, MAX_JUMP_BACK_S, MAX_JUMP_S};

/// Containers without timestamps: what FFmpeg gives their packets is a rate of its own choice.
const TIMELESS: [&str; 7] = ["mpjpeg", "mjpeg", "jpeg_pipe", "image2pipe", "h264", "hevc", "m4v"];

pub(in crate::child) struct StreamReader {
    index: usize,
    info: StreamInfo,
    sequence: Sequence,
    tick_s: f64,
    /// Ticks of the stream in one of the demuxer's.
    finer: i64,
    decoder: FrameDecoder,
    key_spacing: KeyFrameSpacing,
    group: GroupSize,
    /// Only live: a file keeps its own time.
    clock: Option<StreamClock>,
    /// How the stream itself says that its pictures must be turned, where its container says nothing; told with the next picture
    /// that decoding can begin with.
    turn: Option<Turn>,
    last_dts: Option<i64>,
    last_pts: i64,
    /// Something of the next packet did not come.
    lost: bool,
    pacer: Option<RealtimePacer>,
}

impl StreamReader {
    /// Takes the best video stream of `input` and announces it.
    pub(super) fn new(
        open: &OpenSource,
        input: &mut Input,
        parent: &mut ParentLink,
    ) -> Result<Self, CaptureError> {
        let has_clock = !TIMELESS.contains(&input.format().name());
        let stream = input
            .streams()
            .best(ffmpeg::media::Type::Video)
            .ok_or_else(|| CaptureError::source(SourceFault::NoVideo, "the source has no video stream"))?;
        let parameters = stream.parameters();
        let codec = parameters.id().name().to_string();
        let own = (stream.time_base().numerator(), stream.time_base().denominator());
        let live = open.pace == Pace::Live;
        let (time_base, finer) = if live { fine(own) } else { (own, 1) };
        let (width, height) = libav_sys::dimensions(&parameters);
        let info = StreamInfo {
            epoch: 1,
            width,
            height,
            turn: turn_of(&stream)?,
            time_base,
            fps: frames_per_s(stream.avg_frame_rate()),
            extradata: Bytes::from(libav_sys::extradata(&parameters)),
            codec,
        };
        let index = stream.index();
        let mut reader = StreamReader::of(open, info, index, parameters, has_clock, parent)?;
        reader.finer = finer;
        Ok(reader)
    }

    /// A stream that is described already. `has_clock`: its packets carry times of their own.
    pub(in crate::child) fn of(
        open: &OpenSource,
        info: StreamInfo,
        index: usize,
        parameters: Parameters,
        has_clock: bool,
        parent: &mut ParentLink,
    ) -> Result<Self, CaptureError> {
        let time_base = info.time_base;
        let live = open.pace == Pace::Live;
        let rational = Rational(time_base.0, time_base.1);
        let decoder = FrameDecoder::new(open, parameters, rational, &info)?;
        parent.stream(&info)?;
        let turn = (info.turn == Turn::NONE).then_some(Turn::NONE);
        let tick_s = f64::from(time_base.0) / f64::from(time_base.1.max(1));
        Ok(StreamReader {
            index,
            sequence: Sequence::of(&info),
            tick_s,
            finer: 1,
            info,
            decoder,
            key_spacing: KeyFrameSpacing::default(),
            group: GroupSize::new(open.ring_bytes),
            clock: live.then(|| StreamClock::new(tick_s, has_clock, parent.now())),
            turn,
            last_dts: None,
            last_pts: 0,
            lost: false,
            pacer: (open.pace == Pace::Realtime).then(RealtimePacer::default),
        })
    }

    /// Number of the stream within its input.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Something of the next packet did not come.
    pub(in crate::child) fn lost(&mut self) {
        self.lost = true;
    }

    /// One packet: on to the parent, and as far as the level asks through the decoder.
    pub(in crate::child) fn packet(
        &mut self,
        mut packet: Packet,
        parent: &mut ParentLink,
    ) -> Result<(), CaptureError> {
        let arrived = parent.now();
        let damaged = std::mem::take(&mut self.lost) || packet.is_corrupt();
        self.sequence.strip(&mut packet);
        let view = self.sequence.look(&packet, &self.info);
        let entry = view.entry;
        let Times { pts, dts } = self.date(&mut packet, arrived, parent)?;
        self.check_turn(&view, parent)?;
        self.check_parameters(view, &packet, parent)?;
        let dts_s = dts as f64 * self.tick_s;
        if let Some(pacer) = &mut self.pacer {
            pacer.wait(dts_s, parent);
        }
        let refresh = if let Some(Entry::Refresh(pictures)) = entry { pictures } else { 0 };
        let kind = PacketKind { key: entry.is_some(), refresh, damaged };
        if let Some(data) = packet.data() {
            parent.packet(self.info.epoch, (pts, dts, packet.duration()), kind, data)?;
        }
        // Only a picture by itself can be watched by.
        if let Some(gap_s) = self.key_spacing.packet(dts_s, entry == Some(Entry::Key)) {
            parent.event(CaptureEvent::SparseKeys { gap_s })?;
        }
        self.check_group(packet.size(), entry.is_some(), dts_s, parent)?;
        let size = self.decoder.packet(packet, Fed { entry, damaged }, self.info.epoch, parent)?;
        self.check_size(size, parent)
    }

    /// Gives every packet times: some sources leave them out or lie, and decoding and clips must see the same ones.
    fn date(
        &mut self,
        packet: &mut Packet,
        arrived: Mono,
        parent: &mut ParentLink,
    ) -> Result<Times, CaptureError> {
        let finer = self.finer;
        let finer = |ticks: i64| ticks.saturating_mul(finer);
        let (pts, dts) = (packet.pts().map(finer), packet.dts().map(finer));
        let duration = finer(packet.duration());
        let step = if duration > 0 { duration } else { self.usual_step() };
        let follows_own = self.clock.as_ref().is_none_or(|clock| !clock.is_by_arrival());
        if let Some(own) = dts.or(pts).filter(|_| follows_own)
            && self.jumps(own)
        {
            self.clock.iter_mut().for_each(|clock| clock.jumped(arrived));
            self.begin_epoch(parent)?;
        }
        let (times, fault) = match &mut self.clock {
            Some(clock) => clock.date(pts, dts, step, arrived),
            None => {
                let pts = pts.or(dts).unwrap_or(self.last_pts.saturating_add(step));
                (Times { pts, dts: dts.unwrap_or(pts) }, None)
            }
        };
        if let Some(fault) = fault {
            parent.event(CaptureEvent::ClockUnreliable(fault))?;
        }
        let by_arrival = self.clock.as_ref().is_some_and(StreamClock::is_by_arrival);
        packet.set_pts(Some(times.pts));
        packet.set_dts(dts.map(|_| times.dts));
        packet.set_duration(if by_arrival { 0 } else { duration });
        self.last_pts = times.pts;
        Ok(times)
    }

    /// From one picture to the next, by the announced rate, ticks.
    fn usual_step(&self) -> i64 {
        (1.0 / (f64::from(self.info.fps).clamp(1.0, 240.0) * self.tick_s)).round().max(1.0) as i64
    }

    /// A jump of decoding time.
    fn jumps(&mut self, dts: i64) -> bool {
        let jump_s = self.last_dts.map_or(0.0, |last| dts.saturating_sub(last) as f64 * self.tick_s);
        self.last_dts = Some(dts);
        !(-MAX_JUMP_BACK_S..=MAX_JUMP_S).contains(&jump_s)
    }

    fn begin_epoch(&mut self, parent: &mut ParentLink) -> Result<(), CaptureError> {
        self.info.epoch += 1;
        self.decoder.restart();
        parent.stream(&self.info)
    }

    /// Another turn begins a new epoch: a clip has one.
    fn check_turn(&mut self, view: &PacketView, parent: &mut ParentLink) -> Result<(), CaptureError> {
        let Some(turn) = &mut self.turn else { return Ok(()) };
        *turn = view.turn.unwrap_or(*turn);
        if view.entry.is_none() || *turn == self.info.turn {
            return Ok(());
        }
        self.info.turn = *turn;
        self.decoder.turn(self.info.turn);
        // What was announced before the first packet is known better now.
        if parent.stats.packets == 0 { parent.stream(&self.info) } else { self.begin_epoch(parent) }
    }

    /// New parameters begin a new epoch: its packets need other extradata.
    fn check_parameters(
        &mut self,
        view: PacketView,
        packet: &Packet,
        parent: &mut ParentLink,
    ) -> Result<(), CaptureError> {
        if let Some(extradata) = view.late_extradata {
            self.info.extradata = extradata;
            parent.stream(&self.info)?;
        }
        let Some(extradata) = view.new_extradata else { return Ok(()) };
        self.decoder.reopen(&extradata)?;
        self.info.extradata = extradata;
        self.info.epoch += 1;
        if let Some(size) = self.decoder.measure(packet) {
            let from = (self.info.width, self.info.height);
            (self.info.width, self.info.height) = size;
            if from != size {
                parent.event(CaptureEvent::ResolutionChanged { from, to: size })?;
            }
        }
        parent.stream(&self.info)
    }

    /// A group that the ring cannot hold leaves evidence to single pictures.
    fn check_group(
        &mut self,
        bytes: usize,
        entry: bool,
        at_s: f64,
        parent: &mut ParentLink,
    ) -> Result<(), CaptureError> {
        match self.group.packet(bytes, entry, at_s) {
            Some(GroupChange::TooLarge { bytes, seconds, first }) => {
                self.decoder.spare_pictures(true);
                if first {
                    parent.event(CaptureEvent::GroupTooLarge { bytes, seconds })?;
                }
            }
            Some(GroupChange::Fits) => self.decoder.spare_pictures(false),
            None => {}
        }
        Ok(())
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

/// A time base that arrival can be written in, and its ticks in one tick of `own`.
fn fine(own: (i32, i32)) -> ((i32, i32), i64) {
    let per_s = f64::from(own.1) / f64::from(own.0.max(1));
    let whole = i64::from(FINE_TICKS) * i64::from(own.0) % i64::from(own.1.max(1)) == 0;
    if per_s < COARSEST_TICKS && whole {
        ((1, FINE_TICKS), i64::from(FINE_TICKS) * i64::from(own.0) / i64::from(own.1.max(1)))
    } else {
        (own, 1)
    }
}

/// How the container says that pictures must be turned.
fn turn_of(stream: &ffmpeg::Stream<'_>) -> Result<Turn, CaptureError> {
    let Some(matrix) = stream.side_data().find(|side| side.kind() == Type::DisplayMatrix) else {
        return Ok(Turn::NONE);
    };
    turned::of_matrix(matrix.data()).ok_or_else(|| {
        let text = "the pictures must be turned by no multiple of 90 degrees: encode them upright";
        CaptureError::source(SourceFault::WrongCodec, text)
    })
}

/// 0 where the container does not say.
fn frames_per_s(rate: Rational) -> f32 {
    if rate.denominator() > 0 && rate.numerator() > 0 { f64::from(rate) as f32 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_clock_gets_finer_ticks_and_others_stay() {
        assert_eq!(fine((1, 25)), ((1, 90_000), 3600));
        assert_eq!(fine((1001, 30_000)), ((1, 90_000), 3003));
        assert_eq!(fine((1, 90_000)), ((1, 90_000), 1));
        assert_eq!(fine((1, 1000)), ((1, 1000), 1));
        assert_eq!(fine((1, 7)), ((1, 7), 1), "no whole number of ticks");
    }
}
