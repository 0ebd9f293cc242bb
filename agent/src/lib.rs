//! Kerbside: from camera packets to incidents at the linkage centre.
//!
//! One module per stage of the line; `ARCHITECTURE.md` is the map.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod app;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod detector;
pub mod doctor;
pub mod evidence;
pub mod frame;
pub mod gate;
pub mod geo;
pub mod hash;
pub mod health;
pub mod incident;
pub mod inspect;
pub mod journal;
pub mod link;
pub mod log;
pub mod lookback;
pub mod outbox;
pub mod replay;
pub mod ring;
pub mod rules;
pub mod score;
pub mod sensor;
pub mod sign;
pub mod signal;
pub mod source;
pub mod store;
pub mod time;
pub mod tracker;
pub mod upload;
pub mod watch;
pub mod wire;
