//! The inputs of the core.

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::case::{CaseUpdate, Receipt};
use kerbside_domain::detection::{CloseUp, Detection};
use kerbside_domain::evidence::EvidenceOutcome;
use kerbside_domain::frame::{BBox, CameraIx, Level};
use kerbside_domain::reading::Reading;
use kerbside_domain::time::Moment;

use super::review::ReviewAnswer;
use crate::gate::GateReport;

/// One sampled frame, as the gate and, if it was due, the detectors saw it.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The camera that showed it.
    pub camera: CameraIx,
    /// Counts the frames of a camera since its session began.
    pub seq: u64,
    /// When the camera showed it.
    pub at: Moment,
    /// How much of the stream was decoded.
    pub level: Level,
    /// What the gate says of it.
    pub gate: GateReport,
    /// `None`: the detector did not see it (it was not due, or was dropped).
    pub detections: Option<Vec<Detection>>,
    /// What a second network saw in a part of the frame, if it was shown one.
    pub close_up: Option<CloseUp>,
    /// What the witness calls a part of the frame as a whole, if it was asked: one detection a sum of words.
    pub witness: Option<Box<CloseUp>>,
    /// What the close-up network saw in the parts that the sweep wanted, if it was shown them.
    pub sweep: Vec<SweepLook>,
    /// Frames a second that are due of this camera while it shows what it shows now.
    pub due_per_s: f64,
}

impl Observation {
    /// Whoever was to judge it did: the gate always, and the detector where it was due.
    pub fn is_analysed(&self) -> bool {
        !self.gate.due_for_detection || self.detections.is_some()
    }
}

/// One look of the sweep: see [`Effect::Sweep`](super::effect::Effect::Sweep).
#[derive(Clone, Debug, PartialEq)]
pub struct SweepLook {
    /// The part that was wanted, in shares of the picture.
    pub asked: BBox,
    /// The part that was shown: the same, at the proportions of the network's input.
    pub part: BBox,
    /// Boxes in shares of the whole picture, also those below the network's own threshold.
    pub detections: Vec<Detection>,
}

/// One input of the core.
#[derive(Clone, Debug)]
pub enum Input {
    /// A frame was observed.
    Observation(Observation),
    /// From the source (off, undecodable, watching again). Blindness by scene comes with the observations themselves.
    Camera {
        /// The camera of the source.
        camera: CameraIx,
        /// When.
        at: Moment,
        /// The state that the source is in now.
        state: CameraState,
    },
    /// A sensor's reading.
    Reading(Reading),
    /// Somebody pressed a call button. Whoever brought it waits until what follows is durable.
    Press(Reading),
    /// What came of a request for evidence.
    Evidence(EvidenceOutcome),
    /// The answer to a review request.
    Reviewed(ReviewAnswer),
    /// Whether a warning was spoken at the place.
    Warned {
        /// The camera that saw it.
        camera: CameraIx,
        /// The incident that it may become, or has become.
        incident_id: String,
        /// At least one output spoke.
        spoken: bool,
    },
    /// The centre has one of our messages.
    Receipt(Receipt),
    /// The centre's case went a step further.
    Case(CaseUpdate),
    /// The centre commands to look again at an incident.
    Recheck {
        /// The incident.
        incident_id: String,
        /// The command to answer.
        command_id: String,
    },
    /// The centre commands an account of the running period at once.
    Patrol {
        /// The command to answer.
        command_id: String,
    },
    /// At least once a second, so that dwell, patrol and repeat intervals end without a frame.
    Tick(Moment),
}
