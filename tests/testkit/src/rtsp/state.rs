//! How a camera is now: what its server, its players and the test share.

use std::sync::Arc;

use rustls::ServerConfig;

use super::film::Film;
use super::quirks::Quirks;
use super::request::Request;
use crate::wait::Watched;

/// What is wrong with a camera or with the way to it.
#[derive(Clone, Debug, Default)]
pub enum CameraFault {
    #[default]
    None,
    /// Nobody listens; who was connected is cut off.
    Refused,
    /// Connections stay, nothing is sent, nothing is answered.
    Silent,
    /// It shows something else, in the same stream.
    Shows(Arc<Film>),
    /// It started anew and announces this encoding instead of H264.
    Announces(&'static str),
    /// This share of all RTP packets is lost.
    Loses(f64),
    /// The bytes of every picture are noise.
    Garbled,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) film: Arc<Film>,
    pub(super) quirks: Quirks,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) state: Watched<State>,
    pub(super) port: u16,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) fault: CameraFault,
    /// Connections of an earlier one are cut.
    pub(super) generation: u64,
    /// Method and address of every request, in order.
    pub(super) heard: Vec<String>,
    /// RTP packets that were lost on the way to all clients.
    pub(super) lost: u64,
}

impl Shared {
    pub(super) fn is_refusing(&self) -> bool {
        self.state.read(|state| matches!(state.fault, CameraFault::Refused))
    }

    pub(super) fn heard(&self, request: &Request) {
        self.state.change(|state| state.heard.push(format!("{} {}", request.method, request.url)));
    }

    /// Returns when the camera is not silent.
    pub(super) fn wait_for_voice(&self) {
        self.state.while_(|state| matches!(state.fault, CameraFault::Silent), |_| ());
    }
}
