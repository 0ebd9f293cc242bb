//! An RTSP camera that fails on demand and is as odd as one wants: access units from memory over RTP inside the RTSP connection, as cameras behind a
//! NAT send them. What it shows, whether it answers, and what is lost or garbled on the way changes while clients watch.
//!
//! Written from RFC 2326, 6184, 7798 and 4566: the box's own demuxer is not tested against itself.

mod film;
mod player;
mod quirks;
mod sdp;
mod server;
mod state;

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::Result;

pub use film::{Codec, FPS, Film};
pub use quirks::Quirk;
use quirks::Quirks;
pub use state::CameraFault;
use state::Shared;

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
        let shared = Arc::new(Shared { film, quirks: Quirks(quirks), state: Watched::default(), port });
        let serving = shared.clone();
        std::thread::spawn(move || server::serve(listener, &serving));
        Ok(Camera { port, shared })
    }

    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/live", self.port)
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
