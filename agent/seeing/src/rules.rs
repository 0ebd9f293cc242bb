//! Rules: zones, schedules, permits, sensitivity. What turns something that stays into an incident of a kind. Pure.
//! It must not know how things were seen; it judges places, times and shares.

mod operating;
mod schedule;
mod zone;

pub use operating::OperatingPoint;
pub use schedule::{RuleStatus, hours_include, rule_status};
pub use zone::{contains, share_inside};

use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_site::config::Zone;

/// Least share of a static region's box that must lie in a zone to belong to it.
pub const REGION_SHARE: f32 = 0.5;

/// Whether something at `bbox` is in the zone: by its foot point for who stands on the ground,
/// by the share of its area for everything else.
pub fn in_zone(zone: &Zone, group: Group, bbox: &BBox) -> bool {
    match group {
        Group::Person | Group::Vehicle => contains(&zone.polygon_norm, bbox.foot()),
        _ => share_inside(&zone.polygon_norm, bbox) >= REGION_SHARE,
    }
}
