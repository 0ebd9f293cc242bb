//! Packet ring: the last seconds of a camera, still encoded. Bounded by seconds and bytes; the oldest group of pictures goes first.
//!
//! Pure. It knows nothing of codecs beyond "key packet".

use std::collections::VecDeque;

use kerbside_domain::frame::{Packet, StreamInfo};
use kerbside_domain::time::{Moment, Mono};

use crate::signed_video::{SignedEnd, signed_end};

/// What a packet costs besides its payload, bytes.
const PACKET_OVERHEAD: usize = std::mem::size_of::<Packet>();

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

    /// Payload of the packets.
    pub fn bytes(&self) -> usize {
        self.packets.iter().map(|p| p.data.len()).sum()
    }
}

/// The last `seconds` of one camera: at least that long (it drops whole groups of pictures), never more than `max_bytes`.
#[derive(Debug)]
pub struct PacketRing {
    packets: VecDeque<Packet>,
    streams: VecDeque<StreamInfo>,
    bytes: usize,
    seconds: f64,
    max_bytes: usize,
    evicted: u64,
}

impl PacketRing {
    pub fn new(seconds: f64, max_bytes: usize) -> Self {
        PacketRing {
            packets: VecDeque::new(),
            streams: VecDeque::new(),
            bytes: 0,
            seconds,
            max_bytes,
            evicted: 0,
        }
    }

    /// Announces the stream that packets of `info.epoch` belong to.
    pub fn set_stream(&mut self, info: StreamInfo) {
        self.streams.retain(|s| s.epoch != info.epoch);
        self.streams.push_back(info);
        self.drop_old_streams();
    }

    /// Takes one packet, in decoding order. A packet that nothing can be decoded from (no key packet of its epoch
    /// in the ring) is not kept.
    pub fn push(&mut self, packet: Packet) {
        let continues = self.packets.back().is_some_and(|last| last.epoch == packet.epoch);
        if !packet.key && !continues {
            self.evicted += 1;
            return;
        }
        self.bytes += cost(&packet);
        self.packets.push_back(packet);
        self.bound();
    }

    /// When the newest packet was shown: a clip waits on this for its post-roll.
    pub fn latest(&self) -> Option<Moment> {
        self.packets.back().map(|p| p.at)
    }

    /// When the oldest packet was shown.
    pub fn oldest(&self) -> Option<Moment> {
        self.packets.front().map(|p| p.at)
    }

    /// Memory held, payloads and bookkeeping.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.packets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Packets dropped since the ring began, by age, by bytes or because they could not be decoded.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The packets that show `from..=to`, in decoding order, from the key packet at or before `from` (or the first there
    /// is), all of one epoch: the one that covers most of the span. `None` if the ring holds nothing of it.
    pub fn span(&self, from: Mono, to: Mono) -> Option<RingSpan> {
        let epoch = self.epoch_covering(from, to)?;
        let stream = self.streams.iter().find(|s| s.epoch == epoch)?.clone();
        let first = self.packets.iter().position(|p| p.epoch == epoch)?;
        let of_epoch = || self.packets.iter().enumerate().skip(first).take_while(|(_, p)| p.epoch == epoch);
        let end = of_epoch().filter(|(_, p)| p.at.mono <= to).map(|(i, _)| i).last().unwrap_or(first);
        let start =
            of_epoch().filter(|(_, p)| p.key && p.at.mono <= from).map(|(i, _)| i).last().unwrap_or(first);
        let packets = self.packets.range(start..=end.max(start)).cloned().collect();
        Some(RingSpan { stream, packets })
    }

    /// Where `from..=to` must end so that all its pictures can be verified, if the camera signs them.
    pub fn signed_end(&self, from: Mono, to: Mono) -> SignedEnd {
        signed_end(self.packets.iter(), from, to)
    }

    /// The epoch with most packets in the span; if none is inside, the one shown last before it.
    fn epoch_covering(&self, from: Mono, to: Mono) -> Option<u32> {
        let mut best: Option<(usize, u32)> = None;
        let mut run: (usize, u32) = (0, 0);
        for packet in self.packets.iter().filter(|p| p.at.mono >= from && p.at.mono <= to) {
            run = if run.1 == packet.epoch { (run.0 + 1, run.1) } else { (1, packet.epoch) };
            if best.is_none_or(|b| run.0 > b.0) {
                best = Some(run);
            }
        }
        let before = || self.packets.iter().rev().find(|p| p.at.mono <= from).map(|p| p.epoch);
        best.map(|b| b.1).or_else(before)
    }

    fn bound(&mut self) {
        while self.bytes > self.max_bytes && !self.packets.is_empty() {
            self.drop_front_group();
        }
        let Some(newest) = self.latest() else { return };
        let oldest_wanted = newest.mono.minus_s(self.seconds);
        while let Some(next) = self.second_group() {
            if next > oldest_wanted {
                break;
            }
            self.drop_front_group();
        }
    }

    /// When the second group of pictures begins.
    fn second_group(&self) -> Option<Mono> {
        self.packets.iter().skip(1).find(|p| p.key).map(|p| p.at.mono)
    }

    fn drop_front_group(&mut self) {
        let mut first = true;
        while let Some(front) = self.packets.front() {
            if front.key && !first {
                break;
            }
            first = false;
            self.bytes -= cost(front);
            self.evicted += 1;
            self.packets.pop_front();
        }
        self.drop_old_streams();
    }

    /// Keeps the newest stream and those that still have packets.
    fn drop_old_streams(&mut self) {
        let newest = self.streams.back().map(|s| s.epoch);
        let oldest = self.packets.front().map(|p| p.epoch);
        self.streams.retain(|s| Some(s.epoch) == newest || oldest.is_some_and(|o| s.epoch >= o));
    }
}

fn cost(packet: &Packet) -> usize {
    packet.data.len() + PACKET_OVERHEAD
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn info(epoch: u32) -> StreamInfo {
        StreamInfo {
            epoch,
            codec: "h264".into(),
            width: 64,
            height: 36,
            time_base: (1, 1000),
            fps: 25.0,
            extradata: Bytes::new(),
        }
    }

    fn packet(epoch: u32, ms: u64, key: bool, len: usize) -> Packet {
        let at = Moment { mono: Mono(ms * 1000), ..Moment::default() };
        let data = Bytes::from(vec![0u8; len]);
        Packet { epoch, pts: ms as i64, dts: ms as i64, duration: 40, key, at, data }
    }

    /// 25 pictures a second, a key picture every second.
    fn ring_of(seconds: u64, keep_s: f64) -> PacketRing {
        let mut ring = PacketRing::new(keep_s, 1 << 20);
        ring.set_stream(info(1));
        for i in 0..seconds * 25 {
            ring.push(packet(1, i * 40, i % 25 == 0, 100));
        }
        ring
    }

    fn pts(span: &RingSpan) -> (i64, i64, usize) {
        let packets = &span.packets;
        (packets[0].pts, packets[packets.len() - 1].pts, packets.len())
    }

    #[test]
    fn a_span_starts_at_the_key_packet_before_the_span() {
        let ring = ring_of(10, 20.0);
        let span = ring.span(Mono::from_s(3.5), Mono::from_s(5.0)).unwrap();
        assert_eq!(pts(&span), (3000, 5000, 51));
        assert!(span.packets[0].key);
    }

    #[test]
    fn a_span_of_one_moment_ends_with_the_picture_shown_then() {
        let ring = ring_of(10, 20.0);
        assert_eq!(pts(&ring.span(Mono::from_s(3.5), Mono::from_s(3.5)).unwrap()), (3000, 3480, 13));
    }

    #[test]
    fn a_span_older_than_the_ring_gets_what_there_is() {
        let ring = ring_of(10, 4.0);
        assert_eq!(ring.oldest().unwrap().mono, Mono::from_s(5.0));
        assert_eq!(pts(&ring.span(Mono::ZERO, Mono::from_s(6.0)).unwrap()), (5000, 6000, 26));
        assert!(ring.span(Mono::ZERO, Mono::from_s(1.0)).is_none());
    }

    #[test]
    fn a_clip_never_spans_two_epochs() {
        let mut ring = ring_of(4, 20.0);
        ring.set_stream(info(2));
        for i in 0..50 {
            ring.push(packet(2, 4000 + i * 40, i % 25 == 0, 100));
        }
        let span = ring.span(Mono::from_s(3.5), Mono::from_s(5.5)).unwrap();
        assert_eq!((span.stream.epoch, pts(&span)), (2, (4000, 5480, 38)));
        let span = ring.span(Mono::from_s(1.5), Mono::from_s(4.1)).unwrap();
        assert_eq!((span.stream.epoch, pts(&span)), (1, (1000, 3960, 75)));
    }

    #[test]
    fn packets_before_the_first_key_are_not_kept() {
        let mut ring = PacketRing::new(10.0, 1 << 20);
        ring.set_stream(info(1));
        ring.push(packet(1, 0, false, 10));
        assert!(ring.is_empty());
        assert_eq!((ring.bytes(), ring.evicted()), (0, 1));
    }

    #[test]
    fn one_endless_group_of_pictures_cannot_outgrow_the_limit() {
        let mut ring = PacketRing::new(10.0, 10_000);
        ring.set_stream(info(1));
        for i in 0..1000 {
            ring.push(packet(1, i * 40, i == 0, 1000));
            assert!(ring.bytes() <= 10_000);
        }
    }

    proptest! {
        #[test]
        fn bounds_hold_and_every_span_can_be_decoded(
            steps in proptest::collection::vec((0u64..500, any::<bool>(), 0usize..3000, 0u8..20), 1..300),
            from in 0u64..60_000, len in 0u64..20_000,
        ) {
            let mut ring = PacketRing::new(5.0, 40_000);
            let (mut ms, mut epoch) = (0, 1);
            ring.set_stream(info(epoch));
            for (gap, key, size, change) in steps {
                ms += gap;
                if change == 0 {
                    epoch += 1;
                    ring.set_stream(info(epoch));
                }
                ring.push(packet(epoch, ms, key, size));
                prop_assert!(ring.bytes() <= 40_000);
                let held: usize = ring.packets.iter().map(cost).sum();
                prop_assert_eq!(held, ring.bytes());
                prop_assert!(ring.packets.front().is_none_or(|p| p.key));
                prop_assert!(ring.packets.iter().all(|p| ring.streams.iter().any(|s| s.epoch == p.epoch)));
            }
            if let Some(RingSpan { stream, packets }) = ring.span(Mono(from * 1000), Mono((from + len) * 1000)) {
                prop_assert!(packets[0].key);
                prop_assert!(packets.iter().all(|p| p.epoch == stream.epoch));
            }
        }
    }
}
