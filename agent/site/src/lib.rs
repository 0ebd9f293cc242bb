//! The site: its configuration file, checked whole, and the geometry of its places.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod config;
pub mod geo;
pub mod place;
