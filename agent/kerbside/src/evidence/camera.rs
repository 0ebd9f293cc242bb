//! What a camera contributes: its ring, and what is drawn and written about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kerbside_media::ring::PacketRing;
use kerbside_site::config::{Camera, Site};
use parking_lot::Mutex;

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
        let zones = camera.zones.iter().map(|z| (z.id.clone(), z.polygon_norm.clone())).collect();
        EvidenceCamera { id: camera.id.clone(), ring, zones, point: camera.point.or(site.device.point) }
    }
}
