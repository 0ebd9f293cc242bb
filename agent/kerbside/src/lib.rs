//! Kerbside: from camera packets to incidents at the linkage centre.
//!
//! One module per stage of the line; `ARCHITECTURE.md` is the map.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod app;
pub mod centre;
pub mod cli;
pub mod doctor;
pub mod evidence;
pub mod health;
pub mod inspect;
pub mod log;
pub mod ntp;
pub mod replay;
pub mod review;
pub mod score;
pub mod sensor;
pub mod signal;
