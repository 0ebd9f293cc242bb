//! Decoding by level, and frames out of what was decoded.
//!
//! L0 decodes nothing. L1 feeds key packets only and drains the decoder after each, so that a key picture comes out at once and
//! not with the next one. L2 feeds everything. The packets since the last key are kept (bounded), so that a switch to L2 starts
//! at once: they are decoded, and only the newest picture is looked at.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{Parameters, threading};
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Discard, Packet, Rational, decoder};

use super::capture::{CaptureError, Parent};
use super::proto::{Event, Fault, Open, RawFrame};
use super::scale::{Scaler, Small};
use kerbside_domain::frame::Level;

/// The group of pictures kept for a switch to L2: bytes and packets. Beyond, the switch waits for the next key frame.
const MAX_GROUP_BYTES: usize = 8 << 20;
const MAX_GROUP_PACKETS: usize = 400;
/// Without a picture for this long although packets were fed, the stream is called undecodable, s of stream time.
const UNDECODABLE_S: f64 = 3.0;
/// Nor with fewer packets than this: a single broken key frame is no verdict.
const UNDECODABLE_PACKETS: u32 = 3;

/// Decoder, scaler and schedule of one stream.
pub(super) struct Eye {
    parameters: Parameters,
    time_base: Rational,
    decoder: decoder::Video,
    level: Level,
    /// Each packet is a whole picture (MJPEG): what is not looked at need not be decoded.
    intra_only: bool,
    fed_key: bool,
    group: Group,
    schedule: Schedule,
    scaler: Option<Scaler>,
    analysis_width: u32,
    sight: Sight,
    size: Option<(u32, u32)>,
    tick_s: f64,
}

impl Eye {
    pub(super) fn new(
        open: &Open,
        parameters: Parameters,
        time_base: Rational,
        codec: &str,
    ) -> Result<Self, CaptureError> {
        // The demuxer's own parameters die with it.
        let parameters = parameters.clone();
        let decoder = open_decoder(&parameters, time_base).map_err(|e| {
            CaptureError::source(Fault::WrongCodec, format!("codec {codec} is not supported: {e}"))
        })?;
        Ok(Eye {
            parameters,
            time_base,
            decoder,
            level: open.level,
            intra_only: matches!(codec, "mjpeg" | "rawvideo" | "png"),
            fed_key: false,
            group: Group::default(),
            schedule: Schedule::new(open.analysis_fps),
            scaler: None,
            analysis_width: open.analysis_width,
            sight: Sight::default(),
            size: None,
            tick_s: f64::from(time_base),
        })
    }

    /// Timestamps or parameters jumped: nothing before this belongs to what follows.
    pub(super) fn restart(&mut self) {
        self.decoder.flush();
        self.fed_key = false;
        self.group.clear();
        self.schedule.restart();
    }

    /// Size of the picture in a key packet, by a decoder of its own.
    pub(super) fn measure(&self, packet: &Packet) -> Option<(u32, u32)> {
        let mut decoder = open_decoder(&self.parameters, self.time_base).ok()?;
        decoder.send_packet(packet).ok()?;
        decoder.send_eof().ok()?;
        let mut frame = Video::empty();
        decoder.receive_frame(&mut frame).ok()?;
        Some((frame.width(), frame.height()))
    }

    /// Takes one packet; says the size of what was decoded last.
    pub(super) fn packet(
        &mut self,
        packet: Packet,
        key: bool,
        epoch: u32,
        parent: &mut Parent,
    ) -> Result<Option<(u32, u32)>, CaptureError> {
        if key {
            self.group.clear();
        }
        let at_s = packet.pts().unwrap_or(0) as f64 * self.tick_s;
        self.switch(parent.level(), epoch, parent)?;
        match self.level {
            Level::L0 => {}
            Level::L1 if key && self.schedule.is_due(at_s) => {
                self.key_picture(&packet, at_s, epoch, parent)?
            }
            Level::L1 => {}
            Level::L2 if self.intra_only && !self.schedule.is_due(at_s) => {}
            Level::L2 => self.feed(&packet, key, at_s, epoch, parent)?,
        }
        self.group.push(packet, key);
        Ok(self.size)
    }

    /// The last pictures that the decoder holds.
    pub(super) fn drain(&mut self, epoch: u32, parent: &mut Parent) -> Result<(), CaptureError> {
        if self.level == Level::L2 && self.decoder.send_eof().is_ok() {
            self.receive(epoch, parent)?;
        }
        Ok(())
    }

    fn switch(&mut self, to: Level, epoch: u32, parent: &mut Parent) -> Result<(), CaptureError> {
        let from = std::mem::replace(&mut self.level, to);
        if from == to {
            return Ok(());
        }
        self.decoder.flush();
        self.fed_key = false;
        self.sight.pause();
        let nokey = if to == Level::L1 { Discard::NonKey } else { Discard::Default };
        self.decoder.skip_frame(nokey);
        if to != Level::L2 {
            return Ok(());
        }
        // Catch up from the last key; only the newest picture is of interest.
        let mut newest = None;
        for packet in self.group.packets() {
            self.fed_key = true;
            let mut frame = Video::empty();
            if self.decoder.send_packet(packet).is_err() {
                parent.stats.decode_errors += 1;
            }
            while self.decoder.receive_frame(&mut frame).is_ok() {
                parent.stats.decoded += 1;
                newest = Some(std::mem::replace(&mut frame, Video::empty()));
            }
        }
        match newest {
            Some(frame) => self.picture(&frame, epoch, parent),
            None => Ok(()),
        }
    }

    /// One key packet, all the way through.
    fn key_picture(
        &mut self,
        packet: &Packet,
        at_s: f64,
        epoch: u32,
        parent: &mut Parent,
    ) -> Result<(), CaptureError> {
        self.feed(packet, true, at_s, epoch, parent)?;
        if self.decoder.send_eof().is_ok() {
            self.receive(epoch, parent)?;
        }
        self.decoder.flush();
        self.fed_key = false;
        Ok(())
    }

    fn feed(
        &mut self,
        packet: &Packet,
        key: bool,
        at_s: f64,
        epoch: u32,
        parent: &mut Parent,
    ) -> Result<(), CaptureError> {
        self.fed_key |= key;
        let blind = self.sight.fed(at_s);
        let why = if !self.fed_key {
            "no key frame came".to_string()
        } else if let Err(error) = self.decoder.send_packet(packet) {
            parent.stats.decode_errors += 1;
            error.to_string()
        } else {
            "packets give no picture".to_string()
        };
        if blind {
            parent.event(Event::Undecodable { text: why })?;
        }
        self.receive(epoch, parent)
    }

    fn receive(&mut self, epoch: u32, parent: &mut Parent) -> Result<(), CaptureError> {
        let mut frame = Video::empty();
        while self.decoder.receive_frame(&mut frame).is_ok() {
            parent.stats.decoded += 1;
            self.picture(&frame, epoch, parent)?;
        }
        Ok(())
    }

    fn picture(&mut self, frame: &Video, epoch: u32, parent: &mut Parent) -> Result<(), CaptureError> {
        // Smeared pictures would look like motion.
        if frame.is_corrupt() || frame.has_decode_errors() {
            parent.stats.decode_errors += 1;
            return Ok(());
        }
        self.size = Some((frame.width(), frame.height()));
        if self.sight.saw() {
            parent.event(Event::Decodable)?;
        }
        let Some(pts) = frame.timestamp().or(frame.pts()) else { return Ok(()) };
        let at_s = pts as f64 * self.tick_s;
        if !self.schedule.is_due(at_s) {
            return Ok(());
        }
        if !parent.wants_frame()? {
            parent.stats.frames_dropped += u64::from(self.schedule.missed(at_s));
            return Ok(());
        }
        self.schedule.take(at_s);
        let Some(Small { rgb, luma, width, height }) = self.shrink(frame) else {
            parent.stats.decode_errors += 1;
            return Ok(());
        };
        parent.frame(RawFrame { epoch, pts, level: self.level, width, height, rgb, luma })
    }

    fn shrink(&mut self, frame: &Video) -> Option<Small> {
        if self.scaler.as_ref().is_none_or(|s| !s.fits(frame)) {
            self.scaler = Some(Scaler::new(frame, self.analysis_width)?);
        }
        self.scaler.as_mut()?.run(frame)
    }
}

/// One decoder thread: frame threads add latency, and the box has other cameras to feed.
pub(super) fn open_decoder(
    parameters: &Parameters,
    time_base: Rational,
) -> Result<decoder::Video, ffmpeg::Error> {
    let mut context = ffmpeg::codec::Context::from_parameters(parameters.clone())?;
    context.set_threading(threading::Config { count: 1, ..Default::default() });
    let mut decoder = context.decoder();
    decoder.set_packet_time_base(time_base);
    decoder.video()
}

/// The packets since the last key, while they are not too many.
#[derive(Default)]
struct Group {
    packets: Vec<Packet>,
    bytes: usize,
    whole: bool,
}

impl Group {
    fn clear(&mut self) {
        self.packets.clear();
        self.bytes = 0;
        self.whole = false;
    }

    fn push(&mut self, packet: Packet, key: bool) {
        self.whole |= key;
        self.bytes += packet.size();
        if !self.whole || self.bytes > MAX_GROUP_BYTES || self.packets.len() >= MAX_GROUP_PACKETS {
            self.clear();
            return;
        }
        self.packets.push(packet);
    }

    fn packets(&self) -> &[Packet] {
        &self.packets
    }
}

/// Which pictures become frames: those nearest to a fixed beat of stream time.
struct Schedule {
    period_s: f64,
    due_s: Option<f64>,
    last_s: f64,
}

impl Schedule {
    fn new(analysis_fps: f64) -> Self {
        Schedule { period_s: 1.0 / analysis_fps.clamp(0.05, 60.0), due_s: None, last_s: f64::NEG_INFINITY }
    }

    fn restart(&mut self) {
        self.due_s = None;
        self.last_s = f64::NEG_INFINITY;
    }

    /// A picture at `at_s` would be taken. Half a frame of 25 Hz early is as near as half a frame late.
    fn is_due(&self, at_s: f64) -> bool {
        // Time never goes back between frames.
        at_s > self.last_s && self.due_s.is_none_or(|due| at_s >= due - 0.02_f64.min(self.period_s / 4.0))
    }

    fn take(&mut self, at_s: f64) {
        self.last_s = at_s;
        let due = self.due_s.unwrap_or(at_s) + self.period_s;
        // After a pause the beat starts anew; it never runs after what it missed.
        self.due_s = Some(if due > at_s { due } else { at_s + self.period_s });
    }

    /// The picture due could not be taken: the next one will do. True when a whole beat has gone by.
    fn missed(&mut self, at_s: f64) -> bool {
        let due = *self.due_s.get_or_insert(at_s);
        let gone = at_s >= due + self.period_s;
        if gone {
            self.due_s = Some(due + self.period_s);
        }
        gone
    }
}

/// Whether pictures come out of what is fed.
#[derive(Default)]
struct Sight {
    fed_since_s: Option<f64>,
    fed: u32,
    blind: bool,
}

impl Sight {
    /// True once, when blindness must be reported.
    fn fed(&mut self, at_s: f64) -> bool {
        let since = *self.fed_since_s.get_or_insert(at_s);
        self.fed += 1;
        let blind = self.fed >= UNDECODABLE_PACKETS && at_s - since >= UNDECODABLE_S;
        blind && !std::mem::replace(&mut self.blind, true)
    }

    /// True once, when it can be taken back.
    fn saw(&mut self) -> bool {
        self.pause();
        std::mem::replace(&mut self.blind, false)
    }

    fn pause(&mut self) {
        self.fed_since_s = None;
        self.fed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Schedule {
        fn offer(&mut self, at_s: f64) -> bool {
            let due = self.is_due(at_s);
            if due {
                self.take(at_s);
            }
            due
        }
    }

    #[test]
    fn looks_are_the_pictures_nearest_the_beat() {
        let mut schedule = Schedule::new(5.0);
        let taken: Vec<u32> = (0..30).filter(|&i| schedule.offer(f64::from(i) / 12.0)).collect();
        // 12 pictures and 5 frames a second: 0, 2.4, 4.8, 7.2, 9.6, 12, ...
        assert_eq!(taken, [0, 3, 5, 7, 10, 12, 15, 17, 19, 22, 24, 27, 29]);
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut schedule = Schedule::new(5.0);
        let taken: Vec<bool> = [0.0, 10.0, 10.04, 10.2, 10.2, 10.1].map(|at| schedule.offer(at)).into();
        assert_eq!(taken, [true, true, false, true, false, false]);
    }

    #[test]
    fn a_look_not_wanted_is_made_up_by_the_next_picture_and_a_lost_beat_counted() {
        let mut schedule = Schedule::new(5.0);
        assert!(schedule.offer(0.0));
        let lost: Vec<bool> = [0.2, 0.24, 0.36, 0.41, 0.5, 0.61].map(|at| schedule.missed(at)).into();
        assert_eq!(lost, [false, false, false, true, false, true]);
        assert!(schedule.offer(0.64));
        assert!(!schedule.offer(0.7));
        assert!(schedule.offer(0.8));
    }

    #[test]
    fn blindness_is_reported_once_and_taken_back_once() {
        let mut sight = Sight::default();
        let said: Vec<bool> = (0..6).map(|i| sight.fed(f64::from(i))).collect();
        assert_eq!(said, [false, false, false, true, false, false]);
        assert!(sight.saw());
        assert!(!sight.saw());
        assert!(!sight.fed(7.0));
    }
}
