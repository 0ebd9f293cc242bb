//! What stands in the zones right now and how far each rule has come with it: for whoever watches.

use std::sync::Arc;

use kerbside_domain::frame::{BBox, CameraIx};

use super::core::Core;
use super::refusal::{Check, Measure, WhyNot};
use crate::rules::{REGION_SHARE, share_inside};

/// Something that stands in a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// In shares of the picture.
    pub bbox: BBox,
    /// What a detector calls it.
    pub label: Option<Arc<str>>,
    /// The open incident that stands on it.
    pub incident_id: Option<String>,
    /// Each rule of the zones that it stands in, in the order of the configuration.
    pub rules: Vec<RuleStanding>,
}

/// How far one rule has come.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleStanding {
    /// The zone.
    pub zone: String,
    /// The rule in it.
    pub rule: String,
    /// How long it has stood, of the rule's dwell.
    pub dwell: Check,
    /// Why the rule refuses it, once it does.
    pub why: Option<WhyNot>,
}

impl Core {
    /// What is in sight in the zones of a camera, as of the last frame.
    pub fn standing(&self, camera: CameraIx) -> Vec<Standing> {
        let Some(camera) = self.cameras.get(usize::from(camera.0)) else { return Vec::new() };
        let present = camera.candidates.iter().filter(|c| c.is_present());
        let standing = present.map(|candidate| {
            let bbox = candidate.bbox();
            let zones = camera.config.zones.iter();
            let zones = zones.filter(|z| share_inside(&z.polygon_norm, &bbox) >= REGION_SHARE);
            let rules = zones.flat_map(|zone| {
                zone.rules.iter().map(|rule| RuleStanding {
                    zone: zone.id.clone(),
                    rule: rule.id.clone(),
                    dwell: Check::new(Measure::DwellS, candidate.dwell_s(), rule.dwell_s),
                    why: candidate.refusals.of(&zone.id, &rule.id).cloned(),
                })
            });
            Standing {
                bbox,
                label: candidate.labels.name(None).map(|named| named.label),
                incident_id: camera.incidents.on_candidate(candidate.id).map(|i| i.id().to_owned()),
                rules: rules.collect(),
            }
        });
        standing.collect()
    }
}
