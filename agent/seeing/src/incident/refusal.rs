//! Refusals: what stayed for a while and is still no incident by a rule. Which thing, when, where, by which rule and why, with
//! each value beside the threshold that it was held against.
//!
//! | file | owns |
//! |---|---|
//! | `why` | [`WhyNot`], the closed set of reasons, with their values |
//! | `check` | [`Check`]: a value against a threshold |
//! | `log` | what has been said of one candidate |
//! | `text` | the sentences, in English and Chinese |

mod check;
mod log;
pub mod text;
mod why;

use std::sync::Arc;

use kerbside_domain::detection::Group;
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::Moment;
use serde::{Deserialize, Serialize};

pub use self::check::{Check, Measure};
pub(super) use self::log::RefusalLog;
pub use self::why::{Miss, RefusalKind, WhyNot};

/// One thing that is no incident by one rule. It is said when the rule first refuses it, again for each other reason, and once
/// more when it ends; all of that under the same id, and the latest counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Names thing and rule: the same inputs give the same id.
    pub id: String,
    /// The camera that shows it.
    pub camera: CameraIx,
    /// The zone it stands in.
    pub zone: String,
    /// The rule that refuses it, by its id in the zone.
    pub rule: String,
    /// What it is.
    pub thing: Thing,
    /// Since when it stands there.
    pub from: Moment,
    /// When it was seen last.
    pub to: Moment,
    /// When it was seen where `thing` says: the picture of that moment shows it.
    pub seen_at: Moment,
    /// Why it is no incident.
    pub why: WhyNot,
    /// What became of it.
    pub fate: Fate,
}

/// The thing itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    /// Number of the candidate, unique within its camera since the start.
    pub candidate: u32,
    /// The gate's region, where one shows it.
    pub region: Option<u32>,
    /// The track, where its label alone shows it.
    pub track: Option<u32>,
    /// What a detector calls it.
    pub label: Option<Arc<str>>,
    /// What that means to the rules.
    pub group: Option<Group>,
    /// Where it was when most of it was seen, in shares of the picture.
    pub bbox: BBox,
}

/// What became of a refused thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Fate {
    /// It still stands there.
    Standing,
    /// It went away.
    Gone,
    /// It became part of another thing.
    Joined,
    /// The camera stopped seeing the street as it was.
    LostSight,
    /// It was reported after all.
    Reported {
        /// As this incident.
        incident_id: String,
    },
}
