//! Packet ring: the last seconds of a camera, still encoded. Bounded by seconds and bytes; the oldest group of pictures goes first.
//!
//! Pure. It knows nothing of codecs beyond "key packet".
//!
//! A camera may send groups of pictures that are larger than the ring. Then the child sends a whole picture about each second
//! beside them, and the ring keeps the newest of these spare pictures in a quarter of its size on top.

mod span;
mod spare;

use std::collections::VecDeque;

use kerbside_domain::frame::{Packet, StreamInfo};
use kerbside_domain::time::{Moment, Mono};

pub use self::span::RingSpan;
use self::spare::SpareRing;
use crate::signed_video::{SignedEnd, signed_end};

/// What a packet costs besides its payload, bytes.
const PACKET_OVERHEAD: usize = std::mem::size_of::<Packet>();

/// The last `seconds` of one camera: at least that long (it drops whole groups of pictures), never more than `max_bytes`.
#[derive(Debug)]
pub struct PacketRing {
    packets: VecDeque<Packet>,
    streams: VecDeque<StreamInfo>,
    bytes: usize,
    seconds: f64,
    max_bytes: usize,
    evicted: u64,
    spare: SpareRing,
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
            spare: SpareRing::new(seconds, max_bytes / 4),
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

    /// Takes a whole picture, beside the packets that it was decoded from.
    pub fn push_spare(&mut self, picture: Packet) {
        if let Some(stream) = self.streams.iter().find(|s| s.epoch == picture.epoch) {
            self.spare.push(picture, stream);
        }
    }

    /// The spare pictures that show `from..=to`, as a stream of pictures. `None` if there are none.
    pub fn spare_span(&self, from: Mono, to: Mono) -> Option<RingSpan> {
        self.spare.span(from, to)
    }

    /// The packet with this pts could not be decoded without an error.
    pub fn damaged(&mut self, epoch: u32, pts: i64) {
        if let Some(packet) = self.packets.iter_mut().rev().find(|p| p.epoch == epoch && p.pts == pts) {
            packet.damaged = true;
        }
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
        self.bytes + self.spare.bytes()
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

    /// The packets that show `from..=to`, in decoding order, from the key packet from which on the picture at `from` is whole (or the
    /// first there is), all of one epoch: the one that covers most of the span. `None` if the ring holds nothing of it.
    pub fn span(&self, from: Mono, to: Mono) -> Option<RingSpan> {
        let epoch = self.epoch_covering(from, to)?;
        let stream = self.stream(from, to)?.clone();
        let first = self.packets.iter().position(|p| p.epoch == epoch)?;
        let of_epoch = || self.packets.iter().enumerate().skip(first).take_while(|(_, p)| p.epoch == epoch);
        let end = of_epoch().filter(|(_, p)| p.at.mono <= to).map(|(i, _)| i).last().unwrap_or(first);
        let in_time = |entry: &usize| self.whole_from(*entry).is_some_and(|whole| whole <= from);
        let start = of_epoch().filter(|(_, p)| p.key).map(|(i, _)| i).filter(in_time).last().unwrap_or(first);
        let packets = self.packets.range(start..=end.max(start)).cloned().collect();
        Some(RingSpan { stream, packets })
    }

    /// The stream of [`PacketRing::span`], without its packets.
    pub fn stream(&self, from: Mono, to: Mono) -> Option<&StreamInfo> {
        let epoch = self.epoch_covering(from, to)?;
        self.streams.iter().find(|s| s.epoch == epoch)
    }

    /// Where `from..=to` must end so that all its pictures can be verified, if the camera signs them.
    pub fn signed_end(&self, from: Mono, to: Mono) -> SignedEnd {
        signed_end(self.packets.iter(), from, to)
    }

    /// When the picture is whole if decoding begins with this packet.
    fn whole_from(&self, entry: usize) -> Option<Mono> {
        let begin = self.packets.get(entry)?;
        let whole = self.packets.get(entry + usize::from(begin.refresh))?;
        (whole.epoch == begin.epoch).then_some(whole.at.mono)
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
mod tests;
