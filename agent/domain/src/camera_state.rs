//! Whether a camera can see, and if not, why.

use serde::{Deserialize, Serialize};

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
