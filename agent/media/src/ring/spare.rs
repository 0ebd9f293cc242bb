//! Spare pictures: whole ones, each by itself, of a camera whose groups of pictures are larger than its ring. Pure.

use std::collections::VecDeque;

use bytes::Bytes;
use kerbside_domain::frame::{Packet, StreamInfo, Turn};
use kerbside_domain::time::Mono;

use super::span::RingSpan;

/// How long after its moment a spare picture still shows it, s: one and a half of their distance.
const SHOWS_S: f64 = 1.5;

/// The newest of them, bounded by seconds and bytes.
#[derive(Debug)]
pub(super) struct SpareRing {
    pictures: VecDeque<Packet>,
    stream: Option<StreamInfo>,
    bytes: usize,
    seconds: f64,
    max_bytes: usize,
}

impl SpareRing {
    pub(super) fn new(seconds: f64, max_bytes: usize) -> Self {
        SpareRing { pictures: VecDeque::new(), stream: None, bytes: 0, seconds, max_bytes }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// `stream`: what it was decoded from. The picture stands upright already.
    pub(super) fn push(&mut self, picture: Packet, stream: &StreamInfo) {
        if self.stream.as_ref().is_none_or(|known| known.epoch != stream.epoch) {
            let (codec, extradata) = ("mjpeg".to_owned(), Bytes::new());
            self.stream = Some(StreamInfo { codec, extradata, turn: Turn::NONE, ..stream.clone() });
            self.pictures.clear();
            self.bytes = 0;
        }
        let oldest = picture.at.mono.minus_s(self.seconds);
        self.bytes += picture.data.len();
        self.pictures.push_back(picture);
        while self.bytes > self.max_bytes || self.pictures.front().is_some_and(|p| p.at.mono < oldest) {
            let Some(gone) = self.pictures.pop_front() else { return };
            self.bytes -= gone.data.len();
        }
    }

    /// The pictures from the one shown at `from` to the one shown at `to`.
    pub(super) fn span(&self, from: Mono, to: Mono) -> Option<RingSpan> {
        let stream = self.stream.clone()?;
        let shown = |p: &&Packet| p.at.mono <= to && p.at.mono.plus_s(SHOWS_S) >= from;
        let mut packets: Vec<Packet> = self.pictures.iter().filter(shown).cloned().collect();
        // Of those before `from` only the last shows it.
        let early = packets.iter().filter(|p| p.at.mono <= from).count().saturating_sub(1);
        packets.drain(..early);
        (!packets.is_empty()).then_some(RingSpan { stream, packets })
    }
}

#[cfg(test)]
mod tests {
    use kerbside_domain::time::Moment;

    use super::*;
    use crate::ring::tests::info;

    fn ring() -> SpareRing {
        let mut ring = SpareRing::new(10.0, 1000);
        let turn = Turn { mirrored: false, quarters: 1 };
        let stream = StreamInfo { turn, extradata: Bytes::from_static(&[1]), ..info(1) };
        for s in 0..30i64 {
            let at = Moment { mono: Mono::from_s(s as f64), ..Moment::default() };
            let (pts, data) = (s * 1000, Bytes::from(vec![0; 150]));
            ring.push(
                Packet {
                    epoch: 1,
                    pts,
                    dts: pts,
                    duration: 0,
                    key: true,
                    refresh: 0,
                    damaged: false,
                    at,
                    data,
                },
                &stream,
            );
        }
        ring
    }

    #[test]
    fn the_newest_are_kept_within_seconds_and_bytes() {
        let ring = ring();
        assert_eq!((ring.pictures.len(), ring.bytes()), (6, 900));
    }

    #[test]
    fn a_moment_is_shown_by_the_picture_before_it() {
        let ring = ring();
        let pts = |from: f64, to: f64| {
            let span = ring.span(Mono::from_s(from), Mono::from_s(to));
            span.map(|span| span.packets.iter().map(|p| p.pts).collect::<Vec<_>>()).unwrap_or_default()
        };
        assert_eq!(pts(27.4, 27.4), [27_000]);
        assert_eq!(pts(26.5, 29.0), [26_000, 27_000, 28_000, 29_000]);
        assert!(pts(10.0, 12.0).is_empty() && pts(31.0, 32.0).is_empty());
        let stream = ring.span(Mono::from_s(27.0), Mono::from_s(27.0)).unwrap().stream;
        assert_eq!((stream.codec.as_str(), stream.turn), ("mjpeg", Turn::NONE));
    }
}
