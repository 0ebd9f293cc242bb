//! What the core needs of the checked configuration, and nothing else of it.

use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_site::config::{Camera, Patrol, Rule, Sensor, Site, Zone};
use kerbside_site::place::Placer;

/// The core's part of a [`Site`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// Id of the box.
    pub edge_id: String,
    /// Names this run in the ids of incidents that are dated by a clock that nobody vouches for; empty in a replay.
    pub run: String,
    /// Of the site's own time.
    pub utc_offset_s: i32,
    /// How often a patrol is reported, and how much must have been watched.
    pub patrol: Patrol,
    /// The clip of an incident begins this long before the object appeared, s ...
    pub pre_s: f64,
    /// ... and ends this long after it appeared, s.
    pub post_s: f64,
    /// Whether clips are made at all.
    pub clip: bool,
    /// Sensors whose alarms are raised.
    pub sensors: Vec<Sensor>,
    /// Indexed by [`CameraIx`].
    pub cameras: Vec<Camera>,
    /// Sizes on the ground, where cameras have control points.
    pub ground: Option<Placer>,
}

impl From<&Site> for Settings {
    fn from(site: &Site) -> Self {
        Settings {
            edge_id: site.device.edge_id.clone(),
            run: String::new(),
            utc_offset_s: site.device.utc_offset_s,
            patrol: site.patrol.clone(),
            pre_s: site.evidence.pre_s,
            post_s: site.evidence.post_s,
            clip: site.evidence.clip,
            sensors: site.sensors.sensors.clone(),
            cameras: site.cameras.clone(),
            ground: Some(Placer::new(site)),
        }
    }
}

impl Settings {
    /// Ground covered by a box, m2; unknown without a homography or beyond its reach.
    pub(super) fn size_m2(&self, camera: CameraIx, bbox: BBox) -> Option<f64> {
        self.ground.as_ref()?.ground_area_m2(camera, bbox)
    }

    pub(super) fn rule(&self, camera: CameraIx, zone: &str, rule: &str) -> Option<(&Zone, &Rule)> {
        let zone = self.cameras.get(usize::from(camera.0))?.zones.iter().find(|z| z.id == zone)?;
        let rule = zone.rules.iter().find(|r| r.id == rule)?;
        Some((zone, rule))
    }
}
