//! The checked configuration: plain data for every stage.

use std::net::SocketAddr;
use std::path::PathBuf;

use kerbside_crypto::sign::CentreKey;
use kerbside_domain::frame::CameraIx;
use kerbside_domain::kind::Kind;

use super::instruments::{Gnss, Output, Sensors};
use super::with::With;
use crate::geo::{CodeTable, GridTable, Homography};

/// A checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// The box itself.
    pub device: Device,
    /// The linkage centre, and the way there.
    pub centre: Centre,
    /// The regular account of what the cameras saw.
    pub patrol: Patrol,
    /// The detection models.
    pub models: Models,
    /// Codes of the centre for kinds of incidents.
    pub codes: CodeTable,
    /// Unit grids of the city.
    pub grid: GridTable,
    /// The pages for metrics and health.
    pub health: Health,
    /// Pictures and clips.
    pub evidence: Evidence,
    /// The GNSS receiver, if there is one.
    pub gnss: Option<Gnss>,
    /// Sensors of the street, and their broker.
    pub sensors: Sensors,
    /// What speaks or shines at the place when a rule warns.
    pub outputs: Vec<Output>,
    /// Indexed by [`CameraIx`].
    pub cameras: Vec<Camera>,
    /// What is accepted but should be changed, a line each: old names of keys.
    pub warnings: Vec<String>,
}

impl Site {
    /// The camera at this index.
    pub fn camera(&self, ix: CameraIx) -> Option<&Camera> {
        self.cameras.get(usize::from(ix.0))
    }

    /// Where the certificates lie that vouch for the box's signature in pictures and clips, if there are any.
    pub fn chain_file(&self) -> PathBuf {
        self.evidence.chain_file.clone().unwrap_or_else(|| self.device.data_dir.join("box-chain.pem"))
    }
}

/// `[device]`: the box itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its id at the centre, `[a-z0-9-]{1,32}`; with TLS the CN of its certificate.
    pub edge_id: String,
    /// GB/T 2260, six digits.
    pub division: String,
    /// Seconds east of UTC; schedules and texts use this time.
    pub utc_offset_s: i32,
    /// Where journal, index and evidence lie.
    pub data_dir: PathBuf,
    /// lon_deg, lat_deg, WGS-84.
    pub point: Option<(f64, f64)>,
    /// For people, e.g. the number of the lamp post.
    pub address: Option<String>,
    /// What to do where the children that decode cannot be confined in full.
    pub confine: Confine,
}

/// How much confinement of the decoding children a site demands. It is tried always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confine {
    /// As far as the kernel goes; log, metrics and `doctor` say how far that is.
    #[default]
    BestEffort,
    /// A child that is not confined gets nothing to decode.
    Required,
}

/// MQTT version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT 5.
    V5,
    /// MQTT 3.1.1.
    V311,
}

/// `[centre]`: the linkage centre's broker.
#[derive(Clone, Debug, PartialEq)]
pub struct Centre {
    /// Name or address of the broker.
    pub host: String,
    /// TCP port of the broker.
    pub port: u16,
    /// MQTT version.
    pub protocol: Protocol,
    /// The centre sends receipts; otherwise PUBACK ends a report.
    pub receipts: bool,
    /// MQTT keep-alive, s.
    pub keep_alive_s: u16,
    /// MQTT user, if the broker asks for one.
    pub username: Option<String>,
    /// File with the user's password.
    pub password_file: Option<PathBuf>,
    /// With mqtts://.
    pub tls: Option<Tls>,
    /// Keys whose commands count; without one every command is refused.
    pub keys: Vec<CentreKey>,
    /// A receipt counts only with a signature.
    pub signed_receipts: bool,
    /// A case state counts only with a signature.
    pub signed_cases: bool,
    /// With ws:// and wss://: the path, which begins with a slash.
    pub websocket: Option<String>,
    /// The HTTP proxy that leads to the broker, and to the servers of uploads.
    pub proxy: Option<Proxy>,
    /// States and the last will are retained at the broker.
    pub retain: bool,
}

impl Centre {
    /// A broker at this address, and everything else as it is if the site file does not say.
    pub fn at(host: impl Into<String>, port: u16) -> Self {
        Centre {
            host: host.into(),
            port,
            protocol: Protocol::V5,
            receipts: true,
            keep_alive_s: 30,
            username: None,
            password_file: None,
            tls: None,
            keys: Vec::new(),
            signed_receipts: false,
            signed_cases: false,
            websocket: None,
            proxy: None,
            retain: true,
        }
    }
}

/// An HTTP proxy that lets TCP through (CONNECT).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Name or address of the proxy.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// If it asks for them.
    pub login: Option<ProxyLogin>,
}

/// User and password of a proxy. The password stands in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for ProxyLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyLogin").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Certificates of a TLS connection. PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Who may certify the server.
    pub ca_file: PathBuf,
    /// The box's own certificate chain.
    pub cert_file: Option<PathBuf>,
    /// The private key of that certificate.
    pub key_file: Option<PathBuf>,
}

/// `[patrol]`: the regular account of what the cameras saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Patrol {
    /// Between two accounts, s.
    pub period_s: f64,
    /// Share of the period that a camera must have been watching for "nothing there" to be said.
    pub min_watched_share: f64,
}

/// `[models]`: manifests of the detection models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Models {
    /// Manifest of the model that sees whole frames.
    pub street: Option<PathBuf>,
    /// Manifest of the model that is shown parts of frames.
    pub close_up: Option<PathBuf>,
    /// Manifest of the model that is asked what such a part shows as a whole.
    pub witness: Option<PathBuf>,
    /// libonnxruntime; `None`: KERBSIDE_ORT, beside the binary, /usr/lib/kerbside.
    pub runtime: Option<PathBuf>,
    /// Detectors that run at the same time, one a thread.
    pub workers: usize,
}

/// `[health]`: pages for metrics and health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Loopback only.
    pub listen: SocketAddr,
}

/// `[evidence]`: pictures and clips.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Most bytes of all evidence; beyond, the oldest is deleted.
    pub max_bytes: u64,
    /// Older evidence is deleted.
    pub max_age_days: u32,
    /// Free bytes of the disk below which no pictures are made (clips: twice that, and old evidence is deleted); `None`:
    /// 256 MiB, of a small disk a twentieth.
    pub min_free: Option<u64>,
    /// Who certifies the https servers of uploads; `None`: the centre's CA, else the system's.
    pub upload_ca_file: Option<PathBuf>,
    /// A grant may lead to the box itself and to its own wire (loopback, link-local): for a store on the box, and for tests.
    pub local_uploads: bool,
    /// Certificates that vouch for the box's signature in pictures and clips; `None`: `box-chain.pem` in `data_dir`.
    pub chain_file: Option<PathBuf>,
    /// What a clip shows before the incident, s.
    pub pre_s: f64,
    /// What a clip shows after the report, s.
    pub post_s: f64,
    /// Clips are made, not only pictures.
    pub clip: bool,
    /// What the box sends without being asked.
    pub push: Push,
    /// What is masked before it leaves the box.
    pub mask: Mask,
}

/// What evidence the box sends without a grant. In the site file `none` or `sheet`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Push {
    /// Nothing: the centre grants what it wants.
    #[default]
    None,
    /// The sheet of each incident.
    Sheet,
}

/// Of what heads and number plates are masked. In the site file `none`, `sheet` or `all`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mask {
    /// Of nothing.
    None,
    /// Of sheets.
    #[default]
    Sheet,
    /// Of sheets, and of a copy of each picture; originals leave only by a grant that says `unmasked`.
    All,
}

/// The library that opens a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// What fits the address: `retina` for RTSP, FFmpeg for the rest.
    Auto,
    /// FFmpeg, for RTSP too.
    Libav,
    /// OpenCV `VideoCapture`, for GStreamer pipelines.
    OpenCv,
}

/// How the packets of an RTSP camera come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Inside the RTSP connection; over UDP where the camera refuses that.
    #[default]
    Auto,
    /// Inside the RTSP connection.
    Tcp,
    /// Over UDP.
    Udp,
}

/// Whom the certificate of an rtsps:// or https:// camera must convince.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TlsTrust {
    /// An authority that the system trusts, for the camera's name.
    #[default]
    System,
    /// An authority of this PEM file, for the camera's name.
    CaFile(PathBuf),
    /// It must be this very certificate: SHA-256 of its DER, 64 hexadecimal digits.
    Fingerprint(String),
    /// Nobody: the named exception.
    Nobody,
}

/// `[[camera]]`: one camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// Its place in [`Site::cameras`].
    pub ix: CameraIx,
    /// Unique on this box.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// rtsp://, http(s)://, a file path, v4l2:/dev/videoN, gst:PIPELINE
    pub url: String,
    /// The same camera's stream of full resolution, of which evidence is made while `url` is analysed.
    pub main: Option<MainStream>,
    /// The library that opens it.
    pub backend: Backend,
    /// How its packets come.
    pub transport: Transport,
    /// Whom its certificate must convince.
    pub tls: TlsTrust,
    /// The camera's id on the city's video platform, 20 digits.
    pub gb28181_id: Option<String>,
    /// lon_deg, lat_deg, WGS-84.
    pub point: Option<(f64, f64)>,
    /// How far from `point` the things lie that the camera shows, m.
    pub accuracy_m: f64,
    /// Frames analysed a second while something moves.
    pub analysis_fps: f64,
    /// Width of an analysed frame, px.
    pub analysis_width: u32,
    /// Length of the packet ring, s.
    pub ring_s: f64,
    /// Size of the packet ring.
    pub ring_bytes: usize,
    /// Without a packet for this long the camera counts as silent, s.
    pub stall_after_s: f64,
    /// Without a packet for this long its capture process is replaced, s.
    pub restart_after_s: f64,
    /// Picture (0..1, 0..1) to lon_deg, lat_deg; at least six or none.
    pub control_points: Vec<((f64, f64), (f64, f64))>,
    /// Parts of the picture with rules.
    pub zones: Vec<Zone>,
}

impl Camera {
    /// The ground as it sees it; `None` without control points. A fit that is not good enough was refused with the file.
    pub fn ground(&self) -> Option<Homography> {
        Homography::fit(self.point?, &self.control_points).ok()
    }
}

/// The stream of full resolution of a camera whose smaller stream is analysed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainStream {
    /// rtsp(s)://, http(s):// or a file path.
    pub url: String,
    /// Size of its packet ring.
    pub ring_bytes: usize,
}

/// `[[camera.zone]]`: a part of the picture with rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// Unique in its camera.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// Shares of the picture.
    pub polygon_norm: Vec<(f32, f32)>,
    /// A shop's own frontage: goods here are `shopfront.overflow`.
    pub frontage: bool,
    /// What is reported here, and when.
    pub rules: Vec<Rule>,
}

/// `[[camera.zone.rule]]`: when a thing in the zone becomes an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique in its zone.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// Kinds of incidents that the rule reports.
    pub kinds: Vec<Kind>,
    /// How long a thing must stay, s.
    pub dwell_s: f64,
    /// Smallest thing, as a share of the picture's area.
    pub min_area_norm: f32,
    /// Smallest thing on the ground; needs control points.
    pub min_size_m2: Option<f64>,
    /// When the rule applies; empty: always.
    pub schedule: Vec<Hours>,
    /// Who may be here, and when.
    pub permits: Vec<Permit>,
    /// 1..10; 5 is the documented operating point.
    pub sensitivity: u8,
    /// The same thing within this time is a revision, not a new incident, s.
    pub repeat_s: f64,
    /// A thing that has not been seen for this long is cleared, s.
    pub clear_after_s: f64,
    /// What a sensor has to say in it.
    pub with: Option<With>,
    /// The box warns at the place before it opens a case.
    pub warn: Option<WarnFirst>,
}

/// `[camera.zone.rule.warn]`: serve first, then manage. What goes away after the warning is filed as settled.
#[derive(Clone, Debug, PartialEq)]
pub struct WarnFirst {
    /// How long a thing stays until the box warns, s.
    pub after_s: f64,
    /// How long it waits after the warning until it opens a case, s.
    pub wait_s: f64,
    /// Ids of the outputs, at least one.
    pub by: Vec<String>,
    /// When nothing is said; the rule then opens by its dwell, without a warning.
    pub quiet: Vec<Hours>,
}

/// Weekly hours in the site's own time. `to_min <= from_min` runs over midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Monday first.
    pub days: [bool; 7],
    /// Minutes after midnight.
    pub from_min: u16,
    /// Minutes after midnight, at most 24 * 60.
    pub to_min: u16,
}

/// A permit: at these hours the holder is no incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// For people; not compared with anything.
    pub holder: String,
    /// When it applies.
    pub hours: Hours,
    /// Where vendors are welcome instead, for people: reports of this rule say so.
    pub welcome_at: Option<String>,
}
