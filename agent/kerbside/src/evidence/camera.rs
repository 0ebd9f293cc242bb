//! What a camera contributes: its ring, and what is drawn and written about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kerbside_domain::time::Mono;
use kerbside_media::ring::PacketRing;
use kerbside_media::signed_video::SignedEnd;
use kerbside_site::config::{Camera, Site};
use parking_lot::Mutex;

use super::tuning::SIGNED_TAIL_S;

/// One camera as the evidence stage sees it.
#[derive(Clone, Debug)]
pub struct EvidenceCamera {
    pub id: String,
    pub ring: Arc<Mutex<PacketRing>>,
    /// Outlines of its zones by id, in shares of the picture.
    pub zones: BTreeMap<String, Vec<(f32, f32)>>,
    /// lon_deg, lat_deg, WGS-84: its own place, else that of the box.
    pub point: Option<(f64, f64)>,
}

impl EvidenceCamera {
    /// A camera of the configuration.
    pub fn of(site: &Site, camera: &Camera, ring: Arc<Mutex<PacketRing>>) -> Self {
        let point = camera.point.or(site.device.point);
        EvidenceCamera { id: camera.id.clone(), ring, zones: EvidenceCamera::outlines(camera), point }
    }

    /// Outlines of a camera's zones by id.
    pub fn outlines(camera: &Camera) -> BTreeMap<String, Vec<(f32, f32)>> {
        camera.zones.iter().map(|z| (z.id.clone(), z.polygon_norm.clone())).collect()
    }

    /// Where a span that shall end at `to` ends, with the ring as it is now; `None`: it has not all come yet. If the camera signs
    /// its video, the span goes on to the signature over its last pictures, by [`SIGNED_TAIL_S`] at most.
    pub(super) fn end_of_span(&self, from: Mono, to: Mono) -> Option<Mono> {
        let ring = self.ring.lock();
        let latest = ring.latest().filter(|latest| latest.mono >= to)?;
        let most = to.plus_s(SIGNED_TAIL_S);
        match ring.signed_end(from, to) {
            SignedEnd::At(end) if end <= most => Some(end),
            SignedEnd::NotYet if latest.mono < most => None,
            SignedEnd::Unsigned | SignedEnd::At(_) | SignedEnd::NotYet => Some(to),
        }
    }
}
