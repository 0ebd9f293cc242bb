//! One TCP connection to a network camera, and the names of what can go wrong on the way to it.

use std::net::TcpStream;
use std::time::Duration;

use kerbside_domain::camera_state::Off;
use kerbside_site::camera_url::NetworkUrl;

use crate::dial::dial;

/// Why a camera was not reached.
#[derive(Debug)]
pub(super) struct ReachFault {
    pub(super) off: Off,
    pub(super) text: String,
}

impl ReachFault {
    pub(super) fn new(off: Off, text: impl Into<String>) -> Self {
        ReachFault { off, text: text.into() }
    }
}

/// A connection to the camera, or why there is none.
pub(super) fn connect(url: &NetworkUrl, limit: Duration) -> Result<TcpStream, ReachFault> {
    dial(url, limit).map_err(|why| ReachFault::new(Off::Unreachable, why))
}
