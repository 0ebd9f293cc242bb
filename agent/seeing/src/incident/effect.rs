//! The effects of the core: what it wants done.

use std::sync::Arc;

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::evidence::EvidenceRequest;
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::patrol::PatrolReport;
use kerbside_domain::reading::{Reading, SensorCondition};
use kerbside_domain::report::Report;
use kerbside_domain::time::Moment;

use super::refusal::Refusal;
use super::review::ReviewRequest;
use super::warned::Warning;

/// What the core wants done. Whoever applies it makes `Report`s durable before anything else.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a revision of an incident.
    Report(Box<Report>),
    /// Make the evidence of a revision.
    Save(EvidenceRequest),
    /// A candidate stands there and may become this incident: the packets of the span are needed later, when a dwell of
    /// minutes has long left the ring. `to` may lie ahead. The same id may be pinned again.
    Pin {
        /// The incident that the candidate may become.
        incident_id: String,
        /// Whose packets.
        camera: CameraIx,
        /// First packet.
        from: Moment,
        /// Last packet.
        to: Moment,
    },
    /// The candidate came to nothing: what was pinned for it may go. A `Save` for the id has used it otherwise.
    Unpin {
        /// The incident that it did not become.
        incident_id: String,
    },
    /// A candidate stands there and nobody was seen to bring it: decode the ring for who did.
    Review(ReviewRequest),
    /// Something that stood there is no incident, and why. Nothing waits for it.
    Refused(Box<Refusal>),
    /// A recheck was commanded of an incident that is not known (any more).
    UnknownIncident {
        /// The command to answer.
        command_id: String,
        /// What it asked about.
        incident_id: String,
    },
    /// While `required` is true the camera is never gated off and never below L1.
    WatchRequired {
        /// The camera.
        camera: CameraIx,
        /// Whether it must be watched.
        required: bool,
    },
    /// While `required` is true every frame of the camera is decoded: a sensor says that something may happen there.
    WatchFaster {
        /// The camera.
        camera: CameraIx,
        /// Whether it is required.
        required: bool,
    },
    /// A sensor went silent, implausible or stuck, or can be believed again.
    SensorCondition {
        /// Id of the sensor.
        sensor: Arc<str>,
        /// When.
        at: Moment,
        /// The condition that it is in now.
        condition: SensorCondition,
        /// Its latest reading that can be believed.
        last: Option<Reading>,
    },
    /// Show these parts of a frame to the close-up network, when it has nothing else to do ([`SweepLook`](super::SweepLook)).
    Sweep {
        /// The camera.
        camera: CameraIx,
        /// The parts, in shares of the picture.
        parts: Vec<BBox>,
    },
    /// The camera's state as the centre and the officers should know it (`device.health`, journal).
    CameraChanged {
        /// The camera.
        camera: CameraIx,
        /// When.
        at: Moment,
        /// Its state now.
        state: CameraState,
    },
    /// Send the report of a patrol period.
    Patrol(PatrolReport),
    /// Say at the place that this must not stay. The answer is an [`Input::Warned`](super::Input::Warned).
    Warn(Warning),
    /// Whether a warning was spoken: for the trace.
    WarningAnswered {
        /// The incident that it may become.
        incident_id: String,
        /// At least one output spoke.
        spoken: bool,
    },
    /// A reading crossed its limit for long enough, or came back.
    SensorAlarm {
        /// The latest reading.
        reading: Reading,
        /// Whether the alarm began or ended.
        active: bool,
    },
}
