//! Incident: the pure core. [`Core::step`] turns inputs into effects and keeps the life of every incident.
//!
//! It reads no clock, does no I/O and returns no error (invariant 2). The same inputs give the same effects, byte for byte.
//! An incident lives `candidate -> open -> cleared | withdrawn`, keyed by place, with revisions.
//!
//! What the core is made of:
//!
//! | file | owns |
//! |---|---|
//! | `core` | [`Core`]: one input after the other |
//! | `input`, `effect`, `review` | inputs, effects, the question who brought an object |
//! | `camera` | one camera's share, in the parts that follow |
//! | `visibility` | whether the camera sees, and the account of it |
//! | `frame_clock` | the times between frames that count |
//! | `candidate`, `part` | something that stands, and each static region of it |
//! | `attendance`, `labels` | who is with a candidate; what detectors call it |
//! | `incidents`, `lifecycle`, `told`, `reasons`, `case_file` | open and past incidents; the revisions of one, and the evidence they named |
//! | `rechecks` | places that are looked at again |
//! | `sensor_monitor`, `sensor_incident`, `sensor_words`, `listening` | the condition and alarm of each sensor; incidents on its word; its say in rules |
//! | `patrol` | the patrol report |
//! | `settings`, `counters`, `context` | what it needs of the site; what it counts; both and the effects during one step |
//! | `place`, `pin_span`, `id`, `tuning` | boxes of one place; spans of clips; ids; every constant with its reason |
//!
//! What it does with one camera's frame, in this order:
//!
//! | file | step |
//! |---|---|
//! | `frame` | the order of all that follows |
//! | `matching` | which region is which part, which ones are new |
//! | `grouping` | which parts are one candidate, which are gone |
//! | `closing` | open incidents: seen, grown, cleared, withdrawn |
//! | `review_request` | when the ring shall be reviewed |
//! | `warned`, `warning` | a word at the place before a case is opened; what goes away after it is settled |
//! | `judge`, `opening` | whether a candidate is an incident, its first revision |
//! | `words` | what the witness says it is, and what that means for an incident about to open |
//! | `refusal`, `refusing`, `sight`, `standing` | why one is none, and when that is told; how it looked; how far each rule has come |
//! | `recheck` | looking again, for the centre |
//! | `pin` | packets pinned for candidates |
//! | `records` | what is remembered over a restart |
//! | `dating`, `redating` | when dates of a wrong wall clock can be put right; and in which reports |

mod attendance;
mod belongings;
mod camera;
mod candidate;
mod case_file;
mod closing;
mod context;
mod core;
mod counters;
mod dating;
mod effect;
mod found;
mod frame;
mod frame_clock;
mod grouping;
mod id;
mod incidents;
mod input;
mod judge;
mod labels;
mod lifecycle;
mod listening;
mod matching;
mod opening;
mod opening_terms;
mod part;
mod patrol;
mod pin;
mod pin_span;
mod place;
mod reasons;
mod recheck;
mod rechecks;
mod records;
mod redating;
pub mod refusal;
mod refusing;
mod review;
mod review_request;
mod sensor_incident;
mod sensor_monitor;
mod sensor_words;
mod settings;
mod sight;
mod standing;
mod sweep;
#[cfg(test)]
mod tests;
mod told;
mod tuning;
mod visibility;
mod warned;
mod warning;
mod words;

pub use self::case_file::CaseFile;
pub use self::core::Core;
pub use self::counters::CoreCounters;
pub use self::effect::Effect;
pub use self::input::{Input, Observation, SweepLook};
pub use self::records::IncidentRecord;
pub use self::refusal::{Refusal, RefusalKind, WhyNot};
pub use self::review::{ReviewAnswer, ReviewRequest};
pub use self::settings::Settings;
pub use self::standing::{RuleStanding, Standing};
pub use self::told::PendingEvidence;
#[cfg(test)]
pub(crate) use self::tuning::bounds::MAX_CANDIDATES;
pub use self::warned::Warning;
