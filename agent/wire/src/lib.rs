//! Wire: every message between a box and its linkage centre, both ways, and nothing else (invariant 11).
//!
//! Pure: no socket, no file, no clock. The box's link and the centre's own software stand on the same types.
//!
//! # A tour
//!
//! **Up.** A stage has something to say and calls the function of its topic: [`matter()`], [`patrol()`], [`state()`],
//! [`camera()`], [`health()`], [`position()`], [`observation()`], [`alarm()`], [`sensor_condition()`], [`evidence_manifest()`], [`reply()`], [`checkpoint()`].
//! Each gives a [`Message`]: a CloudEvents 1.0 envelope in the making, with its topic, its [`Priority`] and how long it
//! counts. The trace gives the message its sequence number and journals it ([`message_body`]). What is published
//! ([`published`], an [`Outgoing`]) is a pure function of that journal record, so that a message sent again is the same
//! bytes. Pieces of a file ([`chunk`]) are the one exception: they are no journal records, the file is on the disk.
//!
//! **Down.** [`inbound::parse`] reads a message of the centre once and tells by its topic what it is: a receipt, a state
//! of a case, a [`command`], a [`grant`]. It is hostile until parsed; what counts for nothing is a [`Refusal`] with its
//! reason. Commands and grants are signed ([`signed`]) and are judged apart, against the keys of the site ([`scope`]: what each may
//! sign). Receipts and case states may be signed too ([`statement`]).
//!
//! Times are RFC 3339 with offset and milliseconds. What is unknown is absent, never 0 or "".
//!
//! | file | topic |
//! |---|---|
//! | [`mod@matter`] | `matter/{code}/{phase}`: one report about one incident |
//! | [`mod@patrol`] | `patrol`: the account of a period |
//! | [`mod@state`] | `state`: birth, offline, last will |
//! | [`mod@camera`] | `camera/{id}`: what a camera can see |
//! | [`mod@health`] | `health` |
//! | [`mod@position`] | `position` |
//! | [`sensor`] | `obs/{sensor}`: observations and alarms |
//! | [`evidence`] | `evidence/{id}/manifest`, `.../ready` |
//! | [`chunk`] | `evidence/{id}/chunk/{offset}` |
//! | [`mod@reply`] | `reply` to a command |
//! | [`mod@checkpoint`] | `audit`: signatures over the journal, each naming the one before |
//! | [`mod@receipt`], [`mod@case`] | `receipt`, `case` of the centre |
//! | [`command`] | `cmd/{verb}` |
//! | [`grant`] | `grant` |

#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod camera;
pub mod case;
pub mod checkpoint;
pub mod chunk;
mod clock;
pub mod command;
pub mod evidence;
pub mod grant;
pub mod health;
mod identity;
pub mod inbound;
pub mod limits;
pub mod matter;
mod message;
mod outgoing;
pub mod patrol;
pub mod position;
mod priority;
pub mod receipt;
mod refusal;
pub mod reply;
pub mod scope;
pub mod sensor;
pub mod signed;
pub mod state;
pub mod statement;
pub mod statistics;
pub mod text;
pub mod topic;
pub mod unanswerable;

pub use camera::camera;
pub use checkpoint::checkpoint;
pub use command::{CommandAction, SignedCommand, StageAction, StoreAction};
pub use evidence::{
    ManifestSubject, evidence_damaged, evidence_failed, evidence_manifest, evidence_not_sent, evidence_ready,
};
pub use grant::{Grant, JudgedGrant, SignedGrant};
pub use health::health;
pub use identity::{CameraName, Identity, ZoneName};
pub use inbound::Inbound;
pub use matter::{MatterMessage, matter};
pub use message::{Message, MessageHead, awaits_receipt, message_body, parse_message};
pub use outgoing::{CONTENT_TYPE, Content, Outgoing, Recorded, published};
pub use patrol::patrol;
pub use position::position;
pub use priority::Priority;
pub use refusal::{CommandRefusal, GrantRefusal, NotGenuine, Refusal, RefusalReason};
pub use reply::{ReplyResult, reply};
pub use sensor::{alarm, observation, sensor_condition};
pub use state::{Presence, state};
pub use statement::{MustSign, Replay, Statement};

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
pub(crate) mod tests;
