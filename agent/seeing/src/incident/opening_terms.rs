//! What an incident is opened with: plain data, so that whoever remembers it needs no judge.

use kerbside_domain::kind::{Act, Kind};

/// What sort of incident it is, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Classification {
    pub(super) kind: Kind,
    pub(super) act: Option<Act>,
    /// 0..1, two decimals.
    pub(super) confidence: f32,
}

/// A classification with what its rule says about the incident's life.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) classification: Classification,
    pub(super) zone: String,
    pub(super) rule: String,
    pub(super) clear_after_s: f64,
    pub(super) repeat_s: f64,
}
