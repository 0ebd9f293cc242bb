//! The ring's bounds, and which packets show a span.

use bytes::Bytes;
use proptest::prelude::*;

use kerbside_domain::frame::Turn;

use super::*;

/// A stream of packets at 1000 ticks a second.
pub(super) fn info(epoch: u32) -> StreamInfo {
    StreamInfo {
        epoch,
        codec: "h264".into(),
        width: 64,
        height: 36,
        turn: Turn::NONE,
        time_base: (1, 1000),
        fps: 25.0,
        extradata: Bytes::new(),
    }
}

fn packet(epoch: u32, ms: u64, key: bool, len: usize) -> Packet {
    let at = Moment { mono: Mono(ms * 1000), ..Moment::default() };
    let data = Bytes::from(vec![0u8; len]);
    let (pts, dts) = (ms as i64, ms as i64);
    Packet { epoch, pts, dts, duration: 40, key, refresh: 0, damaged: false, at, data }
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
fn a_span_of_a_stream_that_refreshes_begins_where_its_picture_is_whole_in_time() {
    let mut ring = PacketRing::new(60.0, 1 << 20);
    ring.set_stream(info(1));
    for i in 0..100 {
        // A recovery point each 2 s that needs 20 pictures of 100 ms.
        let mut packet = packet(1, i * 100, i % 20 == 0, 10);
        packet.refresh = if i == 0 { 0 } else { 20 };
        ring.push(packet);
    }
    let begin = |s: f64| ring.span(Mono::from_s(s), Mono::from_s(9.9)).unwrap().packets[0].pts;
    assert_eq!([1.0, 3.9, 4.0, 5.9, 6.1].map(begin), [0, 0, 2000, 2000, 4000]);
}

#[test]
fn what_is_told_to_be_damaged_is_marked() {
    let mut ring = ring_of(2, 20.0);
    ring.damaged(1, 400);
    ring.damaged(7, 440);
    let span = ring.span(Mono::ZERO, Mono::from_s(2.0)).unwrap();
    let damaged: Vec<i64> = span.packets.iter().filter(|p| p.damaged).map(|p| p.pts).collect();
    assert_eq!(damaged, [400]);
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
