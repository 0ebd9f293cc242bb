//! The way to a network camera, before a child is started for it.
//!
//! A TLS camera is always reached from here: the child has no certificates and no keys, it talks through a [`Tunnel`]. Any other is
//! tried from here once nobody answered: a connection costs a hundredth of a process.

use std::time::Duration;

use crossbeam_channel::Receiver;
use kerbside_site::camera_url::{NetworkUrl, Scheme};
use kerbside_site::config::TlsTrust;

use super::connect::{ReachFault, connect};
use super::tunnel::Tunnel;

/// What a child opens, and what must stay while it does.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) url: NetworkUrl,
    pub(super) tunnel: Option<Tunnel>,
}

/// Tries to reach the camera on a thread of its own: the session goes on ticking.
pub(super) fn begin(
    url: NetworkUrl,
    trust: TlsTrust,
    limit: Duration,
) -> std::io::Result<Receiver<Result<Way, ReachFault>>> {
    let (sender, answer) = crossbeam_channel::bounded(1);
    std::thread::Builder::new().name("camera-reach".into()).spawn(move || {
        // Nobody waits any more when the session was stopped.
        let _ = sender.send(reach(url, &trust, limit));
    })?;
    Ok(answer)
}

fn reach(url: NetworkUrl, trust: &TlsTrust, limit: Duration) -> Result<Way, ReachFault> {
    let scheme = match url.scheme {
        Scheme::Rtsp | Scheme::Http => {
            connect(&url, limit)?;
            return Ok(Way { url, tunnel: None });
        }
        Scheme::Rtsps => Scheme::Rtsp,
        Scheme::Https => Scheme::Http,
    };
    let tunnel = Tunnel::open(&url, trust, limit)?;
    let (host, port) = ("127.0.0.1".to_owned(), tunnel.port());
    Ok(Way { url: NetworkUrl { scheme, host, port, ..url }, tunnel: Some(tunnel) })
}
