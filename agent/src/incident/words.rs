//! The words of the core: what it hears (`Input`), what it wants done (`Effect`), and what they carry.
//! Plain data for every stage behind the core; no behaviour.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::detector::{Detection, Group};
use crate::frame::{BBox, CameraIx, Level};
use crate::gate::GateReport;
use crate::time::{Moment, Mono};
use crate::tracker::Witness;

/// What the box reports. Written on the wire as `stall.occupying`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    #[serde(rename = "stall.occupying")]
    StallOccupying,
    #[serde(rename = "stall.mobile_vendor")]
    StallMobileVendor,
    #[serde(rename = "shopfront.overflow")]
    ShopfrontOverflow,
    #[serde(rename = "waste.exposed")]
    WasteExposed,
    #[serde(rename = "waste.accumulated")]
    WasteAccumulated,
    #[serde(rename = "bin.overflow")]
    BinOverflow,
    #[serde(rename = "pile.goods")]
    PileGoods,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::StallOccupying,
        Kind::StallMobileVendor,
        Kind::ShopfrontOverflow,
        Kind::WasteExposed,
        Kind::WasteAccumulated,
        Kind::BinOverflow,
        Kind::PileGoods,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::StallOccupying => "stall.occupying",
            Kind::StallMobileVendor => "stall.mobile_vendor",
            Kind::ShopfrontOverflow => "shopfront.overflow",
            Kind::WasteExposed => "waste.exposed",
            Kind::WasteAccumulated => "waste.accumulated",
            Kind::BinOverflow => "bin.overflow",
            Kind::PileGoods => "pile.goods",
        }
    }

    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// Whether somebody was seen doing it, or the result was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    InProgress,
    FoundAfter,
}

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

/// Whether a camera can see, and if not, why. Only `Watching` allows "not seen" to be said (invariant 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub enum CameraState {
    Watching,
    /// Pictures arrive but show nothing to judge by.
    Blind(Blind),
    /// No pictures arrive.
    Off(Off),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blind {
    Learning,
    LightChanged,
    Black,
    Covered,
    Moved,
    Frozen,
    /// Packets arrive but cannot be decoded.
    Undecodable,
    /// No model could be loaded: nobody knows what the pictures show. Holds until the process ends.
    NoDetector,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    Connecting,
    Refused,
    /// No packet for longer than `stall_after_s`.
    Silent,
    WrongCodec,
    Ended,
    Paused,
    /// The capture child crashed or was killed.
    Crashed,
}

/// One look, seen by the gate and, if it was worth it, by the detector.
#[derive(Clone, Debug)]
pub struct SeenLook {
    pub camera: CameraIx,
    pub seq: u64,
    pub at: Moment,
    pub level: Level,
    pub gate: GateReport,
    /// `None`: the detector was not asked (gate closed) or the look was dropped.
    pub detections: Option<Vec<Detection>>,
    /// What a second network saw in a part of the look, if it was shown one.
    pub close_up: Option<CloseUp>,
}

/// A part of a look, seen at native scale by the close-up network.
#[derive(Clone, Debug, PartialEq)]
pub struct CloseUp {
    /// The part, in shares of the look's picture.
    pub part: BBox,
    /// Boxes in shares of the whole picture.
    pub detections: Vec<Detection>,
}

/// A reading of a sensor, after its adapter checked it. Names follow OGC SensorThings on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub sensor: Arc<str>,
    /// When the phenomenon was measured, if the sensor says so; else when it arrived.
    pub phenomenon: Moment,
    pub arrived: Moment,
    pub value: f64,
    pub unit: Arc<str>,
    /// Why the reading is doubted, e.g. `out_of_range`, `stale`, `jump`.
    pub suspicious: Option<String>,
}

/// The centre's answer to one of our messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Event id: `incident_id.revision`, or another message's id.
    pub id: String,
    pub result: ReceiptResult,
    pub case_no: Option<String>,
    pub due_at: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptResult {
    Accepted,
    Duplicate,
    Rejected,
}

/// A step in the life of the centre's own case. Unknown states are kept as text, never an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseState {
    pub incident_id: String,
    pub case_no: Option<String>,
    pub state: String,
    pub reason: Option<String>,
}

/// Whether the centre is done with a case in this state; states we do not know are not the end.
pub fn ends_case(state: &str) -> bool {
    matches!(state, "closed" | "voided" | "not_filed" | "followed_up")
}

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

/// All that the core hears.
#[derive(Clone, Debug)]
pub enum Input {
    Look(SeenLook),
    /// From the source (off, undecodable, watching again). Blindness by scene comes with the looks themselves.
    Camera {
        camera: CameraIx,
        at: Moment,
        state: CameraState,
    },
    Reading(Reading),
    Evidence(EvidenceOutcome),
    LookedBack(LookedBack),
    Receipt(Receipt),
    Case(CaseState),
    /// The centre orders to look again at an incident.
    Recheck {
        incident_id: String,
        command_id: String,
    },
    /// At least once a second, so that dwell, patrol and repeat intervals end without a look.
    Tick(Moment),
}

/// What the core wants done. Whoever applies it makes `Report`s durable before anything else.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Report(Box<Report>),
    Save(EvidenceRequest),
    /// Something new stands there and may become this incident: the packets of the span are wanted later, when a dwell
    /// of minutes has long left the ring. `to` may lie ahead. The same id may be asked for again.
    Keep {
        incident_id: String,
        camera: CameraIx,
        from: Moment,
        to: Moment,
    },
    /// The candidate came to nothing; what was kept for it may go. A `Save` for the id has used it otherwise.
    Release {
        incident_id: String,
    },
    /// Something stands there and nobody was seen to bring it.
    LookBack(LookBack),
    /// A recheck was ordered of an incident that is not known (any more).
    NotKnown {
        command_id: String,
        incident_id: String,
    },
    /// While `hold` is true the camera is never gated off and never below L1.
    Watch {
        camera: CameraIx,
        hold: bool,
    },
    /// The camera's state as the centre and the officers should know it (`device.health`, journal).
    CameraChanged {
        camera: CameraIx,
        at: Moment,
        state: CameraState,
    },
    Patrol(PatrolReport),
    /// A reading crossed its limit for long enough, or came back.
    SensorAlarm {
        reading: Reading,
        active: bool,
    },
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportObject {
    pub track: Option<u32>,
    pub label: Arc<str>,
    pub group: Group,
    pub confidence: f32,
    pub bbox: BBox,
}

/// A question about the past: who brought what stands there?
#[derive(Clone, Debug, PartialEq)]
pub struct LookBack {
    pub camera: CameraIx,
    /// Names the thing within its camera.
    pub spot: u32,
    pub bbox: BBox,
    pub appeared: Moment,
    /// The span to look at.
    pub from: Moment,
    pub to: Moment,
}

/// Who was there from this long before the first change until that long after it brought the thing.
const ARRIVAL_BEFORE_S: f64 = 3.0;
const ARRIVAL_AFTER_S: f64 = 2.0;

/// When somebody must have touched the place of a thing to have brought it.
pub fn arrival(appeared: Mono) -> (Mono, Mono) {
    (appeared.minus_s(ARRIVAL_BEFORE_S), appeared.plus_s(ARRIVAL_AFTER_S))
}

impl LookBack {
    /// See [`arrival`].
    pub fn arrival(&self) -> (Mono, Mono) {
        arrival(self.appeared.mono)
    }

    pub fn unanswered(&self, why: String) -> LookedBack {
        LookedBack { camera: self.camera, spot: self.spot, witness: None, looks: 0, why: Some(why) }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct LookedBack {
    pub camera: CameraIx,
    pub spot: u32,
    /// Its track number counts within this answer only.
    pub witness: Option<Witness>,
    pub looks: u32,
    /// Why nobody could look.
    pub why: Option<String>,
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

/// The all-well, or not (contract: `patrol.report`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatrolReport {
    pub from: Moment,
    pub to: Moment,
    /// `all_well`, `open_matters` or `degraded`.
    pub verdict: String,
    pub cameras: Vec<CameraPatrol>,
    pub open_incidents: Vec<String>,
    pub cleared_by_themselves: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CameraPatrol {
    pub camera: CameraIx,
    pub watched_s: f64,
    pub blind_s: f64,
    pub moved_s: f64,
    pub off_s: f64,
    pub looks: u64,
    pub looks_due: u64,
}
