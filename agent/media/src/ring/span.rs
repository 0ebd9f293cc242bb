//! Packets that show a span of one camera, taken out of its ring. Pure.

use kerbside_domain::frame::{Packet, StreamInfo};
use kerbside_domain::time::{Moment, Mono};

/// How far the time of a clip may be from that of its moments, s. Chosen: a fifth of what anyone could see.
const PLAYING_ERROR_S: f64 = 0.1;

/// Packets of one epoch in decoding order, with the stream they belong to. They share their bytes with the ring.
#[derive(Clone, Debug)]
pub struct RingSpan {
    pub stream: StreamInfo,
    /// Begins with a key packet.
    pub packets: Vec<Packet>,
}

impl RingSpan {
    /// When the first packet was shown.
    pub fn begin(&self) -> Option<Moment> {
        self.packets.first().map(|p| p.at)
    }

    /// When the last packet was shown.
    pub fn end(&self) -> Option<Moment> {
        self.packets.last().map(|p| p.at)
    }

    /// `at` lies between the first and the last packet.
    pub fn covers(&self, at: Mono) -> bool {
        self.begin().is_some_and(|b| b.mono <= at) && self.end().is_some_and(|e| e.mono >= at)
    }

    /// How much of `from..=to` the packets show, s.
    pub fn shown_s(&self, from: Mono, to: Mono) -> f64 {
        let ends = self.begin().zip(self.end());
        ends.map_or(0.0, |(begin, end)| end.mono.min(to).since_s(begin.mono.max(from)).max(0.0))
    }

    /// The same packets, to be played: their times pass as their moments did. Where a camera's own clock does, as nearly always,
    /// nothing changes.
    pub fn in_real_time(self) -> RingSpan {
        let RingSpan { stream, mut packets } = self;
        let us_per_tick = 1e6 * f64::from(stream.time_base.0) / f64::from(stream.time_base.1.max(1));
        let offset_us = |p: &Packet| p.at.mono.0 as f64 - p.pts as f64 * us_per_tick;
        let (least, most) = packets
            .iter()
            .map(offset_us)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), us| (least.min(us), most.max(us)));
        if most - least > PLAYING_ERROR_S * 1e6 {
            let zero = packets.iter().map(|p| p.at.mono).min().unwrap_or_default();
            for packet in &mut packets {
                packet.pts = (packet.at.mono.since_s(zero) * 1e6 / us_per_tick).round() as i64;
                (packet.dts, packet.duration) = (packet.pts, 0);
            }
        }
        RingSpan { stream, packets }
    }

    /// Without what cannot be decoded: from a damaged packet to the next that needs no other. With it how much was left out, s.
    /// A stream that never sends such a packet keeps what follows its next recovery point.
    pub fn without_damage(self) -> (RingSpan, f64) {
        let RingSpan { stream, packets } = self;
        let ends = packets.first().zip(packets.last()).map(|(a, b)| (a.at.mono, b.at.mono));
        let mut kept: Vec<Packet> = Vec::with_capacity(packets.len());
        let (mut lost_s, mut hole) = (0.0, None);
        for (at, packet) in packets.iter().enumerate() {
            let has_key_later = || packets.iter().skip(at).any(|p| p.key && p.refresh == 0 && !p.damaged);
            if packet.damaged {
                hole.get_or_insert(packet.at.mono);
            } else if packet.key && (packet.refresh == 0 || !has_key_later()) {
                lost_s += hole.take().map_or(0.0, |from| packet.at.mono.since_s(from));
            }
            if hole.is_none() {
                kept.push(packet.clone());
            }
        }
        if let Some((from, (_, end))) = hole.zip(ends) {
            lost_s += end.since_s(from);
        }
        (RingSpan { stream, packets: kept }, lost_s)
    }

    /// Payload of the packets.
    pub fn bytes(&self) -> usize {
        self.packets.iter().map(|p| p.data.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ring::tests::info;

    /// (shown at, s; pts in ms; key; damaged)
    fn span(packets: &[(f64, i64, bool, bool)]) -> RingSpan {
        let packet = |&(at_s, pts, key, damaged): &(f64, i64, bool, bool)| {
            let at = Moment { mono: Mono::from_s(at_s), ..Moment::default() };
            Packet {
                epoch: 1,
                pts,
                dts: pts,
                duration: 100,
                key,
                refresh: 0,
                damaged,
                at,
                data: Bytes::new(),
            }
        };
        RingSpan { stream: info(1), packets: packets.iter().map(packet).collect() }
    }

    fn pts(span: &RingSpan) -> Vec<i64> {
        span.packets.iter().map(|p| p.pts).collect()
    }

    #[test]
    fn a_clip_passes_as_its_moments_did() {
        let honest = span(&[(5.0, 900, true, false), (5.1, 1000, false, false), (5.205, 1100, false, false)]);
        assert_eq!(pts(&honest.in_real_time()), [900, 1000, 1100]);
        let half = span(&[(5.0, 900, true, false), (6.0, 1400, false, false), (7.0, 1900, false, false)]);
        assert_eq!(pts(&half.in_real_time()), [0, 1000, 2000]);
        let stands = span(&[(5.0, 7, true, false), (6.0, 7, false, false), (8.5, 7, false, false)]);
        assert_eq!(pts(&stands.in_real_time()), [0, 1000, 3500]);
    }

    #[test]
    fn what_is_damaged_is_left_out_to_the_next_key_packet() {
        let whole = span(&[(0.0, 0, true, false), (1.0, 1, false, false)]);
        assert_eq!(whole.without_damage().1, 0.0);
        let hit = span(&[
            (0.0, 0, true, false),
            (1.0, 1, false, false),
            (2.0, 2, false, true),
            (3.0, 3, false, false),
            (4.0, 4, true, false),
            (5.0, 5, false, false),
            (6.0, 6, true, true),
            (7.0, 7, false, false),
        ]);
        let (kept, lost_s) = hit.without_damage();
        assert_eq!((pts(&kept), lost_s), (vec![0, 1, 4, 5], 3.0));
    }

    #[test]
    fn a_stream_without_key_packets_goes_on_at_its_recovery_points() {
        let mut hit = span(&[
            (0.0, 0, true, false),
            (1.0, 1, false, true),
            (2.0, 2, false, false),
            (3.0, 3, true, false),
        ]);
        hit.packets[3].refresh = 2;
        let (kept, lost_s) = hit.without_damage();
        assert_eq!((pts(&kept), lost_s), (vec![0, 3], 2.0));
    }
}
