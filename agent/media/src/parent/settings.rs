//! What a session needs to know of its camera.

use kerbside_domain::frame::{CameraIx, Level};
use kerbside_site::config::{Backend, Camera, TlsTrust, Transport};

use super::program::CaptureProgram;
use crate::proto::{OpenSource, OpenTransport, Pace};
use crate::tuning::{CHILD_MEMORY_BYTES, CHILD_TIMEOUT_SHARE};
use crate::url;

/// One camera as its session sees it.
#[derive(Clone, Debug)]
pub struct CaptureSettings {
    pub camera: CameraIx,
    pub url: String,
    /// How the packets of an RTSP camera come.
    pub transport: Transport,
    /// Whom the certificate of a TLS camera must convince.
    pub tls: TlsTrust,
    /// OpenCV's `VideoCapture` instead of libav.
    pub opencv: bool,
    /// RTSP by FFmpeg's own client.
    pub libav: bool,
    pub pace: Pace,
    /// Frames a second that are analysed at L2.
    pub analysis_fps: f64,
    /// Width of these frames, px.
    pub analysis_width: u32,
    /// Silence after which the camera is reported as silent, s.
    pub stall_after_s: f64,
    /// Silence after which the child is replaced, s.
    pub restart_after_s: f64,
    /// Level until the first frame has been judged.
    pub level: Level,
    pub program: CaptureProgram,
    /// Size of its packet ring, bytes.
    pub ring_bytes: usize,
    /// Jitter of the backoff.
    pub seed: u64,
}

impl CaptureSettings {
    /// A camera of the configuration, live or at a file's own pace.
    pub fn of(camera: &Camera, program: CaptureProgram) -> Self {
        let pace = if url::is_file(&camera.url) { Pace::Realtime } else { Pace::Live };
        CaptureSettings {
            camera: camera.ix,
            url: camera.url.clone(),
            transport: camera.transport,
            tls: camera.tls.clone(),
            opencv: camera.backend == Backend::OpenCv,
            libav: camera.backend == Backend::Libav,
            pace,
            analysis_fps: camera.analysis_fps,
            analysis_width: camera.analysis_width,
            stall_after_s: camera.stall_after_s,
            restart_after_s: camera.restart_after_s,
            level: Level::L2,
            program,
            ring_bytes: camera.ring_bytes,
            seed: u64::from(camera.ix.0) ^ u64::from(std::process::id()) << 16,
        }
    }

    /// The camera's stream of full resolution, if it has one: its packets are kept and nothing is decoded.
    pub fn of_main(camera: &Camera, program: CaptureProgram) -> Option<Self> {
        let main = camera.main.as_ref()?;
        let pace = if url::is_file(&main.url) { Pace::Realtime } else { Pace::Live };
        let of_camera = CaptureSettings::of(camera, program);
        let seed = of_camera.seed ^ 1 << 48;
        let (url, ring_bytes) = (main.url.clone(), main.ring_bytes);
        Some(CaptureSettings { url, ring_bytes, pace, level: Level::L0, seed, ..of_camera })
    }

    /// The program that reads this source.
    pub(super) fn program_for_source(&self) -> CaptureProgram {
        if url::is_device(&self.url, self.opencv) { self.program.for_devices() } else { self.program.clone() }
    }

    /// The backend gives pictures only: there are no packets to date them by.
    pub(super) fn has_no_packets(&self) -> bool {
        self.opencv || self.url.starts_with("gst:")
    }

    /// The first message to a child.
    pub(super) fn open(&self) -> OpenSource {
        OpenSource {
            url: self.url.clone(),
            host: None,
            transport: match self.transport {
                Transport::Auto => OpenTransport::Auto,
                Transport::Tcp => OpenTransport::Tcp,
                Transport::Udp => OpenTransport::Udp,
            },
            libav: self.libav,
            opencv: self.opencv,
            pace: self.pace,
            level: self.level,
            analysis_fps: self.analysis_fps,
            analysis_width: self.analysis_width,
            timeout_s: (self.restart_after_s * CHILD_TIMEOUT_SHARE).max(1.0),
            ring_bytes: self.ring_bytes as u64,
            memory_bytes: CHILD_MEMORY_BYTES,
        }
    }
}
