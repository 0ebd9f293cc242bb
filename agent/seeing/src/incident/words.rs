//! The words of the core: what it hears (`Input`), what it wants done (`Effect`), and what they carry.
//! Plain data for every stage behind the core; no behaviour.

use crate::gate::GateReport;
use crate::tracker::Witness;
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::case::{CaseState, Receipt};
use kerbside_domain::detection::{CloseUp, Detection};
use kerbside_domain::evidence::{EvidenceOutcome, EvidenceRequest};
use kerbside_domain::frame::{BBox, CameraIx, Level};
use kerbside_domain::patrol::PatrolReport;
use kerbside_domain::reading::Reading;
use kerbside_domain::report::Report;
use kerbside_domain::time::{Moment, Mono};

/// One look, seen by the gate and, if it was worth it, by the detector.
#[derive(Clone, Debug)]
pub struct Observation {
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

/// All that the core hears.
#[derive(Clone, Debug)]
pub enum Input {
    Observation(Observation),
    /// From the source (off, undecodable, watching again). Blindness by scene comes with the looks themselves.
    Camera {
        camera: CameraIx,
        at: Moment,
        state: CameraState,
    },
    Reading(Reading),
    Evidence(EvidenceOutcome),
    Reviewed(ReviewAnswer),
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
    Pin {
        incident_id: String,
        camera: CameraIx,
        from: Moment,
        to: Moment,
    },
    /// The candidate came to nothing; what was kept for it may go. A `Save` for the id has used it otherwise.
    Unpin {
        incident_id: String,
    },
    /// Something stands there and nobody was seen to bring it.
    Review(ReviewRequest),
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

/// A question about the past: who brought what stands there?
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewRequest {
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

impl ReviewRequest {
    /// See [`arrival`].
    pub fn arrival(&self) -> (Mono, Mono) {
        arrival(self.appeared.mono)
    }

    pub fn unanswered(&self, why: String) -> ReviewAnswer {
        ReviewAnswer { camera: self.camera, spot: self.spot, witness: None, looks: 0, why: Some(why) }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewAnswer {
    pub camera: CameraIx,
    pub spot: u32,
    /// Its track number counts within this answer only.
    pub witness: Option<Witness>,
    pub looks: u32,
    /// Why nobody could look.
    pub why: Option<String>,
}
