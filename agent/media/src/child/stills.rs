//! Pictures at full resolution out of packets: one group of pictures is decoded, the frame wanted is drawn on and written as JPEG.
//!
//! Only whole pictures are written. Where the one wanted is damaged the nearest whole one stands for it, and the answer says
//! which it is.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Rational, decoder};

use kerbside_domain::frame::{Packet, StreamInfo, Turn};
use opencv::core::{Mat, MatTraitConst, Rect, Size};
use opencv::imgproc;

use super::decode::{is_flagged, pts_of, send};
use super::nal::Entry;
use super::wholeness::Wholeness;
use super::{decoder as opening, jpeg, parameters};
use crate::clip::{Crop, StillJob};
use crate::picture::pen::{ChannelOrder, Pen};
use crate::proto::StillInfo;

/// Largest width to which a part is enlarged, px: whoever asks for more gets this.
const MAX_ENLARGED_WIDTH: f64 = 1920.0;

/// The part of the picture, enlarged if it has fewer pixels than wanted.
fn cropped(picture: &Mat, crop: &Crop) -> opencv::Result<Mat> {
    let (width, height) = (f64::from(picture.cols()), f64::from(picture.rows()));
    let window = crop.window.clamped();
    let px = |share: f32, side: f64| (f64::from(share) * side).round();
    let w = px(window.w, width).clamp(1.0, width);
    let h = px(window.h, height).clamp(1.0, height);
    let (x, y) = (px(window.x, width).min(width - w), px(window.y, height).min(height - h));
    let part = Mat::roi(picture, Rect::new(x as i32, y as i32, w as i32, h as i32))?.try_clone()?;
    let factor = f64::from(crop.min_width).min(MAX_ENLARGED_WIDTH) / w;
    if factor <= 1.0 {
        return Ok(part);
    }
    let mut larger = Mat::default();
    let size = Size::new((w * factor).round() as i32, ((h * factor).round() as i32).max(1));
    imgproc::resize(&part, &mut larger, size, 0.0, 0.0, imgproc::INTER_CUBIC)?;
    Ok(larger)
}

/// Finds frames by pts among the packets of one stream.
pub(super) struct Stills<'a> {
    packets: &'a [Packet],
    turn: Turn,
    decoder: decoder::Video,
    /// Where decoding can begin.
    entries: Vec<usize>,
    /// The picture found last, and what it was asked for.
    found: Option<(i64, Video)>,
}

impl<'a> Stills<'a> {
    pub(super) fn new(stream: &StreamInfo, packets: &'a [Packet]) -> Result<Self, String> {
        let parameters = parameters::of_stream(stream, packets)?;
        let time_base = Rational(stream.time_base.0, stream.time_base.1.max(1));
        let decoder = opening::open(&parameters, time_base).map_err(|e| format!("{}: {e}", stream.codec))?;
        let entries = packets.iter().enumerate().filter(|(_, p)| p.key).map(|(ix, _)| ix).collect();
        Ok(Stills { packets, turn: stream.turn, decoder, entries, found: None })
    }

    /// Writes one picture of the job.
    pub(super) fn write(&mut self, job: &StillJob) -> Result<StillInfo, String> {
        if self.found.as_ref().is_none_or(|(asked, _)| *asked != job.pts) {
            self.found = self.nearest(job.pts).map(|picture| (job.pts, picture));
        }
        let (_, frame) = self.found.as_ref().ok_or("no whole picture comes of the packets")?;
        let pts = pts_of(frame);
        let cv = |e: opencv::Error| format!("OpenCV: {}", e.message);
        let mut picture = jpeg::to_mat(frame, self.turn)?;
        Pen::new(&mut picture, ChannelOrder::Bgr).draw(&job.drawings).map_err(cv)?;
        if let Some(crop) = &job.crop {
            picture = cropped(&picture, crop).map_err(cv)?;
        }
        let limit = usize::try_from(job.max_bytes).unwrap_or(usize::MAX);
        let (bytes, width, height) = jpeg::within(picture, limit)?;
        std::fs::write(&job.path, &bytes).map_err(|e| format!("{}: {e}", job.path.display()))?;
        Ok(StillInfo { bytes: bytes.len() as u64, width, height, pts })
    }

    /// The frame shown at `pts`, the last one not later, if it is whole; else the whole one nearest to it.
    fn nearest(&mut self, pts: i64) -> Option<Video> {
        let begin = self.entry_before(pts)?;
        let (before, after) = self.around(begin, pts);
        if before.as_ref().is_some_and(|(_, exact)| *exact) {
            return before.map(|(picture, _)| picture);
        }
        // Before it one group after the other, until one has a whole picture.
        let mut before = before.map(|(picture, _)| picture);
        for at in (0..begin).rev() {
            if before.is_some() {
                break;
            }
            before = self.around(at, pts).0.map(|(picture, _)| picture);
        }
        let away = |picture: &Video| pts_of(picture).abs_diff(pts);
        match (before, after) {
            (Some(before), Some(after)) if away(&after) < away(&before) => Some(after),
            (before, after) => before.or(after),
        }
    }

    /// The entry (its place among the entries) from which the frame at `pts` is whole: a recovery point counts from where all its
    /// pictures were decoded. The first there is if none is.
    fn entry_before(&self, pts: i64) -> Option<usize> {
        let whole_from = |entry: &usize| {
            let refresh = usize::from(self.packets.get(*entry)?.refresh);
            self.packets.get(entry + refresh).map(|p| p.pts)
        };
        let in_time = |entry: &usize| whole_from(entry).is_some_and(|from| from <= pts);
        self.entries.iter().rposition(in_time).or(if self.entries.is_empty() { None } else { Some(0) })
    }

    /// Decodes from an entry on: the last whole frame not later than `pts` (and whether it is the very one shown then), and the first
    /// whole one after it.
    fn around(&mut self, entry: usize, pts: i64) -> (Option<(Video, bool)>, Option<Video>) {
        self.decoder.flush();
        let mut pictures = Wholeness::default();
        let (mut before, mut newest_pts) = (None, i64::MIN);
        let mut next = self.entries.get(entry).copied().unwrap_or(0);
        loop {
            let mut frame = Video::empty();
            while self.decoder.receive_frame(&mut frame).is_ok() {
                let at = pts_of(&frame);
                let whole = pictures.picture(at, is_flagged(&frame));
                if at <= pts {
                    newest_pts = newest_pts.max(at);
                }
                match (whole, at <= pts) {
                    (true, true) => before = Some(std::mem::replace(&mut frame, Video::empty())),
                    (true, false) => return (exact(before, newest_pts), Some(frame)),
                    (false, false) if before.as_ref().is_some_and(|b| pts_of(b) == newest_pts) => {
                        return (exact(before, newest_pts), None);
                    }
                    (false, _) => {}
                }
            }
            match self.packets.get(next) {
                Some(packet) => self.feed(packet, &mut pictures),
                None if next == self.packets.len() && self.decoder.send_eof().is_ok() => {}
                None => return (exact(before, newest_pts), None),
            }
            next += 1;
        }
    }

    fn feed(&mut self, packet: &Packet, pictures: &mut Wholeness) {
        if packet.data.is_empty() {
            return;
        }
        let mut copy = ffmpeg::Packet::copy(&packet.data);
        copy.set_pts(Some(packet.pts));
        copy.set_dts(Some(packet.dts));
        let (_, fault) = send(&mut self.decoder, &copy, packet.damaged);
        let entry = match (packet.key, packet.refresh) {
            (false, _) => None,
            (true, 0) => Some(Entry::Key),
            (true, pictures) => Some(Entry::Refresh(pictures)),
        };
        pictures.fed(packet.pts, entry, fault);
    }
}

fn exact(before: Option<Video>, newest_pts: i64) -> Option<(Video, bool)> {
    before.map(|picture| {
        let exact = pts_of(&picture) == newest_pts;
        (picture, exact)
    })
}
