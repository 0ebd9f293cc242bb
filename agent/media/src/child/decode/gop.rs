//! The packets since the last key frame, kept for a switch to L2.

use ffmpeg_next::Packet;

use super::fed::Fed;
use crate::tuning::{MAX_GOP_BYTES, MAX_GOP_PACKETS};

/// Bounded: a group that grows too large is dropped, and the switch waits for the next key frame.
#[derive(Default)]
pub(super) struct GroupOfPictures {
    packets: Vec<(Packet, Fed)>,
    bytes: usize,
    whole: bool,
}

impl GroupOfPictures {
    pub(super) fn clear(&mut self) {
        self.packets.clear();
        self.bytes = 0;
        self.whole = false;
    }

    pub(super) fn push(&mut self, packet: Packet, kind: Fed) {
        self.whole |= kind.entry.is_some();
        self.bytes += packet.size();
        if !self.whole || self.bytes > MAX_GOP_BYTES || self.packets.len() >= MAX_GOP_PACKETS {
            self.clear();
            return;
        }
        self.packets.push((packet, kind));
    }

    /// From the key packet on; empty if the group is not whole.
    pub(super) fn packets(&self) -> &[(Packet, Fed)] {
        &self.packets
    }
}
