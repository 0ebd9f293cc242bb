//! Kerbside: from camera packets to incidents at the linkage centre. This crate holds the programs; the crates below it hold
//! the stages.
//!
//! A tour, along the line:
//!
//! * [`app`] runs the agent: it builds every stage from a site, connects them with bounded channels and stops them in order.
//!   `app::camera_thread` feeds frames into the camera's line, `app::core_thread` owns the incident core and applies its
//!   effects.
//! * [`evidence`] makes pictures, clips and manifests durable. [`review`] decodes the packet ring to find who left an object.
//! * `sensor` reads GNSS and the sensors of the street. `ntp` asks the machine whether its clock is synchronised.
//! * `outputs` speaks at the place when a rule warns.
//! * `health` has the metrics, the liveness of the stages, and the loopback pages that show both.
//! * [`replay`] plays a file through the same line; [`score`] counts over many files how often it was right.
//! * [`data_folder`] knows a data folder again, or says that it is not this box's.
//! * [`doctor`] finds what is missing on a machine; [`inspect`] reads a journal; [`proof`] is evidence
//!   outside of the running agent.
//! * `durable` writes files that are whole under their name, or not there.
//! * [`why`] keeps what was no incident, for whoever asks why nothing was reported.
//! * [`box_key`] gets certificates for the key with which a box signs evidence.
//! * [`centre`] is the terminal client of the centre's side.
//! * [`cli`] defines the command line of all this; `log` and `signal` serve every command.
//!
//! `ARCHITECTURE.md` has the whole picture.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod app;
pub mod box_key;
pub mod centre;
pub mod cli;
pub mod data_folder;
pub mod doctor;
pub(crate) mod durable;
pub mod evidence;
pub(crate) mod health;
pub mod inspect;
pub mod log;
pub mod negatives;
pub(crate) mod ntp;
pub(crate) mod outputs;
pub mod proof;
pub mod replay;
pub mod review;
pub mod score;
pub mod sensor;
pub(crate) mod signal;
#[cfg(test)]
pub(crate) mod verdict_testing;
pub mod why;
