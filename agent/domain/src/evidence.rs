//! Evidence of an incident: what shall be made, what was made.

use serde::{Deserialize, Serialize};

use crate::detection::ReportObject;
use crate::frame::{BBox, CameraIx};
use crate::kind::Kind;
use crate::time::Moment;

/// What came of a request to the evidence stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceOutcome {
    pub incident_id: String,
    pub revision: u32,
    /// The roles asked for that this settles, made or not; the others are still to come.
    pub answers: Vec<EvidenceRole>,
    /// What is durable now; empty when all failed.
    pub items: Vec<EvidenceItem>,
    /// Why something asked for is missing, e.g. "clip degraded to snapshot: queue full".
    pub shortfall: Option<String>,
}

/// One durable file of an incident. Paths are relative to the evidence folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceItem {
    pub id: String,
    pub role: EvidenceRole,
    pub media: String,
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    pub captured: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceRole {
    Before,
    Trigger,
    Annotated,
    After,
    /// By order of the centre.
    Snapshot,
    Clip,
    Manifest,
}

/// What the evidence stage shall make for one revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRequest {
    pub incident_id: String,
    pub revision: u32,
    /// `None`: ordered by the centre, about no incident.
    pub kind: Option<Kind>,
    pub camera: CameraIx,
    /// Picture before the thing appeared.
    pub before_at: Option<Moment>,
    /// The moment the trigger picture shows.
    pub trigger_at: Moment,
    /// The clip shall cover this span, if the ring still holds it.
    pub clip: Option<(Moment, Moment)>,
    /// Drawn into the annotated picture.
    pub zone: String,
    pub bbox: BBox,
    pub objects: Vec<ReportObject>,
    pub roles: Vec<EvidenceRole>,
}
