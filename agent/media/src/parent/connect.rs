//! One TCP connection to a network camera, and the names of what can go wrong on the way to it.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use kerbside_domain::camera_state::Off;
use kerbside_site::camera_url::NetworkUrl;

/// Addresses of a name that are tried. Bound: a name with many costs few limits.
const MAX_ADDRESSES: usize = 3;

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
    let unreachable = |why: String| ReachFault::new(Off::Unreachable, format!("{}: {why}", url.address()));
    let addresses = (url.host.as_str(), url.port)
        .to_socket_addrs()
        .map_err(|e| unreachable(format!("the name cannot be resolved: {e}")))?;
    let mut last = "the name has no address".to_owned();
    for address in addresses.take(MAX_ADDRESSES) {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => {
                last = format!("no answer within {} s", limit.as_secs_f64());
            }
            Err(e) => last = e.to_string(),
        }
    }
    Err(unreachable(last))
}
