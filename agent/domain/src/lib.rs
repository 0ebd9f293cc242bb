//! The words that all of Kerbside speaks: time, frames and boxes, kinds of incident, reports, readings, evidence.
//!
//! Plain data without I/O. Every other crate may use it; it uses none of them.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod camera_state;
pub mod case;
pub mod detection;
pub mod evidence;
pub mod frame;
pub mod kind;
pub mod model;
pub mod patrol;
pub mod position;
pub mod reading;
pub mod report;
pub mod time;
