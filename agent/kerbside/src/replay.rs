//! Replay: a file is played through the agent's own line. In lockstep on a virtual clock nothing is dropped, and the same clip
//! gives the same bytes on every machine. At the clip's own pace frames may be dropped, as live. If the clip has a truth, the
//! reports are scored.
//!
//! Capture child, gate, detector, core and evidence are the agent's; only journal and link are left out.
//!
//! | file | owns |
//! |---|---|
//! | `command` | the command `replay`: arguments, terminal, exit code |
//! | `options` | how a clip is played, and the result |
//! | `line` | all stages on one thread |
//! | `hold` | the last picture held at the end |
//! | `output` | the files of a replay |
//! | `rerun` | other rules on the inputs of one replay |
//! | `timeline` | the line of text for each event |
//! | `video` | the annotated video |
//! | `truth`, `scoring` | what really happens in a clip, and how far a replay agrees |

mod command;
mod hold;
pub(crate) mod line;
pub(crate) mod options;
mod output;
pub(crate) mod rerun;
pub(crate) mod scoring;
mod timeline;
pub(crate) mod truth;
#[cfg(feature = "camera")]
mod video;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use parking_lot::Mutex;

pub use command::command;
use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::{Clock as _, VirtualClock};
use kerbside_infer::Cascade;
use kerbside_media::ring::PacketRing;
use kerbside_media::{CaptureSession, CaptureSettings, FrameSource as _, Pace, SourceEnd};
use kerbside_site::config::{Camera, Site};
use options::{Options, Outcome};
use truth::Truth;

/// The ring of a replay holds a whole short clip, bytes: evidence must not depend on the speed of the machine.
const RING_BYTES: usize = 256 << 20;

/// 2026-01-01T12:00:00 UTC, a Thursday: the time of the clip when neither its truth nor the command line says one.
const DEFAULT_START_UTC_MS: i64 = 1_767_268_800_000;

/// Wall clock at the first frame, ms since the Unix epoch: the truth's, or the default in the site's offset.
pub(crate) fn start_wall_ms(truth: Option<&Truth>, utc_offset_s: i32) -> i64 {
    let noon = DEFAULT_START_UTC_MS - i64::from(utc_offset_s) * 1000;
    truth.and_then(Truth::start_wall_ms).unwrap_or(noon)
}

/// Plays a clip to its end. `print` is called with each line of the timeline.
pub(crate) fn run(
    options: Options,
    cascade: Cascade,
    print: &mut dyn FnMut(&str),
) -> anyhow::Result<Outcome> {
    if !options.clip.is_file() {
        bail!("{}: no such clip", options.clip.display());
    }
    prepare(&options.out)?;
    let site = only(&options.site, options.camera).context("the site has no such camera")?;
    let camera = site.cameras.first().context("the site has no camera")?.clone();
    let clock = VirtualClock::of_replay(options.start_wall_ms);
    let ring = Arc::new(Mutex::new(PacketRing::new(camera.ring_s, RING_BYTES)));
    let setup = CaptureSettings {
        url: kerbside_media::url::of_file(&options.clip),
        opencv: false,
        pace: if options.realtime { Pace::Realtime } else { Pace::Lockstep },
        ..CaptureSettings::of(&camera, options.exe.clone())
    };
    let mut line = line::Line::new(&site, &camera, &options, cascade, clock.clone(), ring.clone(), print)?;
    let mut session = CaptureSession::new(setup, clock.clone(), ring);
    let (_running, stop) = crossbeam_channel::bounded(0);
    let done = session.run(&mut line, &stop);
    if done != SourceEnd::Ended {
        bail!("{}: {}", options.clip.display(), line.failure().unwrap_or("the source failed"));
    }
    line.finish(clock.now(), options.truth.as_ref())
}

/// Makes the folder and deletes what an earlier replay wrote there, nothing else.
fn prepare(out: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    for old in ["incidents.ndjson", "refusals.ndjson", "timeline.txt", "result.json"] {
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
