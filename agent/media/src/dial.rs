//! One TCP connection to a network camera: the parent's and the child's.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use kerbside_site::camera_url::NetworkUrl;

/// Addresses of a name that are tried. Bound: a name with many costs few limits.
const MAX_ADDRESSES: usize = 3;

/// A connection to the camera, or why there is none. `limit`: of each address that is tried.
pub(crate) fn dial(url: &NetworkUrl, limit: Duration) -> Result<TcpStream, String> {
    let unreachable = |why: String| format!("{}: {why}", url.address());
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
