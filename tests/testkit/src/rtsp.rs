//! An RTSP camera that fails on demand and is as odd as one wants: access units from memory over RTP inside the RTSP connection, as cameras behind a
//! NAT send them. What it shows, whether it answers, and what is lost or garbled on the way changes while clients watch.
//!
//! Written from RFC 2326, 6184, 7798 and 4566: the box's own demuxer is not tested against itself.

mod codec;
mod film;
mod login;
mod player;
mod quirks;
mod request;
mod sdp;
mod server;
mod signatures;
mod state;
mod wire;

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::Result;

pub use codec::Codec;
pub use film::{FPS, Film};
pub use login::{Login, Scheme};
pub use quirks::Quirk;
pub(crate) use quirks::Quirks;
pub(crate) use request::Request;
pub use signatures::{Signatures, Verified};
pub use state::CameraFault;
use state::{Shared, State};
pub(crate) use wire::{Wire, tls};

use crate::LIMIT;
use crate::wait::Watched;

/// A camera on a port of its own.
#[derive(Debug)]
pub struct Camera {
    port: u16,
    shared: Arc<Shared>,
}

impl Camera {
    pub fn start(film: Arc<Film>) -> Result<Camera> {
        Camera::odd(film, Vec::new())
    }

    /// A camera with quirks.
    pub fn odd(film: Arc<Film>, quirks: Vec<Quirk>) -> Result<Camera> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let quirks = Quirks(quirks);
        let tls = quirks.certificate().map(|(chain, key)| tls(chain, key)).transpose()?;
        let shared = Arc::new(Shared { film, quirks, tls, state: Watched::default(), port });
        let serving = shared.clone();
        std::thread::spawn(move || server::serve(listener, &serving));
        Ok(Camera { port, shared })
    }

    pub fn url(&self) -> String {
        self.url_with("")
    }

    /// With `user:password@` or nothing in front of its host.
    pub fn url_with(&self, userinfo: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "rtsps" } else { "rtsp" };
        format!("{scheme}://{userinfo}127.0.0.1:{}/live", self.port)
    }

    /// Waits for a request of this method; returns all that came.
    pub fn heard(&self, method: &str) -> Result<Vec<String>> {
        let is_it = |line: &String| line.split(' ').next() == Some(method);
        let look = |state: &State| state.heard.iter().any(is_it).then(|| state.heard.clone());
        let came = |state: &State| state.heard.join("\n");
        Ok(self.shared.state.until(&format!("{method} at the camera"), LIMIT, look, came)?)
    }

    /// Method and address of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.state.read(|state| state.heard.clone())
    }

    /// RTP packets that were lost on the way to all clients so far.
    pub fn lost(&self) -> u64 {
        self.shared.state.read(|state| state.lost)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, fault: CameraFault) {
        let cuts = matches!(fault, CameraFault::Refused | CameraFault::Announces(_));
        self.shared.state.change(|state| {
            // What it announced at a start holds until the next.
            state.generation += u64::from(cuts || matches!(state.fault, CameraFault::Announces(_)));
            state.fault = fault;
        });
        // Wakes the listener, which then finds that it must not listen.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}
