//! What a command makes the box do, and who does it.

use serde::{Deserialize, Serialize};

/// What a stage of the line is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb")]
pub enum StageAction {
    /// Look again at an incident.
    #[serde(rename = "recheck")]
    Recheck {
        /// Which.
        incident_id: String,
    },
    /// A picture of what the camera sees now.
    #[serde(rename = "snapshot")]
    Snapshot {
        /// `None`: every camera.
        camera_id: Option<String>,
    },
    /// What the camera saw, if the ring still holds it.
    #[serde(rename = "clip")]
    Clip {
        /// Which camera.
        camera_id: String,
        /// Wall clock, ms.
        from_ms: i64,
        /// Wall clock, ms.
        to_ms: i64,
    },
    /// An account of the running patrol period, at once.
    #[serde(rename = "patrol")]
    Patrol,
    /// No judgement for so long.
    #[serde(rename = "detector.pause")]
    Pause {
        /// `None`: every camera.
        camera_id: Option<String>,
        /// How long, s; 0 ends a pause.
        for_s: f64,
    },
    /// The program ends in order and is started again.
    #[serde(rename = "restart")]
    Restart,
}

/// What the trace does by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb")]
pub enum StoreAction {
    /// Say again what was said with these sequence numbers.
    #[serde(rename = "resend")]
    Resend {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The newest records of the journal.
    #[serde(rename = "log.pull")]
    LogPull {
        /// Of these kinds; empty: of all but messages.
        #[serde(default)]
        kinds: Vec<String>,
        /// How many.
        last: u32,
    },
    /// What was reported in a span and what became of it.
    #[serde(rename = "statistics")]
    Statistics {
        /// Wall clock, ms; `None`: the begin of this day in the site's own time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from_ms: Option<i64>,
        /// Wall clock, ms; `None`: now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_ms: Option<i64>,
    },
}

/// What a command that is obeyed makes the box do, and who does it. In the journal both read alike, by their verb.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CommandAction {
    /// A stage, which answers later.
    Stage(StageAction),
    /// The trace, at once.
    Store(StoreAction),
}
