//! Rules: zones, schedules, permits, sensitivity. What a site says about where, when and how surely something is an incident.
//! Pure. It must not know how objects were seen; it judges places, times and shares.

mod operating;
mod schedule;
mod zone;

pub(crate) use operating::OperatingPoint;
pub(crate) use schedule::{RuleStatus, hours_text, is_within, rule_status};
pub(crate) use zone::share_inside;

/// A static region belongs to a zone when this share of its box lies in it. Half: a region on the edge of two zones belongs to
/// one of them. Chosen with the scripted streets of the incident tests.
pub(crate) const REGION_SHARE: f32 = 0.5;
