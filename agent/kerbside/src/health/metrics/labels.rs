//! The labels of the metrics: each set of values is an enum, its text stands here only.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// An enum whose values are label texts.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl $name {
            fn as_str(self) -> &'static str {
                match self {
                    $($name::$value => $text,)+
                }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                EncodeLabelValue::encode(&self.as_str(), encoder)
            }
        }
    };
}

label! {
    /// A stage that counts what passes it.
    Stage {
        Source = "source",
        Gate = "gate",
        Detector = "detector",
        CloseUp = "close_up",
        Core = "core",
        Evidence = "evidence",
        Journal = "journal",
        Link = "link",
    }
}

label! {
    /// A queue whose depth is shown.
    Queue {
        /// Inputs that wait for the core.
        Core = "core",
        /// Items that wait for a disk that refuses them.
        Unwritten = "unwritten",
        Evidence = "evidence",
    }
}

label! {
    /// A full queue, and what it gives up.
    DropPolicy {
        /// The slot of a camera held an older frame.
        SlotOlderFrame = "slot_older_frame",
        /// The capture child had a newer frame before the older one was taken.
        CaptureOlderFrame = "capture_older_frame",
        /// A frame without a detector run came while the detector still had an earlier one.
        IdleFrameOvertaking = "idle_frame_overtaking",
        DetectorFailedFrame = "detector_failed_frame",
        EvidenceClipDegraded = "evidence_clip_degraded",
        EvidenceOldestPin = "evidence_oldest_pin",
        /// An entry of what was no incident.
        WhyEntry = "why_entry",
        OutboxTelemetry = "outbox_telemetry",
        OutboxDeadLettered = "outbox_dead_lettered",
        /// A frame or an observation, while the disk refuses.
        DiskRefuses = "disk_refuses",
        ReadingsNewest = "readings_newest",
        GnssNewest = "gnss_newest",
        /// A visitor of the health pages beyond those that are served at once.
        HealthConnection = "health_connection",
        /// A visitor of the health pages whom the system could not let in: no file handle was left.
        HealthAccept = "health_accept",
    }
}

label! {
    /// What became of a message of a sensor.
    ReadingOutcome {
        Accepted = "accepted",
        Suspicious = "suspicious",
        Malformed = "malformed",
        UnknownTopic = "unknown_topic",
        /// A device did not answer in time.
        NoAnswer = "no_answer",
        /// A device answered that it will not.
        Refused = "refused",
        /// A broker, server, bus, port or line was lost and is opened again.
        LineLost = "line_lost",
    }
}

label! {
    /// What became of a line of the GNSS receiver.
    LineOutcome {
        Good = "good",
        Bad = "bad",
    }
}

label! {
    /// What the delivery met with.
    DeliveryOutcome {
        ReadError = "read_error",
        AppendError = "append_error",
        /// Input from the centre that was refused.
        InboundRefused = "inbound_refused",
        Command = "command",
    }
}

label! {
    /// The priority of a message in the outbox.
    Priority {
        Incident = "incident",
        Reply = "reply",
        Evidence = "evidence",
        Telemetry = "telemetry",
    }
}

label! {
    /// A camera's state without its reason.
    CameraCondition {
        Watching = "watching",
        Blind = "blind",
        Off = "off",
    }
}

impl Priority {
    /// In the order of the outbox.
    pub(crate) const ALL: [Priority; 4] =
        [Priority::Incident, Priority::Reply, Priority::Evidence, Priority::Telemetry];
}

impl CameraCondition {
    pub(super) const ALL: [CameraCondition; 3] =
        [CameraCondition::Watching, CameraCondition::Blind, CameraCondition::Off];
}

macro_rules! label_set {
    ($($name:ident { $($field:ident: $kind:ty),+ })+) => {
        $(
            #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
            pub(super) struct $name {
                $(pub(super) $field: $kind,)+
            }
        )+
    };
}

label_set! {
    ByStage { stage: Stage }
    ByCamera { camera: String }
    ByWall { camera: String, wall: &'static str }
    ByCameraState { camera: String, state: CameraCondition }
    ByCameraOff { camera: String, reason: &'static str }
    ByQueue { queue: Queue }
    ByPolicy { policy: DropPolicy }
    ByPriority { priority: Priority }
    ByReport { kind: &'static str, phase: &'static str }
    ByDecision { decision: &'static str }
    ByRefusal { rule: String, reason: &'static str }
    ByReading { outcome: ReadingOutcome }
    ByLine { outcome: LineOutcome }
    ByDelivery { outcome: DeliveryOutcome }
    ByLinkState { state: &'static str }
    ByLinkProblem { problem: &'static str }
}
