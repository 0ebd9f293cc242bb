//! Decoding by level, and frames out of what was decoded.
//!
//! L0 decodes nothing. L1 feeds key packets only and drains the decoder after each, so that a key picture comes out at once and
//! not with the next one. L2 feeds everything. The packets since the last key are kept (bounded), so that a switch to L2 starts
//! at once: they are decoded, and only the newest picture becomes a frame.

mod gop;
mod health;
mod sampling;

use ffmpeg_next::codec::Parameters;
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Discard, Packet, Rational, decoder};
use kerbside_domain::frame::Level;

use self::gop::GroupOfPictures;
use self::health::DecodeHealth;
use self::sampling::Sampling;
use super::decoder as opening;
use super::error::CaptureError;
use super::parent_link::ParentLink;
use crate::picture::scale::{ScaledPicture, Scaler};
use crate::proto::{CaptureEvent, OpenSource, RawFrame, SourceFault};

/// Decoder, scaler and sampling of one stream.
pub(super) struct FrameDecoder {
    parameters: Parameters,
    time_base: Rational,
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
    size: Option<(u32, u32)>,
    tick_s: f64,
}

impl FrameDecoder {
    pub(super) fn new(
        open: &OpenSource,
        parameters: Parameters,
        time_base: Rational,
        codec: &str,
    ) -> Result<Self, CaptureError> {
        // The demuxer's own parameters die with it.
        let parameters = parameters.clone();
        let decoder = opening::open(&parameters, time_base).map_err(|e| {
            CaptureError::source(SourceFault::WrongCodec, format!("codec {codec} is not supported: {e}"))
        })?;
        Ok(FrameDecoder {
            parameters,
            time_base,
            decoder,
            level: open.level,
            intra_only: matches!(codec, "mjpeg" | "rawvideo" | "png"),
            fed_key: false,
            gop: GroupOfPictures::default(),
            sampling: Sampling::new(open.analysis_fps),
            scaler: None,
            analysis_width: open.analysis_width,
            health: DecodeHealth::default(),
            size: None,
            tick_s: f64::from(time_base),
        })
    }

    /// Timestamps or parameters jumped: nothing before this belongs to what follows.
    pub(super) fn restart(&mut self) {
        self.decoder.flush();
        self.fed_key = false;
        self.gop.clear();
        self.sampling.restart();
    }

    /// Size of the picture in a key packet, by a decoder of its own.
    pub(super) fn measure(&self, packet: &Packet) -> Option<(u32, u32)> {
        let mut decoder = opening::open(&self.parameters, self.time_base).ok()?;
        decoder.send_packet(packet).ok()?;
        decoder.send_eof().ok()?;
        let mut picture = Video::empty();
        decoder.receive_frame(&mut picture).ok()?;
        Some((picture.width(), picture.height()))
    }

    /// Takes one packet; returns the size of what was decoded last.
    pub(super) fn packet(
        &mut self,
        packet: Packet,
        key: bool,
        epoch: u32,
        parent: &mut ParentLink,
    ) -> Result<Option<(u32, u32)>, CaptureError> {
        if key {
            self.gop.clear();
        }
        let at_s = packet.pts().unwrap_or(0) as f64 * self.tick_s;
        self.switch(parent.level(), epoch, parent)?;
        match self.level {
            Level::L0 => {}
            Level::L1 if key && self.sampling.is_due(at_s) => {
                self.key_picture(&packet, at_s, epoch, parent)?;
            }
            Level::L1 => {}
            Level::L2 if self.intra_only && !self.sampling.is_due(at_s) => {}
            Level::L2 => self.feed(&packet, key, at_s, epoch, parent)?,
        }
        self.gop.push(packet, key);
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
        self.decoder.flush();
        self.fed_key = false;
        self.health.pause();
        let discard = if to == Level::L1 { Discard::NonKey } else { Discard::Default };
        self.decoder.skip_frame(discard);
        if to != Level::L2 {
            return Ok(());
        }
        match self.catch_up(parent) {
            Some(picture) => self.picture(&picture, epoch, parent),
            None => Ok(()),
        }
    }

    /// Decodes from the last key on. Only the newest picture is of interest.
    fn catch_up(&mut self, parent: &mut ParentLink) -> Option<Video> {
        let mut newest = None;
        for packet in self.gop.packets() {
            self.fed_key = true;
            let mut picture = Video::empty();
            if self.decoder.send_packet(packet).is_err() {
                parent.stats.decode_errors += 1;
            }
            while self.decoder.receive_frame(&mut picture).is_ok() {
                parent.stats.decoded += 1;
                newest = Some(std::mem::replace(&mut picture, Video::empty()));
            }
        }
        newest
    }

    /// One key packet, all the way through the decoder.
    fn key_picture(
        &mut self,
        packet: &Packet,
        at_s: f64,
        epoch: u32,
        parent: &mut ParentLink,
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
        parent: &mut ParentLink,
    ) -> Result<(), CaptureError> {
        self.fed_key |= key;
        let undecodable = self.health.fed(at_s);
        let why = if !self.fed_key {
            "no key frame came".to_string()
        } else if let Err(error) = self.decoder.send_packet(packet) {
            parent.stats.decode_errors += 1;
            error.to_string()
        } else {
            "packets give no picture".to_string()
        };
        if undecodable {
            parent.event(CaptureEvent::Undecodable { text: why })?;
        }
        self.receive(epoch, parent)
    }

    fn receive(&mut self, epoch: u32, parent: &mut ParentLink) -> Result<(), CaptureError> {
        let mut picture = Video::empty();
        while self.decoder.receive_frame(&mut picture).is_ok() {
            parent.stats.decoded += 1;
            self.picture(&picture, epoch, parent)?;
        }
        Ok(())
    }

    /// A decoded picture: it becomes a frame if one is due and the parent has room for it.
    fn picture(&mut self, picture: &Video, epoch: u32, parent: &mut ParentLink) -> Result<(), CaptureError> {
        // The gate would take a smeared picture for motion.
        if picture.is_corrupt() || picture.has_decode_errors() {
            parent.stats.decode_errors += 1;
            return Ok(());
        }
        self.size = Some((picture.width(), picture.height()));
        if self.health.decoded() {
            parent.event(CaptureEvent::Decodable)?;
        }
        let Some(pts) = picture.timestamp().or(picture.pts()) else { return Ok(()) };
        let at_s = pts as f64 * self.tick_s;
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
        if self.scaler.as_ref().is_none_or(|s| !s.fits(picture)) {
            self.scaler = Some(Scaler::new(picture, self.analysis_width)?);
        }
        self.scaler.as_mut()?.run(picture)
    }
}
