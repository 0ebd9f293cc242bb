//! Replay: the same line on a file. In lockstep on a virtual clock: nothing is dropped, and the same clip gives the same
//! bytes on every machine; or at the clip's own pace, drops and all. Scored against a truth if there is one.
//!
//! The camera's child, gate, detector, core and evidence are the agent's own; only journal and link are left out.

mod command;
#[cfg(feature = "camera")]
mod film;
pub(crate) mod line;
pub mod timeline;
pub mod truth;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use parking_lot::Mutex;

pub use command::command;
use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::{Clock as _, VirtualClock};
use kerbside_infer::Cascade;
use kerbside_media::ring::PacketRing;
use kerbside_media::{CaptureProgram, CaptureSession, CaptureSettings, FrameSource as _, Pace, SourceEnd};
use kerbside_seeing::incident::{CoreCounters, Input};
use kerbside_site::config::{Camera, Site};
use truth::{Said, SaidState, Score, Truth};

/// A ring for replay holds a whole short clip: evidence must not depend on how fast the machine is.
const RING_BYTES: usize = 256 << 20;

/// Noon of a Thursday, in the site's offset, where neither truth nor person says when the clip was taken.
const DEFAULT_START_UTC_MS: i64 = 1_767_268_800_000;

#[derive(Debug)]
pub struct Options {
    pub site: Site,
    /// Whose zones and rules apply.
    pub camera: CameraIx,
    pub clip: PathBuf,
    pub out: PathBuf,
    pub annotated: Option<PathBuf>,
    pub truth: Option<Truth>,
    /// Wall clock at the first frame.
    pub start_wall_ms: i64,
    pub realtime: bool,
    pub exe: CaptureProgram,
    /// The detectors, as reports name them.
    pub models: kerbside_domain::model::ModelNames,
    /// Give back what the core heard: a core with other rules can then be asked without playing the clip again.
    pub keep_inputs: bool,
}

/// What a replay came to.
#[derive(Debug)]
pub struct Outcome {
    pub looks: u64,
    pub inferred: u64,
    /// Span of the clip that was looked at, s.
    pub clip_s: f64,
    pub said: Vec<Said>,
    pub states: Vec<SaidState>,
    /// Empty unless asked for by `keep_inputs`.
    pub heard: Vec<Input>,
    pub score: Option<Score>,
    pub counters: CoreCounters,
    /// Evidence that could not be made, in words.
    pub shortfalls: Vec<String>,
}

/// Wall clock at the first frame, ms since the Unix epoch: the truth's, or the default in the site's offset.
pub fn start_wall_ms(truth: Option<&Truth>, utc_offset_s: i32) -> i64 {
    let noon = DEFAULT_START_UTC_MS - i64::from(utc_offset_s) * 1000;
    truth.and_then(Truth::start_wall_ms).unwrap_or(noon)
}

/// Runs a clip to its end. `tell` is called for each line of the timeline as it comes.
pub fn run(options: Options, cascade: Cascade, tell: &mut dyn FnMut(&str)) -> anyhow::Result<Outcome> {
    if !options.clip.is_file() {
        bail!("{}: no such clip", options.clip.display());
    }
    prepare(&options.out)?;
    let site = only(&options.site, options.camera).context("the site has no such camera")?;
    let camera = site.cameras.first().context("the site has no camera")?.clone();
    let clock = VirtualClock::new(options.start_wall_ms);
    let ring = Arc::new(Mutex::new(PacketRing::new(camera.ring_s, RING_BYTES)));
    let setup = CaptureSettings {
        url: options.clip.display().to_string(),
        opencv: false,
        pace: if options.realtime { Pace::Realtime } else { Pace::Lockstep },
        ..CaptureSettings::of(&camera, options.exe.clone())
    };
    let mut line = line::Line::new(&site, &camera, &options, cascade, clock.clone(), ring.clone(), tell)?;
    let mut session = CaptureSession::new(setup, clock.clone(), ring);
    let (_running, stop) = crossbeam_channel::bounded(0);
    let done = session.run(&mut line, &stop);
    if done != SourceEnd::Ended {
        bail!("{}: {}", options.clip.display(), line.trouble().unwrap_or("the source failed"));
    }
    line.finish(clock.now(), options.truth.as_ref())
}

/// An empty folder; only what an earlier replay wrote there is deleted.
fn prepare(out: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    for old in ["incidents.ndjson", "timeline.txt", "result.json"] {
        match std::fs::remove_file(out.join(old)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("deleting {}", out.join(old).display()));
            }
            _ => {}
        }
    }
    match std::fs::remove_dir_all(out.join("evidence")) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("deleting {}", out.join("evidence").display()))
        }
        _ => Ok(()),
    }
}

/// The site with one camera.
fn only(site: &Site, camera: CameraIx) -> Option<Site> {
    let mut site = site.clone();
    let camera = Camera { ix: CameraIx(0), ..site.camera(camera)?.clone() };
    site.cameras = vec![camera];
    Some(site)
}
