//! Link: the outbox's way to the broker and back, over MQTT 5 or 3.1.1, plain or TLS; and uploads of evidence.
//!
//! # A tour
//!
//! [`spawn`] starts one task. What to do when is decided by an I/O-free state machine ([`machine`]): events in, actions out.
//! The `shell` is the thin task around it that drives the connection (`client`).
//! Its memory is disposable: every connection is a new one, and the store thread hands over again whatever has
//! no acknowledgement. Journal and outbox are known only through [`kerbside_trace::delivery::LinkPort`].
//!
//! A message goes out when the store thread requests it ([`kerbside_trace::delivery::LinkRequest`]); what became of it is
//! reported back ([`kerbside_trace::delivery::LinkReport`]). A message of the centre is acknowledged to the broker only
//! after the store thread has journalled it.
//!
//! [`upload`] sends the files that the centre has granted, behind all reports: by HTTPS, or in pieces through the link.
//!
//! | file | owns |
//! |---|---|
//! | [`machine`] | what to do when, without I/O and without a clock |
//! | `shell` | the task: carries events in and actions out |
//! | `client` | one connection, 5 or 3.1.1 behind one face, over TCP, TLS or WebSocket |
//! | `dial` | TCP, through the site's HTTP proxy if it has one |
//! | `probe` | tries the broker once, for `doctor` |
//! | `status` | what the link says of itself |
//! | [`tls`], [`certificates`] | trust, and how long certificates count |
//! | `renewal` | whether the files that vouch for the box were replaced |
//! | [`upload`] | one file after the other, behind the reports |
//! | `tuning` | every constant, with its unit and its reason |

#![cfg_attr(not(test), deny(clippy::print_stdout))]

#[cfg(test)]
mod broker_tests;
pub mod certificates;
mod client;
mod dial;
#[cfg(feature = "embedded-broker")]
pub mod embedded;
mod error;
#[cfg(test)]
mod flood_tests;
mod handle;
pub mod machine;
mod probe;
#[cfg(test)]
mod quirk_tests;
mod renewal;
mod settings;
mod shell;
mod status;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod tls;
mod tuning;
pub mod upload;

pub use error::LinkError;
pub use handle::{LinkHandle, spawn};
pub use probe::probe;
pub use settings::LinkSettings;
pub use status::{LinkHealth, LinkProblem, LinkStatus, LinkWatch};
