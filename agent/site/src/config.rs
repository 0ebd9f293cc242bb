//! Configuration: one TOML file, checked whole before a thread starts (invariant 10).
//!
//! Raw structs mirror the file; [`Site`] is what is left when every problem is gone.

mod camera;
mod check;
mod problem;
mod raw;
mod read;
mod sensors;
mod shape;
mod tables;
mod values;
mod zones;

use std::path::{Path, PathBuf};

use kerbside_crypto::sign::CentreKey;
use kerbside_domain::frame::CameraIx;
use kerbside_domain::kind::Kind;

pub use problem::{Problem, Problems};

/// A file larger than this is no configuration.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads and checks the file. Errors: every problem it has, each at its line and column.
pub fn load(path: &Path) -> Result<Site, Problems> {
    let unreadable = |e: std::io::Error| Problems::unreadable(path, format!("cannot be read: {e}"));
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MAX_FILE_BYTES {
        let what = format!("has {bytes} bytes; a configuration has at most {MAX_FILE_BYTES}");
        return Err(Problems::unreadable(path, what));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(&text, path)
}

/// Checks a text as if it stood in the file `path`: relative paths begin at that file's folder.
pub fn parse(text: &str, path: &Path) -> Result<Site, Problems> {
    let mut sink = problem::Sink::default();
    let (tree, errors) = toml::de::DeTable::parse_recoverable(text);
    for error in &errors {
        sink.at(error.span().unwrap_or(0..0), format!("not TOML: {}", error.message().trim()));
    }
    if !errors.is_empty() {
        // What could be saved of a broken file would only give false alarms.
        return Err(sink.into_problems(path, text));
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let site = check::site(read::Table::root(tree), base, &mut sink);
    if sink.is_empty() { Ok(site) } else { Err(sink.into_problems(path, text)) }
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Site {
    pub device: Device,
    pub centre: Centre,
    pub patrol: Patrol,
    pub models: Models,
    pub codes: crate::geo::CodeTable,
    pub grid: crate::geo::GridTable,
    pub health: Health,
    pub evidence: Evidence,
    pub gnss: Option<GnssSource>,
    pub sensors: Sensors,
    /// Indexed by [`CameraIx`].
    pub cameras: Vec<Camera>,
}

impl Site {
    pub fn camera(&self, ix: CameraIx) -> Option<&Camera> {
        self.cameras.get(usize::from(ix.0))
    }
}

#[derive(Clone, Debug)]
pub struct Device {
    pub edge_id: String,
    /// GB/T 2260, six digits.
    pub division: String,
    pub utc_offset_s: i32,
    pub data_dir: PathBuf,
    /// lon_deg, lat_deg, WGS-84.
    pub point: Option<(f64, f64)>,
    pub address: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    V5,
    V311,
}

#[derive(Clone, Debug)]
pub struct Centre {
    pub host: String,
    pub port: u16,
    pub protocol: Protocol,
    /// The centre sends receipts; otherwise PUBACK ends a report.
    pub receipts: bool,
    pub keep_alive_s: u16,
    pub username: Option<String>,
    pub password_file: Option<PathBuf>,
    pub tls: Option<Tls>,
    /// Whose commands count; without one every command is refused.
    pub keys: Vec<CentreKey>,
}

#[derive(Clone, Debug)]
pub struct Tls {
    pub ca_file: PathBuf,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct Patrol {
    pub period_s: f64,
    pub min_watched_share: f64,
}

#[derive(Clone, Debug)]
pub struct Models {
    /// Manifest of the network that sees whole looks.
    pub street: Option<PathBuf>,
    /// Manifest of the network that is shown parts of looks.
    pub close_up: Option<PathBuf>,
    /// libonnxruntime; `None`: KERBSIDE_ORT, beside the binary, /usr/lib/kerbside.
    pub runtime: Option<PathBuf>,
    pub workers: usize,
}

#[derive(Clone, Debug)]
pub struct Health {
    pub listen: std::net::SocketAddr,
}

#[derive(Clone, Debug)]
pub struct Evidence {
    pub max_bytes: u64,
    pub max_age_days: u32,
    /// Free bytes of the disk below which no pictures are made (clips: twice that, and old evidence goes); `None`: 256 MiB, of a
    /// small disk a twentieth.
    pub min_free: Option<u64>,
    /// Who certifies the https servers of uploads; `None`: the centre's CA, else the system's.
    pub upload_ca_file: Option<PathBuf>,
    pub pre_s: f64,
    pub post_s: f64,
    pub clip: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GnssSource {
    Serial { path: PathBuf, baud: u32 },
    Tcp(String),
    File(PathBuf),
    Gpsd(String),
}

#[derive(Clone, Debug, Default)]
pub struct Sensors {
    pub broker: Option<(String, u16)>,
    pub sensors: Vec<Sensor>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorKind {
    BinLevel,
    Smoke,
    Noise,
}

#[derive(Clone, Debug)]
pub struct Sensor {
    pub id: String,
    pub kind: SensorKind,
    pub topic: String,
    pub unit: String,
    pub max_age_s: f64,
    pub alarm_above: Option<f64>,
    pub alarm_for_s: f64,
    pub point: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Libav,
    OpenCv,
}

#[derive(Clone, Debug)]
pub struct Camera {
    pub ix: CameraIx,
    pub id: String,
    /// rtsp://, http(s)://, a file path, v4l2:/dev/videoN, gst:PIPELINE
    pub url: String,
    pub backend: Backend,
    pub gb28181_id: Option<String>,
    /// lon_deg, lat_deg, WGS-84.
    pub point: Option<(f64, f64)>,
    pub accuracy_m: f64,
    pub looks_per_s: f64,
    pub look_width: u32,
    pub ring_s: f64,
    pub ring_bytes: usize,
    pub stall_after_s: f64,
    pub restart_after_s: f64,
    /// Picture (0..1, 0..1) to lon_deg, lat_deg; at least six or none.
    pub control_points: Vec<((f64, f64), (f64, f64))>,
    pub zones: Vec<Zone>,
}

#[derive(Clone, Debug)]
pub struct Zone {
    pub id: String,
    /// Shares of the picture.
    pub polygon_norm: Vec<(f32, f32)>,
    /// A shop's own frontage: goods here are `shopfront.overflow`.
    pub frontage: bool,
    pub rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    pub kinds: Vec<Kind>,
    pub dwell_s: f64,
    pub min_area_norm: f32,
    pub min_size_m2: Option<f64>,
    /// Empty: always.
    pub schedule: Vec<Hours>,
    pub permits: Vec<Permit>,
    /// 1..10; 5 is the documented operating point.
    pub sensitivity: u8,
    pub repeat_s: f64,
    pub clear_after_s: f64,
}

/// Weekly hours in the site's own time. `to_min <= from_min` runs over midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Monday first.
    pub days: [bool; 7],
    pub from_min: u16,
    pub to_min: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    pub holder: String,
    pub hours: Hours,
}

#[cfg(test)]
mod tests;
