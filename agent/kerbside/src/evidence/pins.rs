//! Pins: packets held for candidates.
//!
//! What lies in the packet ring when a candidate appears is gone when its dwell ends, so the core pins those packets under the id
//! that the incident will have. They are shared with the ring (no copy) and bounded in number and bytes.

use std::collections::BTreeMap;

use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::Mono;

use super::camera::{EvidenceCamera, Held};
use super::tuning::{MAX_PINNED_BYTES, MAX_PINS};

/// One span of one camera. Its packets are taken when the ring has reached the end of the span.
#[derive(Debug)]
struct Pin {
    camera: CameraIx,
    from: Mono,
    to: Mono,
    packets: Option<Held>,
}

/// All pins by incident id. Ids begin with their time, so the first is the oldest.
#[derive(Debug, Default)]
pub(super) struct Pins {
    pins: BTreeMap<String, Pin>,
    dropped: u64,
}

impl Pins {
    pub(super) fn pin(&mut self, incident_id: String, camera: CameraIx, from: Mono, to: Mono) {
        // If the candidate only got another id, the ring may have lost by now what was pinned under the old one.
        let same_span = |pin: &&Pin| pin.camera == camera && pin.from == from && pin.to == to;
        let packets = self.pins.values().find(same_span).and_then(|pin| pin.packets.clone());
        self.pins.insert(incident_id, Pin { camera, from, to, packets });
    }

    pub(super) fn unpin(&mut self, incident_id: &str) {
        self.pins.remove(incident_id);
    }

    /// The packets pinned for an incident, if the ring had them.
    pub(super) fn packets(&self, incident_id: &str) -> Option<Held> {
        self.pins.get(incident_id)?.packets.clone()
    }

    /// Takes the packets of every span whose end the ring has reached; of all spans if `ended`.
    pub(super) fn take_from(&mut self, cameras: &[EvidenceCamera], ended: bool) {
        for pin in self.pins.values_mut().filter(|pin| pin.packets.is_none()) {
            let Some(camera) = cameras.get(usize::from(pin.camera.0)) else { continue };
            let end = camera.end_of_span(pin.from, pin.to).or(ended.then_some(pin.to));
            if let Some(end) = end {
                pin.packets = camera.span(pin.from, end);
            }
        }
    }

    /// Drops the oldest pins until the rest is within its bounds.
    pub(super) fn enforce_bounds(&mut self) {
        while self.pins.len() > MAX_PINS || self.bytes() > MAX_PINNED_BYTES {
            if self.pins.pop_first().is_none() {
                break;
            }
            self.dropped += 1;
        }
    }

    /// Some span still waits for its end.
    pub(super) fn has_open_span(&self) -> bool {
        self.pins.values().any(|pin| pin.packets.is_none())
    }

    pub(super) fn len(&self) -> usize {
        self.pins.len()
    }

    /// Pins that were dropped to stay within the bounds.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn bytes(&self) -> usize {
        self.pins.values().filter_map(|pin| pin.packets.as_ref()).map(|held| held.span.bytes()).sum()
    }
}
