//! Rules: zones, schedules, permits, sensitivity. What a site says about where, when and how surely something is an incident.
//! Pure. It must not know how objects were seen; it judges places, times and shares.

mod operating;
mod schedule;
mod zone;

pub use operating::OperatingPoint;
pub use schedule::{RuleStatus, hours_include, rule_status};
pub use zone::{contains, share_inside};

use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_site::config::Zone;

/// A static region belongs to a zone when this share of its box lies in it. Half: a region on the edge of two zones belongs to
/// one of them. Chosen with the scripted streets of the incident tests.
pub const REGION_SHARE: f32 = 0.5;

/// Whether something at `bbox` is in the zone: by its foot point for who stands on the ground,
/// by the share of its area for everything else.
pub fn in_zone(zone: &Zone, group: Group, bbox: &BBox) -> bool {
    match group {
        Group::Person | Group::Vehicle => contains(&zone.polygon_norm, bbox.foot()),
        _ => share_inside(&zone.polygon_norm, bbox) >= REGION_SHARE,
    }
}
