//! Whether a camera can see, and if not, why.

use serde::{Deserialize, Serialize};

/// Whether a camera can see, and if not, why. Only `Watching` allows "not seen" to be said (invariant 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub enum CameraState {
    /// Pictures arrive and can be judged.
    Watching,
    /// Pictures arrive but show nothing to judge by.
    Blind(Blind),
    /// No pictures arrive.
    Off(Off),
}

/// Why pictures show nothing to judge by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blind {
    /// The background is being learnt.
    Learning,
    /// The light of the whole picture changed.
    LightChanged,
    /// Almost no light, or no signal.
    Black,
    /// Something is in front of the lens.
    Covered,
    /// The camera points elsewhere.
    Moved,
    /// The same picture again and again.
    Frozen,
    /// Packets arrive but cannot be decoded.
    Undecodable,
    /// No model could be loaded: nothing can say what the pictures show. Holds until the process ends.
    NoDetector,
}

/// Why no pictures arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// The source is being opened.
    Connecting,
    /// The source cannot be opened.
    Refused,
    /// No packet for longer than `stall_after_s`.
    Silent,
    /// The stream has a codec that is not supported.
    WrongCodec,
    /// The source is over: a file was played.
    Ended,
    /// A command paused the analysis.
    Paused,
    /// The capture child crashed or was killed.
    Crashed,
}
