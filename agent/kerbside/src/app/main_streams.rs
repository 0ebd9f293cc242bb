//! Streams of full resolution of cameras whose smaller stream is analysed: their packets fill a ring for evidence, nothing is decoded.

use std::convert::Infallible;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use crossbeam_channel::Receiver;
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{Frame, Level, StreamInfo};
use kerbside_domain::time::{Clock, Moment};
use kerbside_media::ring::PacketRing;
use kerbside_media::{CaptureProgram, CaptureSession, CaptureSettings, FrameSink, FrameSource as _};
use kerbside_site::config::Site;
use parking_lot::Mutex;

type Ring = Arc<Mutex<PacketRing>>;

/// A ring for each camera that has such a stream, in the order of the cameras.
pub(super) fn rings(site: &Site) -> Vec<Option<Ring>> {
    let ring = |ring_s, bytes| Arc::new(Mutex::new(PacketRing::new(ring_s, bytes)));
    site.cameras.iter().map(|c| c.main.as_ref().map(|main| ring(c.ring_s, main.ring_bytes))).collect()
}

/// Starts a thread for each; they end with the cameras.
pub(super) fn start(
    site: &Site,
    clock: &Arc<dyn Clock>,
    program: &CaptureProgram,
    rings: &[Option<Ring>],
    stopped: &Receiver<Infallible>,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    for (camera, ring) in site.cameras.iter().zip(rings) {
        let settings = CaptureSettings::of_main(camera, program.clone());
        let Some((settings, ring)) = settings.zip(ring.clone()) else { continue };
        let mut session = CaptureSession::new(settings, clock.clone(), ring);
        let mut sink = MainStream { id: camera.id.clone(), state: None };
        let stopped = stopped.clone();
        let name = format!("main-{}", camera.id);
        let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
            session.run(&mut sink, &stopped);
        });
        threads.push(thread.with_context(|| format!("starting the thread {name}"))?);
    }
    Ok(threads)
}

/// Says when the stream comes and goes. The camera's own state is that of the stream that is analysed: without this one evidence is
/// made of the other, and says so.
struct MainStream {
    id: String,
    state: Option<CameraState>,
}

impl FrameSink for MainStream {
    fn stream(&mut self, info: &StreamInfo) {
        self.state = None;
        let StreamInfo { codec, width, height, .. } = info;
        tracing::info!(camera = self.id, codec, width, height, "main stream: kept as packets for evidence");
    }

    fn frame(&mut self, _frame: Frame) -> Level {
        Level::L0
    }

    fn state(&mut self, _at: Moment, state: CameraState, why: &str) {
        if self.state.replace(state) != Some(state) {
            match state {
                CameraState::Off(_) => {
                    tracing::warn!(
                        camera = self.id,
                        ?state,
                        why,
                        "main stream: evidence is made of the smaller one"
                    );
                }
                _ => tracing::debug!(camera = self.id, ?state, why, "main stream"),
            }
        }
    }

    fn tick(&mut self, _at: Moment) -> Level {
        Level::L0
    }
}
