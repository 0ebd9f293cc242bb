//! Decoding by level, and frames out of what was decoded.
//!
//! L0 decodes nothing. L1 feeds key packets only and drains the decoder after each, so that a key picture comes out at once and
//! not with the next one. L2 feeds everything. The packets since the last key are kept (bounded), so that a switch to L2 starts
//! at once: they are decoded, and only the newest picture becomes a frame. Only whole pictures become frames.

mod fed;
mod gop;
mod health;
mod reopening;
mod sampling;
mod spare;

use ffmpeg_next::codec::Parameters;
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Discard, Packet, Rational, decoder};
use kerbside_domain::frame::{Level, StreamInfo, Turn};

pub(super) use self::fed::Fed;
use self::gop::GroupOfPictures;
use self::health::DecodeHealth;
use self::reopening::Reopening;
use self::sampling::Sampling;
use self::spare::SparePictures;
use super::error::CaptureError;
use super::nal::Entry;
use super::parent_link::ParentLink;
use super::wholeness::{Fault, Wholeness};
use super::{decoder as opening, libav_log, libav_sys};
use crate::picture::scale::{ScaledPicture, Scaler};
use crate::picture::turned::Turned;
use crate::proto::{CaptureEvent, FromChild, OpenSource, Pace, RawFrame, RawPacket, SourceFault};
use crate::tuning::UNDECODABLE_S;
use crate::url;

/// Decoder, scaler and sampling of one stream.
pub(super) struct FrameDecoder {
    parameters: Parameters,
    time_base: Rational,
    turn: Turn,
    decoder: decoder::Video,
    level: Level,
    /// Each packet is a whole picture (MJPEG): one that becomes no frame need not be decoded.
    intra_only: bool,
    fed_key: bool,
    gop: GroupOfPictures,
    sampling: Sampling,
    scaler: Option<Scaler>,
    analysis_width: u32,
    health: DecodeHealth,
    wholeness: Wholeness,
    /// Only of a camera on a network.
    reopening: Option<Reopening>,
    spare: SparePictures,
    size: Option<(u32, u32)>,
    tick_s: f64,
}

/// Size of the picture in a key packet, by a decoder of its own.
pub(super) fn measure(parameters: &Parameters, time_base: Rational, packet: &Packet) -> Option<(u32, u32)> {
    let mut decoder = opening::open(parameters, time_base).ok()?;
    decoder.send_packet(packet).ok()?;
    decoder.send_eof().ok()?;
    let mut picture = Video::empty();
    decoder.receive_frame(&mut picture).ok()?;
    Some((picture.width(), picture.height()))
}

impl FrameDecoder {
    pub(super) fn new(
        open: &OpenSource,
        parameters: Parameters,
        time_base: Rational,
        info: &StreamInfo,
    ) -> Result<Self, CaptureError> {
        let is_camera = open.pace == Pace::Live && url::is_network(&open.url);
        // The demuxer's own parameters die with it.
        let parameters = parameters.clone();
        let decoder = opening::open(&parameters, time_base).map_err(|e| {
            CaptureError::source(
                SourceFault::WrongCodec,
                format!("codec {} is not supported: {e}", info.codec),
            )
        })?;
        Ok(FrameDecoder {
            parameters,
            time_base,
            turn: info.turn,
            decoder,
            level: open.level,
            intra_only: matches!(info.codec.as_str(), "mjpeg" | "rawvideo" | "png"),
            fed_key: false,
            gop: GroupOfPictures::default(),
            sampling: Sampling::new(open.analysis_fps),
            scaler: None,
            analysis_width: open.analysis_width,
            health: DecodeHealth::default(),
            wholeness: Wholeness::default(),
            reopening: is_camera.then(Reopening::default),
            spare: SparePictures::default(),
            size: None,
            tick_s: f64::from(time_base),
        })
    }

    /// Timestamps jumped: nothing before this belongs to what follows.
    pub(super) fn restart(&mut self) {
        self.flush();
        self.gop.clear();
        self.sampling.restart();
        self.reopening.iter_mut().for_each(Reopening::restart);
    }

    fn flush(&mut self) {
        self.decoder.flush();
        self.fed_key = false;
        self.wholeness.restart();
    }

    /// The stream goes on with other parameters: a decoder that knows the old ones would read it wrongly.
    pub(super) fn reopen(&mut self, extradata: &[u8]) -> Result<(), CaptureError> {
        let failed = |text: String| CaptureError::source(SourceFault::WrongCodec, text);
        libav_sys::set_extradata(&mut self.parameters, extradata)
            .ok_or_else(|| failed("new parameters are too long".to_owned()))?;
        self.decoder = opening::open(&self.parameters, self.time_base)
            .map_err(|e| failed(format!("new parameters are not supported: {e}")))?;
        self.decoder.skip_frame(discard(self.level));
        self.restart();
        Ok(())
    }

    /// Pictures must be turned like this from now on.
    pub(super) fn turn(&mut self, turn: Turn) {
        self.turn = turn;
    }

    /// The packet ring cannot hold the groups of pictures of this stream, or can again.
    pub(super) fn spare_pictures(&mut self, wanted: bool) {
        self.spare.want(wanted);
    }

    /// Size of the picture in a key packet, by a decoder of its own.
    pub(super) fn measure(&self, packet: &Packet) -> Option<(u32, u32)> {
        measure(&self.parameters, self.time_base, packet)
    }

    /// Takes one packet; returns the size of what was decoded last.
    pub(super) fn packet(
        &mut self,
        packet: Packet,
        kind: Fed,
        epoch: u32,
        parent: &mut ParentLink,
    ) -> Result<Option<(u32, u32)>, CaptureError> {
        if kind.entry.is_some() {
            self.gop.clear();
        }
        let at_s = packet.pts().unwrap_or(0) as f64 * self.tick_s;
        self.switch(parent.level(), epoch, parent)?;
        match self.level {
            Level::L0 => {}
            // A recovery point gives no picture without those after it.
            Level::L1 if kind.entry == Some(Entry::Key) && self.sampling.is_due(at_s) => {
                self.key_picture(&packet, kind, at_s, epoch, parent)?;
            }
            Level::L1 => {}
            Level::L2 if self.intra_only && !self.sampling.is_due(at_s) => {}
            Level::L2 => self.feed(&packet, kind, at_s, epoch, parent)?,
        }
        self.gop.push(packet, kind);
        let broken = self.level == Level::L2 && self.wholeness.is_broken();
        if let Some(reopening) = &mut self.reopening
            && reopening.packet(at_s, kind.entry.is_some(), broken)
        {
            let text = "the stream is damaged and no key frame comes to go on from: it is opened again";
            return Err(CaptureError::source(SourceFault::Garbled, text));
        }
        Ok(self.size)
    }

    /// The last pictures that the decoder holds.
    pub(super) fn drain(&mut self, epoch: u32, parent: &mut ParentLink) -> Result<(), CaptureError> {
        if self.level == Level::L2 && self.decoder.send_eof().is_ok() {
            self.receive(epoch, parent)?;
        }
        Ok(())
    }

    fn switch(&mut self, to: Level, epoch: u32, parent: &mut ParentLink) -> Result<(), CaptureError> {
        let from = std::mem::replace(&mut self.level, to);
        if from == to {
            return Ok(());
        }
        self.flush();
        self.health.pause();
        self.decoder.skip_frame(discard(to));
        if to != Level::L2 {
            return Ok(());
        }
        match self.catch_up(epoch, parent)? {
            Some(picture) => self.whole_picture(&picture, epoch, parent),
            None => Ok(()),
        }
    }

    /// Decodes from the last key on. Only the newest whole picture is of interest.
    fn catch_up(&mut self, epoch: u32, parent: &mut ParentLink) -> Result<Option<Video>, CaptureError> {
        let mut newest = None;
        let group = std::mem::take(&mut self.gop);
        for (packet, kind) in group.packets() {
            self.fed_key = true;
            self.send(packet, *kind, epoch, parent)?;
            let mut picture = Video::empty();
            while self.decoder.receive_frame(&mut picture).is_ok() {
                parent.stats.decoded += 1;
                if self.wholeness.picture(pts_of(&picture), is_flagged(&picture)) {
                    newest = Some(std::mem::replace(&mut picture, Video::empty()));
                }
            }
        }
        self.gop = group;
        Ok(newest)
    }

    /// One key packet, all the way through the decoder.
    fn key_picture(
        &mut self,
        packet: &Packet,
        kind: Fed,
        at_s: f64,
        epoch: u32,
        parent: &mut ParentLink,
    ) -> Result<(), CaptureError> {
        self.feed(packet, kind, at_s, epoch, parent)?;
        if self.decoder.send_eof().is_ok() {
            self.receive(epoch, parent)?;
        }
        self.flush();
        Ok(())
    }

    fn feed(
        &mut self,
        packet: &Packet,
        kind: Fed,
        at_s: f64,
        epoch: u32,
        parent: &mut ParentLink,
    ) -> Result<(), CaptureError> {
        self.fed_key |= kind.entry.is_some();
        let undecodable = self.health.fed(at_s);
        let why = if self.fed_key {
            self.send(packet, kind, epoch, parent)?
        } else {
            "no key frame came".to_owned()
        };
        if undecodable && self.level == Level::L1 {
            // Key packets that give no picture are like key frames that come too seldom: every packet must be decoded.
            self.health = DecodeHealth::default();
            parent.event(CaptureEvent::SparseKeys { gap_s: UNDECODABLE_S })?;
        } else if undecodable {
            parent.event(CaptureEvent::Undecodable { text: why })?;
        }
        self.receive(epoch, parent)
    }

    /// One packet into the decoder, and word of it if it breaks what was whole. Returns why no picture may come of it.
    fn send(
        &mut self,
        packet: &Packet,
        kind: Fed,
        epoch: u32,
        parent: &mut ParentLink,
    ) -> Result<String, CaptureError> {
        let (sent, fault) = send(&mut self.decoder, packet, kind.damaged);
        let why = match sent {
            Err(error) => {
                parent.stats.decode_errors += 1;
                error.to_string()
            }
            Ok(()) if self.wholeness.is_whole() => "packets give no picture".to_owned(),
            Ok(()) => "packets are lost or damaged, and no picture is whole".to_owned(),
        };
        let pts = packet.pts().unwrap_or(0);
        if self.wholeness.fed(pts, kind.entry, fault) {
            parent.event(CaptureEvent::Damaged { epoch, pts })?;
        }
        Ok(why)
    }

    fn receive(&mut self, epoch: u32, parent: &mut ParentLink) -> Result<(), CaptureError> {
        let mut picture = Video::empty();
        while self.decoder.receive_frame(&mut picture).is_ok() {
            parent.stats.decoded += 1;
            let (pts, flagged) = (pts_of(&picture), is_flagged(&picture));
            let was_whole = self.wholeness.is_whole();
            // The gate would take a smeared picture for motion.
            if self.wholeness.picture(pts, flagged) {
                self.whole_picture(&picture, epoch, parent)?;
            } else {
                parent.stats.decode_errors += 1;
            }
            if flagged && was_whole {
                parent.event(CaptureEvent::Damaged { epoch, pts })?;
            }
        }
        Ok(())
    }

    /// A picture that is whole: it becomes a frame if one is due and the parent has room for it.
    fn whole_picture(
        &mut self,
        picture: &Video,
        epoch: u32,
        parent: &mut ParentLink,
    ) -> Result<(), CaptureError> {
        self.size = Some((picture.width(), picture.height()));
        if self.health.decoded() {
            parent.event(CaptureEvent::Decodable)?;
        }
        let Some(pts) = picture.timestamp().or(picture.pts()) else { return Ok(()) };
        let at_s = pts as f64 * self.tick_s;
        if let Some(jpeg) = self.spare.of(picture, at_s, self.turn) {
            parent.send(&FromChild::Spare(RawPacket::spare(epoch, pts, jpeg)))?;
        }
        if !self.sampling.is_due(at_s) {
            return Ok(());
        }
        if !parent.wants_frame()? {
            parent.stats.frames_dropped += u64::from(self.sampling.missed(at_s));
            return Ok(());
        }
        self.sampling.take(at_s);
        let Some(ScaledPicture { rgb, luma, width, height }) = self.scale(picture) else {
            parent.stats.decode_errors += 1;
            return Ok(());
        };
        parent.frame(RawFrame { epoch, pts, level: self.level, width, height, rgb, luma })
    }

    fn scale(&mut self, picture: &Video) -> Option<ScaledPicture> {
        let upright = Turned::of(picture, self.turn)?;
        if self.scaler.as_ref().is_none_or(|s| !s.fits(&upright)) {
            self.scaler = Some(Scaler::new(&upright, self.analysis_width)?);
        }
        self.scaler.as_mut()?.run(&upright)
    }
}

fn discard(level: Level) -> Discard {
    if level == Level::L1 { Discard::NonKey } else { Discard::Default }
}

/// The picture says itself that it is damaged.
pub(super) fn is_flagged(picture: &Video) -> bool {
    picture.is_corrupt() || picture.has_decode_errors()
}

/// One packet into a decoder: its answer, and what is wrong with the packet by all that is known: what the sender of the packet
/// says (`damaged`), the decoder's answer, and what it logs meanwhile.
pub(super) fn send(
    decoder: &mut decoder::Video,
    packet: &Packet,
    damaged: bool,
) -> (Result<(), ffmpeg_next::Error>, Fault) {
    libav_log::take();
    let sent = decoder.send_packet(packet);
    let complained = libav_log::take().damaged_picture;
    (sent, Fault::of(damaged || is_fault(sent), complained))
}

/// The decoder could not use a packet; that it wants pictures taken first, or has ended, says nothing of the packet.
fn is_fault(sent: Result<(), ffmpeg_next::Error>) -> bool {
    use ffmpeg_next::error::EAGAIN;
    !matches!(sent, Ok(()) | Err(ffmpeg_next::Error::Eof | ffmpeg_next::Error::Other { errno: EAGAIN }))
}

/// When a picture is shown, in ticks.
pub(super) fn pts_of(picture: &Video) -> i64 {
    picture.timestamp().or(picture.pts()).unwrap_or(i64::MIN)
}
