//! Cameras: from raw tables to checked ones. Their zones are in `zones`.

use std::ops::Range;

use toml::Spanned;

use super::check::{Check, SiteFacts};
use super::problem::nearest;
use super::raw;
use super::read::Table;
use super::site::{Backend, Camera, MainStream, TlsTrust, Transport};
use super::tables::missing_table;
use super::{shape, zones};
use crate::camera_url::{CameraUrl, Scheme};
use crate::geo;
use crate::limits;
use kerbside_domain::frame::CameraIx;

/// Most cameras of a box. A larger number has never been measured.
const MAX_CAMERAS: usize = 64;
/// Largest residual of the control points, m. A larger one would place reports on the other side of the street.
const MAX_RESIDUAL_M: f64 = 3.0;
/// What a usual street camera sends at least, Mbit/s: a ring that holds less is warned of.
const USUAL_MBIT_S: f64 = 2.0;

pub(super) fn all(
    cx: &mut Check<'_>,
    root: &mut Table<'_>,
    facts: &SiteFacts<'_>,
    budget_mb: f64,
) -> Vec<Camera> {
    let tables = root.take_tables("camera", "[[camera]]", cx.sink);
    if tables.is_empty() {
        missing_table(cx, "camera", "no [[camera]]: there is nothing to watch");
    }
    if let Some(table) = tables.get(MAX_CAMERAS) {
        cx.sink.at(table.span.clone(), format!("more than {MAX_CAMERAS} cameras"));
    }
    let mut cameras: Vec<Camera> = Vec::new();
    let mut last_span = 0..0;
    for table in tables {
        last_span = table.span.clone();
        let camera = camera(cx, table, facts, &cameras);
        cameras.push(camera);
    }
    let ring_bytes = |c: &Camera| c.ring_bytes + c.main.as_ref().map_or(0, |main| main.ring_bytes);
    let total_mb = cameras.iter().map(|c| ring_bytes(c) as f64).sum::<f64>() / f64::from(1 << 20);
    if total_mb > budget_mb {
        let what = format!(
            "the rings of all cameras together may take {total_mb:.0} MB, more than {budget_mb:.0} MB"
        );
        cx.sink
            .at(last_span, what)
            .help("lower ring_mb, or raise ring_budget_mb in [device] if the box has the memory");
    }
    cameras
}

fn camera(cx: &mut Check<'_>, mut table: Table<'_>, facts: &SiteFacts<'_>, before: &[Camera]) -> Camera {
    let name = table.named("[[camera]]");
    let span = table.span.clone();
    let zone_tables = table.take_tables("zone", "[[camera.zone]]", cx.sink);
    let points = table.take_tables("control_point", "[[camera.control_point]]", cx.sink);
    for (old, new) in [("looks_per_s", "analysis_fps"), ("look_width", "analysis_width")] {
        table.rename_key(old, new, cx.sink);
    }
    let raw: raw::Camera = table.read(&["zone", "control_point"], cx.sink);
    let here = (name.as_str(), &span);
    let id_at = cx.required("id", &raw.id, here, "\"cam1\"");
    let id = id_at.as_ref().map(|v| cx.id("id", v)).unwrap_or_default();
    if let Some(v) = id_at.filter(|_| before.iter().any(|c| c.id == id)) {
        cx.repeated(v.span(), format!("camera id \"{id}\" is used twice"))
            .help("give each camera its own id");
    }
    let (url, backend) = url_and_backend(cx, &raw, here);
    let main = main_stream(cx, &raw, &url, backend);
    let (transport, tls) = reach(cx, &raw, &url);
    if let Some(v) = raw.gb28181_id.as_ref().filter(|v| !is_gb28181(v.get_ref())) {
        let what = format!("`gb28181_id` \"{}\" is no device id", v.get_ref());
        cx.sink.at(v.span(), what).help("allowed: 20 digits (GB/T 28181)");
    }
    let point = cx.lon_lat("point", &raw.point);
    let points_span = points.first().map(|p| p.span.clone());
    let control_points = control_points(cx, points, &name);
    place(cx, &raw, facts, here, points_span, point);
    if let Some(origin) = point {
        residual(cx, here, origin, &control_points);
    }
    let ring_mb = cx.number("ring_mb", &raw.ring_mb, 1.0..=4096.0, 24.0);
    let mut camera = Camera {
        ix: CameraIx(before.len() as u16),
        id,
        name: cx.text("name", &raw.name, limits::NAME_BYTES),
        url,
        main,
        backend,
        transport,
        tls,
        gb28181_id: raw.gb28181_id.clone().map(Spanned::into_inner),
        point,
        accuracy_m: cx.number("accuracy_m", &raw.accuracy_m, 0.1..=1000.0, 15.0),
        analysis_fps: cx.number("analysis_fps", &raw.analysis_fps, 0.1..=30.0, 5.0),
        analysis_width: cx.whole("analysis_width", &raw.analysis_width, 160..=1920, 640),
        ring_s: cx.number("ring_s", &raw.ring_s, 1.0..=600.0, 20.0),
        ring_bytes: (ring_mb * f64::from(1 << 20)) as usize,
        stall_after_s: cx.number("stall_after_s", &raw.stall_after_s, 1.0..=300.0, 5.0),
        restart_after_s: cx.number("restart_after_s", &raw.restart_after_s, 2.0..=600.0, 10.0),
        control_points,
        zones: Vec::new(),
    };
    consistent(cx, &raw, here, &camera, facts);
    for table in zone_tables {
        let zone = zones::zone(cx, table, facts, &camera);
        camera.zones.push(zone);
    }
    camera
}

/// Settings of one camera that contradict each other.
fn consistent(
    cx: &mut Check<'_>,
    raw: &raw::Camera,
    here: (&str, &Range<usize>),
    camera: &Camera,
    facts: &SiteFacts<'_>,
) {
    let span = |at: &raw::At<f64>| at.as_ref().map_or(here.1.clone(), |v| v.span());
    let (pre, post) = (facts.evidence.pre_s, facts.evidence.post_s);
    if facts.evidence.clip && camera.ring_s < pre + post {
        let what =
            format!("`ring_s` {} is shorter than the clip: pre_s {pre} + post_s {post}", camera.ring_s);
        cx.sink.at(span(&raw.ring_s), what).help("raise ring_s, or lower [evidence] pre_s and post_s");
    }
    let holds_mbit_s = camera.ring_bytes as f64 * 8.0 / 1e6 / camera.ring_s;
    if holds_mbit_s < USUAL_MBIT_S {
        let at = if raw.ring_mb.is_some() { &raw.ring_mb } else { &raw.ring_s };
        let what = format!(
            "a ring of {:.0} MB holds {:.0} s only of a stream below {holds_mbit_s:.1} Mbit/s; of a larger one, or one whose key \
             frames are far apart, evidence lacks packets: raise ring_mb, or lower ring_s",
            camera.ring_bytes as f64 / f64::from(1 << 20),
            camera.ring_s
        );
        cx.sink.warn(span(at), what);
    }
    if camera.restart_after_s <= camera.stall_after_s {
        let (restart, stall) = (camera.restart_after_s, camera.stall_after_s);
        let what = format!("`restart_after_s` {restart} is not longer than `stall_after_s` {stall}");
        let at = if raw.restart_after_s.is_some() { &raw.restart_after_s } else { &raw.stall_after_s };
        cx.sink.at(span(at), what).help("a stall is reported first, the source replaced later");
    }
    if camera.analysis_width % 2 == 1 {
        let what = format!("`analysis_width` {} is odd", camera.analysis_width);
        cx.sink.at(span(&raw.analysis_width), what).help(format!("write {}", camera.analysis_width + 1));
    }
}

/// Every report needs a place: the camera's point, or that of the box.
fn place(
    cx: &mut Check<'_>,
    raw: &raw::Camera,
    facts: &SiteFacts<'_>,
    here: (&str, &Range<usize>),
    points: Option<Range<usize>>,
    point: Option<(f64, f64)>,
) {
    if raw.point.is_some() || point.is_some() {
        return;
    }
    if let Some(span) = points {
        let what = format!("control points in {}, but no `point`", here.0);
        cx.sink.at(span, what).help("give the place of the camera itself: point = [longitude, latitude]");
    } else if !facts.box_has_place {
        let what = format!("{} has no place: reports could not say where", here.0);
        cx.sink.at(here.1.clone(), what).help("give point here or in [device], or a [gnss]");
    }
}

/// Reports control points that disagree, before a report relies on them.
fn residual(
    cx: &mut Check<'_>,
    here: (&str, &Range<usize>),
    origin: (f64, f64),
    points: &[geo::ControlPoint],
) {
    if points.len() < 6 {
        return;
    }
    match geo::Homography::fit(origin, points) {
        Err(e) => {
            cx.sink.at(here.1.clone(), format!("the control points of {}: {e}", here.0));
        }
        Ok(fit) if fit.residual_m() > MAX_RESIDUAL_M => {
            let what = format!("the control points of {} disagree by {:.1} m", here.0, fit.residual_m());
            let (worst, off_m) = fit.worst();
            cx.sink
                .at(here.1.clone(), what)
                .help(format!("point {} is the worst, {off_m:.1} m off: measure it again", worst + 1))
                .help(format!("allowed: {MAX_RESIDUAL_M} m (root mean square)"));
        }
        Ok(_) => {}
    }
}

const BACKENDS: [(&str, Backend); 3] =
    [("auto", Backend::Auto), ("libav", Backend::Libav), ("opencv", Backend::OpenCv)];
const SCHEMES: [&str; 5] = ["rtsp", "rtsps", "http", "https", "file"];

fn url_and_backend(cx: &mut Check<'_>, raw: &raw::Camera, here: (&str, &Range<usize>)) -> (String, Backend) {
    let chosen = raw.backend.as_ref().and_then(|v| cx.word("backend", v, &BACKENDS));
    let example = "\"rtsp://192.168.1.64:554/stream2\"";
    let Some(v) = cx.required("url", &raw.url, here, example) else { return (String::new(), Backend::Auto) };
    let text = v.get_ref().trim();
    let natural = if text.starts_with("gst:") { Backend::OpenCv } else { Backend::Auto };
    if natural == Backend::OpenCv && chosen.is_some_and(|chosen| chosen != Backend::OpenCv) {
        let span = raw.backend.as_ref().map_or(v.span(), |b| b.span());
        let what = "only the `backend` opencv opens a GStreamer pipeline";
        cx.sink.at(span, what).help("remove backend, or write \"opencv\"");
    }
    (camera_url(cx, &v, text), chosen.unwrap_or(natural))
}

/// The stream of full resolution. It is kept as packets, so it must give packets; and it is the same camera, so its certificate and
/// its way are those of `url`.
fn main_stream(cx: &mut Check<'_>, raw: &raw::Camera, url: &str, backend: Backend) -> Option<MainStream> {
    let ring_mb = cx.number("main_ring_mb", &raw.main_ring_mb, 1.0..=4096.0, 24.0);
    let Some(v) = raw.main_url.as_ref() else {
        if let Some(v) = &raw.main_ring_mb {
            cx.sink.at(v.span(), "`main_ring_mb` without `main_url`").help("remove it, or give main_url");
        }
        return None;
    };
    let text = v.get_ref().trim();
    let main = camera_url(cx, v, text);
    let scheme = |url: &str| CameraUrl::parse(url).ok().and_then(|url| url.network().map(|n| n.scheme));
    let gives_no_packets = |url: &str| url.starts_with("gst:") || url.starts_with("v4l2:");
    if backend == Backend::OpenCv || gives_no_packets(&main) || gives_no_packets(url) {
        let what =
            "`main_url` is for cameras whose packets are kept: no pipelines, no devices, no backend opencv";
        cx.sink.at(v.span(), what).help("remove main_url: evidence is made of url");
    } else if main == url {
        let what = "`main_url` is the same stream as `url`";
        cx.sink.at(v.span(), what).help("give the stream of full resolution, or remove main_url");
    } else if scheme(&main).map(|s| (s.is_rtsp(), s.is_tls()))
        != scheme(url).map(|s| (s.is_rtsp(), s.is_tls()))
    {
        let what = "`main_url` and `url` are reached in different ways";
        cx.sink.at(v.span(), what).help("both are streams of one camera: write the same scheme");
    }
    Some(MainStream { url: main, ring_bytes: (ring_mb * f64::from(1 << 20)) as usize })
}

/// The address as the box uses it: paths begin at the file's folder.
fn camera_url(cx: &mut Check<'_>, v: &Spanned<String>, text: &str) -> String {
    match CameraUrl::parse(text) {
        Ok(CameraUrl::File(path)) => cx.path(&path.to_string_lossy()).to_string_lossy().into_owned(),
        Ok(_) => text.to_owned(),
        Err(fault) => {
            let problem = cx.sink.at(part(v, text, fault.at), fault.what);
            let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
            if let Some(near) = nearest(scheme, SCHEMES).filter(|near| *near != scheme) {
                problem.help(format!("did you mean `{near}://`?"));
            }
            problem.help(fault.help);
            text.to_owned()
        }
    }
}

/// From the `at`-th byte of `text` in a value to its end; the whole value where the file writes it in another way.
fn part(v: &Spanned<String>, text: &str, at: usize) -> Range<usize> {
    let (span, whole) = (v.span(), v.get_ref());
    let start = whole.find(text).filter(|_| span.len() == whole.len() + 2);
    start.map_or(span.clone(), |start| (span.start + 1 + start + at)..(span.end - 1))
}

const TRANSPORTS: [(&str, Transport); 3] =
    [("auto", Transport::Auto), ("tcp", Transport::Tcp), ("udp", Transport::Udp)];

/// How the camera's packets come, and whom its certificate must convince.
fn reach(cx: &mut Check<'_>, raw: &raw::Camera, url: &str) -> (Transport, TlsTrust) {
    let scheme = CameraUrl::parse(url).ok().and_then(|url| url.network().map(|n| n.scheme));
    let transport = raw.transport.as_ref().and_then(|v| cx.word("transport", v, &TRANSPORTS));
    if let Some(v) = raw.transport.as_ref().filter(|_| scheme.is_none_or(|s| !s.is_rtsp())) {
        cx.sink.at(v.span(), "`transport` is for cameras of rtsp:// alone").help("remove it");
    }
    let is_outside = transport == Some(Transport::Udp) && scheme == Some(Scheme::Rtsps);
    if let Some(v) = raw.transport.as_ref().filter(|_| is_outside) {
        let what = "`transport` \"udp\" would send the pictures of an rtsps:// camera outside TLS";
        cx.sink.at(v.span(), what).help("remove it, or write rtsp://");
    }
    (transport.unwrap_or_default(), trust(cx, raw, scheme.is_some_and(Scheme::is_tls)))
}

fn trust(cx: &mut Check<'_>, raw: &raw::Camera, is_tls: bool) -> TlsTrust {
    let spans = [
        raw.tls_ca_file.as_ref().map(Spanned::span),
        raw.tls_fingerprint.as_ref().map(Spanned::span),
        raw.tls_verify.as_ref().filter(|v| !*v.get_ref()).map(Spanned::span),
    ];
    let mut given = spans.into_iter().flatten();
    if let Some(span) = given.next().filter(|_| !is_tls) {
        cx.sink.at(span, "only rtsps:// and https:// cameras have a certificate").help("remove this key");
    }
    if let Some(span) = given.next() {
        let what = "`tls_ca_file`, `tls_fingerprint` and `tls_verify = false` exclude each other";
        cx.sink.at(span, what).help("keep one of them");
    }
    if let Some(v) = &raw.tls_fingerprint {
        let hex: String = v.get_ref().chars().filter(|c| *c != ':').collect::<String>().to_lowercase();
        if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            cx.sink
                .at(v.span(), "`tls_fingerprint` is no SHA-256 of a certificate")
                .help("allowed: 64 hexadecimal digits, as kerbside doctor shows them");
        }
        return TlsTrust::Fingerprint(hex);
    }
    if let Some(v) = &raw.tls_ca_file {
        return cx.existing("tls_ca_file", v).map_or(TlsTrust::System, TlsTrust::CaFile);
    }
    match raw.tls_verify.as_ref().filter(|v| !*v.get_ref()) {
        Some(v) => {
            let what = "`tls_verify = false`: whoever stands between can read the password and show other pictures; \
                        tls_fingerprint names the one certificate to trust";
            cx.sink.warn(v.span(), what);
            TlsTrust::Nobody
        }
        None => TlsTrust::System,
    }
}

fn is_gb28181(text: &str) -> bool {
    text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit())
}

fn control_points(cx: &mut Check<'_>, tables: Vec<Table<'_>>, camera: &str) -> Vec<((f64, f64), (f64, f64))> {
    let Some(first) = tables.first().map(|t| t.span.clone()) else { return Vec::new() };
    let given = tables.len();
    let mut points = Vec::new();
    for table in tables {
        let span = table.span.clone();
        let raw: raw::ControlPoint = table.read(&[], cx.sink);
        let here = ("[[camera.control_point]]", &span);
        let pixel = cx.required("pixel_norm", &raw.pixel_norm, here, "[0.5, 0.7]");
        let ground_at = cx.required("lon_lat", &raw.lon_lat, here, "[121.37611, 31.11246]");
        let ground = cx.lon_lat("lon_lat", &ground_at);
        let inside = |v: &[f64; 2]| v.iter().all(|c| (0.0..=1.0).contains(c));
        if let Some(v) = pixel.as_ref().filter(|v| !inside(v.get_ref())) {
            let [x, y] = v.get_ref();
            let what = format!("`pixel_norm` [{x}, {y}] lies outside the picture");
            cx.sink.at(v.span(), what).help("allowed: shares of width and height, 0 to 1");
        } else if let (Some(pixel), Some(ground)) = (pixel, ground) {
            let [x, y] = pixel.into_inner();
            points.push(((x, y), ground));
        }
    }
    if given < 6 {
        let what = format!("{given} control points in {camera}: a homography needs at least 6");
        cx.sink.at(first, what).help("measure more points on the ground, or remove them all");
        return Vec::new();
    }
    let pixels: Vec<_> = points.iter().map(|p| p.0).collect();
    let grounds: Vec<_> = points.iter().map(|p| p.1).collect();
    if points.len() == given {
        for (where_, list) in [("in the picture", pixels), ("on the ground", grounds)] {
            if shape::collinear(&list) {
                let what = format!("the control points of {camera} lie on one line {where_}");
                cx.sink.at(first, what).help("spread them over the width and the depth of the scene");
                return Vec::new();
            }
        }
    }
    points
}
