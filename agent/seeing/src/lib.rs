//! Seeing: from frames and detections to incidents. Pure: no I/O, no clock, no error.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod gate;
pub mod incident;
pub mod ladder;
pub mod pipeline;
pub mod rules;
pub mod tracker;
