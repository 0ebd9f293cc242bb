//! Doctor: what is missing or wrong on this machine, and how to mend it. It changes nothing but a test file in data_dir.
//!
//! It asks the machine and the network; what needs a library of a feature comes in through [`Hooks`].

mod certificates;
mod machine;
mod network;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kerbside_domain::time::Clock;
use kerbside_site::config::{self, Camera, GnssSource, Site};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Good,
    /// Works, but a person should know.
    Advice,
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    /// What was looked at, in English and Chinese.
    pub area: (&'static str, &'static str),
    pub what: String,
    /// How to mend it.
    pub mend: Option<String>,
}

impl Finding {
    fn good(area: (&'static str, &'static str), what: impl Into<String>) -> Self {
        Finding { level: Level::Good, area, what: what.into(), mend: None }
    }

    fn advice(area: (&'static str, &'static str), what: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { level: Level::Advice, area, what: what.into(), mend: Some(mend.into()) }
    }

    fn wrong(area: (&'static str, &'static str), what: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { level: Level::Wrong, area, what: what.into(), mend: Some(mend.into()) }
    }
}

/// Checks that need the libraries of a feature. Each gives what to say, or what is wrong.
#[derive(Debug, Default)]
pub struct Hooks {
    /// Name and version of every native library built in (FFmpeg, OpenCV).
    pub versions: Option<Versions>,
    /// Loads the model of a manifest with the ONNX Runtime configured, hashes checked.
    pub load_model: Option<LoadModel>,
}

/// Names and versions.
pub type Versions = fn() -> Vec<(String, String)>;

/// Manifest and configured runtime to a sentence about the model.
pub type LoadModel = fn(&Path, Option<&Path>) -> Result<String, String>;

const CONFIGURATION: (&str, &str) = ("configuration", "配置");
const LIBRARIES: (&str, &str) = ("libraries", "程序库");
const MODEL: (&str, &str) = ("model", "检测模型");
const CAMERA: (&str, &str) = ("camera", "摄像机");
const CENTRE: (&str, &str) = ("centre", "联动中心");
const GNSS: (&str, &str) = ("GNSS", "定位");
const SENSORS: (&str, &str) = ("sensors", "传感器");
const HEALTH: (&str, &str) = ("health", "健康接口");

/// Looks at the machine, and with a configuration at all that it names. `progress` hears what is being looked at.
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
    let Some(path) = config else {
        findings.push(machine::memory(None));
        findings.extend(models(None, hooks));
        let mend = "kerbside doctor SITE.toml also looks at cameras, centre, certificates and disks";
        findings.push(Finding::advice(CONFIGURATION, "none was given", mend));
        return findings;
    };
    let site = match config::load(path) {
        Ok(site) => site,
        Err(problems) => {
            findings.push(machine::memory(None));
            let what = format!("{}: {} problem(s)", path.display(), problems.len());
            findings.push(Finding::wrong(CONFIGURATION, what, format!("kerbside check {}", path.display())));
            return findings;
        }
    };
    findings.push(Finding::good(CONFIGURATION, format!("{} is accepted", path.display())));
    findings.push(machine::memory(Some(&site)));
    progress("disk");
    findings.extend(machine::data_dir(&site, clock));
    progress("model");
    findings.extend(models(Some(&site), hooks));
    progress("centre");
    findings.push(centre(&site));
    findings.extend(certificates::check(&site, clock));
    progress("cameras");
    findings.extend(cameras(&site));
    findings.extend(site.gnss.as_ref().map(gnss));
    findings.extend(sensor_broker(&site));
    findings.push(health_port(&site));
    findings
}

fn libraries(hooks: &Hooks) -> Vec<Finding> {
    match hooks.versions {
        None => vec![Finding::advice(
            LIBRARIES,
            "this program was built without cameras",
            "build with the default features to decode streams",
        )],
        Some(versions) => versions()
            .into_iter()
            .map(|(name, version)| Finding::good(LIBRARIES, format!("{name} {version}")))
            .collect(),
    }
}

fn models(site: Option<&Site>, hooks: &Hooks) -> Vec<Finding> {
    let Some(load) = hooks.load_model else {
        let mend = "build with the default features to run detectors";
        return vec![Finding::advice(MODEL, "this program was built without inference", mend)];
    };
    let Some((models, street)) = site.and_then(|s| Some((&s.models, s.models.street.as_ref()?))) else {
        return vec![Finding::advice(MODEL, "no model is configured", "set street in [models]")];
    };
    let one = |manifest: &PathBuf| match load(manifest, models.runtime.as_deref()) {
        Ok(what) => Finding::good(MODEL, what),
        Err(why) => {
            let mend = "run tools/setup to fetch the pinned ONNX Runtime, and check out the models again";
            Finding::wrong(MODEL, why, mend)
        }
    };
    [street].into_iter().chain(&models.close_up).map(one).collect()
}

fn centre(site: &Site) -> Finding {
    let (host, port) = (&site.centre.host, site.centre.port);
    match network::connect(host, port) {
        Ok(_) => Finding::good(CENTRE, format!("{host}:{port} answers")),
        Err(why) => {
            let mend = "check cable, SIM and firewall; reports wait on the disk until it answers";
            Finding::wrong(CENTRE, format!("{host}:{port}: {why}"), mend)
        }
    }
}

/// All at once: a camera that does not answer costs the others no time.
fn cameras(site: &Site) -> Vec<Finding> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = site.cameras.iter().map(|camera| scope.spawn(|| one_camera(camera))).collect();
        asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

fn one_camera(camera: &Camera) -> Finding {
    let id = &camera.id;
    match network::camera(&camera.url) {
        Ok(what) => Finding::good(CAMERA, format!("{id}: {what}")),
        Err((why, mend)) => Finding::wrong(CAMERA, format!("{id}: {why}"), mend),
    }
}

fn gnss(source: &GnssSource) -> Finding {
    let reachable = match source {
        GnssSource::Serial { path, .. } | GnssSource::File(path) => machine::readable(path),
        GnssSource::Tcp(addr) | GnssSource::Gpsd(addr) => network::connect_to(addr).map(|_| ()),
    };
    match (reachable, source) {
        (Ok(()), _) => Finding::good(GNSS, "the receiver can be opened"),
        (Err(why), GnssSource::Serial { path, .. }) => {
            let mend = "add the user of the service to the group dialout: usermod -aG dialout kerbside";
            Finding::wrong(GNSS, format!("{}: {why}", path.display()), mend)
        }
        (Err(why), _) => {
            Finding::wrong(GNSS, why, "check that the receiver or gpsd runs: systemctl status gpsd")
        }
    }
}

fn sensor_broker(site: &Site) -> Option<Finding> {
    let (host, port) = site.sensors.broker.as_ref().filter(|_| !site.sensors.sensors.is_empty())?;
    Some(match network::connect(host, *port) {
        Ok(_) => Finding::good(SENSORS, format!("their broker {host}:{port} answers")),
        Err(why) => {
            let what = format!("their broker {host}:{port}: {why}");
            Finding::wrong(SENSORS, what, "start the box's own broker: systemctl start mosquitto")
        }
    })
}

fn health_port(site: &Site) -> Finding {
    let listen = site.health.listen;
    match std::net::TcpListener::bind(listen) {
        Ok(_) => Finding::good(HEALTH, format!("{listen} is free")),
        Err(e) => {
            let mend = "is kerbside running already? systemctl status kerbside";
            Finding::advice(HEALTH, format!("{listen}: {e}"), mend)
        }
    }
}

/// Lines for a person, the worst last where the eye is, and a summary in both languages.
pub fn render(findings: &[Finding]) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|f| f.level);
    let mut text = String::new();
    for f in &sorted {
        let mark = match f.level {
            Level::Good => '✓',
            Level::Advice => '!',
            Level::Wrong => '✗',
        };
        // Writing to a String does not fail.
        let _ = writeln!(text, "{mark} {} ({}): {}", f.area.0, f.area.1, f.what);
        if let Some(mend) = &f.mend {
            let _ = writeln!(text, "    → {mend}");
        }
    }
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    let (wrong, advice) = (count(Level::Wrong), count(Level::Advice));
    let _ = match (wrong, advice) {
        (0, 0) => writeln!(text, "\nAll is well.  一切正常。"),
        (0, n) => writeln!(text, "\nNothing is wrong; {n} to look at.  没有错误；{n} 项请留意。"),
        (w, n) => writeln!(text, "\n{w} wrong, {n} to look at.  {w} 项错误，{n} 项请留意。"),
    };
    text
}

/// 0, or 70 when something is wrong.
pub fn exit_code(findings: &[Finding]) -> u8 {
    if findings.iter().any(|f| f.level == Level::Wrong) {
        crate::cli::exit::FAILED
    } else {
        crate::cli::exit::OK
    }
}

/// The nearest folder above that exists.
fn existing_above(path: &Path) -> PathBuf {
    path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests;
