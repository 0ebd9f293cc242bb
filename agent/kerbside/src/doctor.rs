//! Doctor: what is missing or wrong on this machine, and how to correct it. It changes nothing but a test file in data_dir.
//!
//! It checks the machine and the network. Checks that need a library of a feature come in through [`Hooks`].
//!
//! | file | owns |
//! |---|---|
//! | `finding` | one finding |
//! | `cameras` | what each camera shows, and what is to be put right about it |
//! | `report` | the findings as text and exit code |
//! | `machine`, `network`, `certificates`, `confined`, `broker`, `trust`, `encryption` | the checks |

mod broker;
mod cameras;
mod certificates;
mod confined;
mod encryption;
mod finding;
mod machine;
mod network;
mod report;
mod trust;

use std::path::{Path, PathBuf};

use crate::data_folder::DataFolder;
use kerbside_domain::time::Clock;
use kerbside_media::{Confinement, Walls};
use kerbside_site::config::{self, GnssSource, Site};

pub use cameras::TryCamera;
pub use confined::confined;
pub use finding::{Area, Finding, Level};
pub use report::{exit_code, render};

/// Checks that need the libraries of a feature. Each gives a sentence: what is there, or what is wrong.
#[derive(Debug, Default)]
pub struct Hooks {
    /// Name and version of every native library built in (FFmpeg, OpenCV).
    pub versions: Option<Versions>,
    /// Loads the model of a manifest with the ONNX Runtime configured, hashes checked.
    pub load_model: Option<LoadModel>,
    /// Starts a child as every other, and says how far it is confined.
    pub confinement: Option<Confined>,
    /// Opens a camera and waits for its first picture.
    pub try_camera: Option<TryCamera>,
}

/// Names and versions.
pub type Versions = fn() -> Vec<(String, String)>;

/// Manifest and configured runtime to a sentence about the model.
pub type LoadModel = fn(&Path, Option<&Path>) -> Result<String, ModelFault>;

/// A model that cannot be used.
#[derive(Clone, Debug)]
pub struct ModelFault {
    /// What is wrong.
    pub what: String,
    /// How to correct it.
    pub remedy: &'static str,
}

/// Site file, if there is a good one, and what the site says, to what stands around a child and what it could do in spite of that.
pub type Confined = fn(Option<&Path>, Walls) -> Result<Confinement, String>;

/// Checks the machine, and with a configuration also everything that it names. `progress` is told what is being checked.
pub fn run(
    config: Option<&Path>,
    hooks: &Hooks,
    clock: &dyn Clock,
    mut progress: impl FnMut(&str),
) -> Vec<Finding> {
    let mut findings = Vec::new();
    progress("machine");
    findings.push(machine::clock_synchronised());
    findings.extend(libraries(hooks));
    let loaded = config.map(|path| (path, config::load(path)));
    let good = loaded.as_ref().and_then(|(path, site)| Some((*path, site.as_ref().ok()?)));
    let walls = good.map_or_else(Walls::default, |(path, site)| crate::app::walls(site, path));
    let confined = hooks.confinement.map(|confined| confined(good.map(|(path, _)| path), walls.clone()));
    findings.extend(confined.map(confined::finding));
    let Some((path, site)) = loaded else {
        findings.push(machine::memory(None));
        findings.extend(models(None, hooks));
        let remedy = "kerbside doctor SITE.toml also looks at cameras, centre, certificates and disks";
        findings.push(Finding::advice(Area::Configuration, "none was given", remedy));
        return findings;
    };
    let site = match site {
        Ok(site) => site,
        Err(problems) => {
            findings.push(machine::memory(None));
            let what = format!("{}: {} problem(s)", path.display(), problems.len());
            findings.push(Finding::wrong(
                Area::Configuration,
                what,
                format!("kerbside check {}", path.display()),
            ));
            return findings;
        }
    };
    findings.push(Finding::good(Area::Configuration, format!("{} is accepted", path.display())));
    for warning in &site.warnings {
        // A warning says the cure last.
        let (what, cure) = warning.rsplit_once("; ").unwrap_or((warning, "write the new name of the key"));
        findings.push(Finding::advice(Area::Configuration, what, cure));
    }
    findings.push(machine::memory(Some(&site)));
    progress("disk");
    findings.extend(machine::data_dir(&site, clock));
    findings.push(data(&DataFolder::of(&site, path)));
    findings.push(encryption::at_rest(&site.device.data_dir));
    findings.extend(evidence(&site));
    progress("model");
    findings.extend(models(Some(&site), hooks));
    progress("centre");
    let page = broker::page(&site);
    findings.extend(broker::check(&site, clock, page.as_ref()));
    findings.extend(certificates::check(&site, clock));
    findings.push(certificates::evidence_chain(&site, clock));
    findings.extend(trust::check(&site, clock));
    progress("cameras");
    findings.extend(cameras::check(&site, hooks.try_camera, &walls, page.as_ref()));
    findings.extend(site.gnss.as_ref().map(|g| gnss(&g.source)));
    findings.extend(sensor_broker(&site));
    findings.push(health_port(&site));
    findings
}

/// Whether the data folder is the one that this box began with.
fn data(folder: &DataFolder) -> Finding {
    match folder.check() {
        Err(refused) => Finding::wrong(
            Area::Disk,
            refused.what(),
            format!("mount its disk, or, if the data is gone: {}", refused.cure),
        ),
        Ok(()) if folder.is_witnessed() => Finding::good(Area::Disk, "the data folder is this box's own"),
        Ok(()) => {
            let remedy = "start it once; /var/lib/kerbside-witness, or the folder of the site file, must be writable for it";
            Finding::advice(Area::Disk, "nobody knows yet whether the data folder is this box's own", remedy)
        }
    }
}

/// What the running agent has found when it read old evidence again.
fn evidence(site: &Site) -> Option<Finding> {
    let state = crate::evidence::scrub_state(&site.device.data_dir)?;
    let checked = state.checked;
    let Some(newest) = state.damaged.last() else {
        return Some(Finding::good(
            Area::Evidence,
            format!("{checked} files were read again, all as written"),
        ));
    };
    let count = state.damaged.len();
    let what =
        format!("{count} files are not as they were written; the newest, {}: {}", newest.path, newest.why);
    let remedy = "the centre was told (evidence.failed); look at the disk: dmesg, smartctl, and replace it if there are more";
    Some(Finding::wrong(Area::Evidence, what, remedy))
}

fn libraries(hooks: &Hooks) -> Vec<Finding> {
    match hooks.versions {
        None => vec![Finding::advice(
            Area::Libraries,
            "this program was built without cameras",
            "build with the default features to decode streams",
        )],
        Some(versions) => versions()
            .into_iter()
            .map(|(name, version)| Finding::good(Area::Libraries, format!("{name} {version}")))
            .collect(),
    }
}

fn models(site: Option<&Site>, hooks: &Hooks) -> Vec<Finding> {
    let Some(load) = hooks.load_model else {
        let remedy = "build with the default features to run detectors";
        return vec![Finding::advice(Area::Model, "this program was built without inference", remedy)];
    };
    let Some((models, street)) = site.and_then(|s| Some((&s.models, s.models.street.as_ref()?))) else {
        return vec![Finding::advice(Area::Model, "no model is configured", "set street in [models]")];
    };
    let one = |manifest: &PathBuf| match load(manifest, models.runtime.as_deref()) {
        Ok(what) => Finding::good(Area::Model, what),
        Err(fault) => Finding::wrong(Area::Model, fault.what, fault.remedy),
    };
    [street].into_iter().chain(&models.close_up).chain(&models.witness).map(one).collect()
}

fn gnss(source: &GnssSource) -> Finding {
    let reachable = match source {
        GnssSource::Serial { path, .. } | GnssSource::File(path) => machine::readable(path),
        GnssSource::Tcp(addr) | GnssSource::Gpsd(addr) => network::connect_to(addr).map(|_| ()),
    };
    match (reachable, source) {
        (Ok(()), _) => Finding::good(Area::Gnss, "the receiver can be opened"),
        (Err(why), GnssSource::Serial { path, .. }) => {
            let remedy = "add the user of the service to the group dialout: usermod -aG dialout kerbside";
            Finding::wrong(Area::Gnss, format!("{}: {why}", path.display()), remedy)
        }
        (Err(why), _) => {
            Finding::wrong(Area::Gnss, why, "check that the receiver or gpsd runs: systemctl status gpsd")
        }
    }
}

fn sensor_broker(site: &Site) -> Option<Finding> {
    let (host, port) = site.sensors.broker.as_ref().filter(|_| !site.sensors.sensors.is_empty())?;
    Some(match network::connect(host, *port) {
        Ok(_) => Finding::good(Area::Sensors, format!("their broker {host}:{port} answers")),
        Err(why) => {
            let what = format!("their broker {host}:{port}: {why}");
            Finding::wrong(Area::Sensors, what, "start the box's own broker: systemctl start mosquitto")
        }
    })
}

fn health_port(site: &Site) -> Finding {
    let listen = site.health.listen;
    match std::net::TcpListener::bind(listen) {
        Ok(_) => Finding::good(Area::Health, format!("{listen} is free")),
        Err(e) => {
            let remedy = "is kerbside running already? systemctl status kerbside";
            Finding::advice(Area::Health, format!("{listen}: {e}"), remedy)
        }
    }
}

#[cfg(test)]
mod tests;
