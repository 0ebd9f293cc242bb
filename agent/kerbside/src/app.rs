//! App: the running agent. It builds the stages from a site, starts them, waits, and stops them.
//!
//! Shutdown flows down the line (invariant 9): the sources stop; each stage ends when its input closes; the link drains for a
//! grace period, says offline and disconnects. A second signal exits at once.
//!
//! | file | owns |
//! |---|---|
//! | `stages` | what runs on threads, built and connected |
//! | `camera_thread` | one camera: its line, the slot for the detector |
//! | `core_thread` | the incident core and the application of its effects |
//! | `commands` | commands of the centre that the stages carry out |
//! | `file_handles` | the limit of open files |
//! | `instruments` | GNSS and sensors, and the judgement of the wall clock (`clock_quality`) |
//! | `meters` | metrics and liveness of each stage |
//! | `models` | the detectors that can be used |
//! | `reload` | the site file, read again at SIGHUP |
//! | `restore` | what the last run left |
//! | `walls` | what stands around the children that decode |

mod camera_thread;
mod clock_quality;
mod commands;
mod core_thread;
mod file_handles;
mod instruments;
mod main_streams;
mod meters;
mod models;
mod paths;
mod reload;
mod restore;
mod stages;
mod walls;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context as _;
use crossbeam_channel::bounded;
use kerbside_domain::model::ModelNames;
use kerbside_domain::panics;
use kerbside_domain::time::SystemClock;
use kerbside_infer::Cascade;
use kerbside_link::{self as link, upload};
use kerbside_media::CaptureProgram;
use kerbside_site::config::{Mask, Site, Tls};
use kerbside_trace::delivery::{self, Delivery};
use kerbside_wire::{Identity, MustSign};
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};

use crate::data_folder::DataFolder;
use crate::{health, outputs};
use paths::evidence_dir;
use reload::Reload;

pub use walls::walls;

/// GNSS events on their way to the core; the newest is dropped beyond.
const GNSS_EVENTS: usize = 16;
/// Presses of call buttons on their way to the core; whoever brings one waits beyond.
const PRESSES: usize = 16;
/// How long the link may send waiting messages when the program ends, s. systemd kills after 30 s (kerbside.service).
const GRACE_S: f64 = 8.0;

/// Why the agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A signal came.
    Stopped,
    /// The centre ordered that it be started again.
    Restart,
}

/// Runs the agent until a signal or the centre stops it. `file`: where the site was read, and is read again at SIGHUP.
pub fn run(file: PathBuf, site: Site, folder: &DataFolder, program: CaptureProgram) -> anyhow::Result<Ended> {
    run_with(file, site, Some(folder), program, models::load)
}

/// The same with detectors that `load` gives: one a worker, the site with the models that are used, and their names. Without
/// `folder` nobody notes which data is this box's.
pub fn run_with(
    file: PathBuf,
    site: Site,
    folder: Option<&DataFolder>,
    program: CaptureProgram,
    load: impl FnOnce(Site) -> (Site, Vec<Cascade>, ModelNames),
) -> anyhow::Result<Ended> {
    health::end_with_a_panic();
    file_handles::raise(site.cameras.len());
    let runtime = runtime()?;
    let signals = {
        let _inside = runtime.enter();
        crate::signal::Others::taken().context("signals")?
    };
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let as_read = site.clone();
    let (site, detectors, models) = load(site);
    let site = Arc::new(site);
    let who = Identity::from_site(&site).with_models(models);
    let mut settings = delivery::DeliverySettings::new(site.device.data_dir.clone(), site.centre.receipts);
    settings.keys.clone_from(&site.centre.keys);
    settings.must_sign = MustSign::of(&site.centre);
    let (delivery, opened) =
        Delivery::open(settings, who, clock.clone()).context("opening journal and outbox")?;
    if let Some(folder) = folder {
        folder.settle();
    }
    let meters = meters::Meters::new(&site, clock.clone());
    let restart = Arc::new(Notify::new());
    let (gnss, gnss_events) = bounded(GNSS_EVENTS);
    let (sites, new_sites) = bounded(reload::SITES);
    let (presses, pressed) = bounded(PRESSES);

    let tasks = runtime.enter();
    let (uploads, uploading) = upload::spawn(upload::Uploader {
        evidence_dir: evidence_dir(&site),
        delivery: delivery.clone(),
        clock: clock.clone(),
        trust: upload_trust(&site),
        local_allowed: site.evidence.local_uploads,
        proxy: site.centre.proxy.clone(),
        masked_only: site.evidence.mask == Mask::All,
    });
    let (warnings, to_speak) = mpsc::channel(outputs::QUEUE);
    let stages = stages::start(stages::Parts {
        site: site.clone(),
        clock: clock.clone(),
        program,
        detectors,
        delivery: delivery.clone(),
        saved: opened.incidents,
        centre: opened.inputs,
        gnss: gnss_events,
        presses: pressed,
        sites: new_sites,
        uploads,
        warnings,
        restart: restart.clone(),
        meters: &meters,
    })?;
    let mut link_settings = link::LinkSettings::new(&site.centre, &site.device.edge_id);
    link_settings.status = meters.link();
    let link = link::spawn(link_settings, opened.link, clock.clone());
    meters.watch_delivery(delivery.clone());
    let instruments = instruments::start(&site, &clock, &meters, stages.inputs(), gnss, presses, to_speak);
    let pages = meters.serve(&site);
    let reload = Reload { path: file, as_read, running: site.clone(), delivery: delivery.clone(), sites };
    let reloading = tokio::spawn(panics::named("reload", signals.serve(read_again(reload))));
    let watched = vec![
        ("uploads", uploading.abort_handle()),
        ("health", pages.abort_handle()),
        ("reload", reloading.abort_handle()),
    ];
    let watch = tokio::spawn(panics::named("watch", meters.ends().clone().watch(watched)));
    drop(tasks);
    meters.ends().up();
    health::notify_ready();
    tracing::info!(edge = site.device.edge_id, cameras = site.cameras.len(), "running");

    let ended = wait(&runtime, &restart);
    meters.ends().stopping();

    let core = stages.stop_cameras();
    instruments.stop();
    core.stop();
    // An upload that is aborted here is continued at the next start.
    uploading.abort();
    reloading.abort();
    runtime.block_on(link.stop(GRACE_S));
    watch.abort();
    pages.abort();
    delivery.close().context("closing the journal")?;
    // A file that is just being read must not hold up the end.
    runtime.shutdown_background();
    tracing::info!("stopped");
    Ok(ended)
}

fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("tasks")
        .enable_all()
        .build()
        .context("the runtime for tasks")
}

/// Reads the file on a thread that may block.
fn read_again(reload: Reload) -> impl FnMut() -> BoxFuture {
    let reload = Arc::new(Mutex::new(reload));
    move || {
        let reload = reload.clone();
        Box::pin(async move {
            if let Err(error) = tokio::task::spawn_blocking(move || reload.lock().read()).await {
                tracing::error!(%error, "the site file could not be read again");
            }
        })
    }
}

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits for a signal or an ordered restart. From then on a further signal exits at once.
fn wait(runtime: &Runtime, restart: &Notify) -> Ended {
    let ended = runtime.block_on(async {
        tokio::select! {
            () = crate::signal::stop() => Ended::Stopped,
            () = restart.notified() => Ended::Restart,
        }
    });
    tracing::info!(?ended, "stopping");
    health::notify_stopping();
    runtime.spawn(async {
        crate::signal::stop().await;
        tracing::warn!("second signal: exiting at once");
        std::process::exit(i32::from(crate::cli::exit::FAILED));
    });
    ended
}

/// Whom https servers of uploads must be certified by: the operator's choice, the centre's CA, or the system's.
fn upload_trust(site: &Site) -> Option<Tls> {
    let system = Path::new("/etc/ssl/certs/ca-certificates.crt");
    let chosen = site.evidence.upload_ca_file.clone();
    let ca_file = chosen.or_else(|| site.centre.tls.as_ref().map(|t| t.ca_file.clone()));
    let ca_file = ca_file.or_else(|| system.is_file().then(|| system.to_owned()))?;
    Some(Tls { ca_file, cert_file: None, key_file: None })
}

#[cfg(test)]
pub(crate) mod tests;
