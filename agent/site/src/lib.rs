//! The site: what one box is told about the place where it stands.
//!
//! A tour:
//!
//! * [`config`] reads the site file (TOML) and checks it whole before a thread starts (invariant 10). The result is a
//!   [`config::Site`]; otherwise every problem is reported with line, column and a suggestion.
//! * [`camera_url`] reads the address of a camera, for everybody, and keeps passwords out of what is printed.
//! * [`geo`] is the geometry and the tables behind it: homography, local metres, GCJ-02, unit grids, matter codes, and
//!   how large a thing must be to be reported from a zone's near and far edge. Pure.
//! * [`host`] writes a host with its port.
//! * [`limits`] says how long texts may be that travel in every message about an incident.
//! * [`text`] reads files that people wrote, on whichever system.
//! * [`place`] uses both to say where on the ground something in a camera's picture is.
//!
//! Lengths are in metres, times in seconds, places in degrees of WGS-84 as (longitude, latitude), positions in a picture as
//! shares of its width and height. The names say so: `dwell_s`, `lon_deg`, `polygon_norm`.

#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod camera_url;
pub mod config;
pub mod geo;
pub mod host;
pub mod limits;
pub mod place;
pub mod text;
