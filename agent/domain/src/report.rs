//! A statement about one incident.

use serde::{Deserialize, Serialize};

use crate::detection::ReportObject;
use crate::evidence::{EvidenceItem, EvidenceRole};
use crate::frame::{BBox, CameraIx};
use crate::kind::{Act, Kind};
use crate::time::Moment;

/// Why a report goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Opened,
    Updated,
    Cleared,
    Withdrawn,
    /// The place was looked at again.
    Recheck,
}

/// A statement about one incident; `wire.rs` makes the envelope from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// ULID as text.
    pub incident_id: String,
    /// From 1; event id is `incident_id.revision`.
    pub revision: u32,
    pub phase: Phase,
    /// Why this revision exists: `opened`, `evidence`, `grew`, `reappeared`, `cleared`, ...
    pub cause: String,
    pub kind: Kind,
    pub act: Option<Act>,
    pub confidence: f32,
    pub at: Moment,
    pub first_seen: Moment,
    pub last_seen: Moment,
    pub dwell_s: f64,
    /// How many things.
    pub count: u32,
    pub camera: CameraIx,
    pub zone: String,
    pub rule: String,
    pub bbox: BBox,
    pub objects: Vec<ReportObject>,
    /// What was seen and why it was called so: attendant share, visits, size, ... for the officer who reads.
    pub reasons: Vec<(String, serde_json::Value)>,
    pub evidence: Vec<EvidenceItem>,
    /// Evidence is being made: the report names its roles as `pending`.
    pub evidence_pending: Vec<EvidenceRole>,
    /// Only with [`Phase::Recheck`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck: Option<Recheck>,
}

/// What looking again found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recheck {
    pub result: RecheckResult,
    /// `seen_there`, `place_seen_free`, or what hindered: `hidden`, `camera_off:silent`, ...
    pub why: String,
    /// Fresh looks that agree.
    pub looks: u32,
    /// Ids of the commands that asked.
    pub commands: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecheckResult {
    Cleared,
    Persisting,
    Unobservable,
}
