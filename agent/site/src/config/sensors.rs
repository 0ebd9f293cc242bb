//! The tables of GNSS and sensors.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::check::{Check, optional};
use super::instruments::{Gnss, GnssSource, Sensor, SensorKind, SensorView, Sensors};
use super::problem::suggestions;
use super::raw;
use super::read::Table;
use super::sensor_source::{self, Around, SourceTables};
use super::site::{Camera, Device};
use super::tables::mqtt_address;
use super::values;
use crate::geo::CodeTable;
use crate::host::authority;
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;

/// The receiver, and where the file says that the box moves.
pub(super) fn gnss(cx: &mut Check<'_>, root: &mut Table<'_>) -> Option<(Gnss, Option<Range<usize>>)> {
    let table = root.take_table("gnss", "[gnss]", cx.sink)?;
    let span = table.span.clone();
    let raw: raw::Gnss = table.read(&[], cx.sink);
    let v = cx.required("source", &raw.source, ("[gnss]", &span), "\"gpsd://127.0.0.1:2947\"")?;
    match gnss_source(cx.base, v.get_ref()) {
        Ok(source) => {
            let mobile = raw.mobile.filter(|v| *v.get_ref()).map(|v| v.span());
            Some((Gnss { source, mobile: mobile.is_some() }, mobile))
        }
        Err(why) => {
            let allowed =
                "allowed: serial:/dev/ttyS1?baud=9600, tcp://host:port, file:path or gpsd://host:port";
            cx.sink.at(v.span(), why).help(allowed);
            None
        }
    }
}

fn gnss_source(base: &Path, text: &str) -> Result<GnssSource, String> {
    if let Some(rest) = text.strip_prefix("serial:") {
        let (path, baud) = match rest.split_once('?') {
            Some((path, option)) => (path, option.strip_prefix("baud=").and_then(|b| b.parse().ok())),
            None => (rest, Some(9600)),
        };
        let baud: u32 =
            baud.filter(|b| (1200..=921_600).contains(b)).ok_or("the baud rate must be 1200 to 921600")?;
        if !path.starts_with('/') {
            return Err(format!("`{path}` is no device: it must be an absolute path"));
        }
        Ok(GnssSource::Serial { path: path.into(), baud })
    } else if let Some(rest) = text.strip_prefix("tcp://") {
        let (host, port) = values::host_port(rest, 10_110)?;
        Ok(GnssSource::Tcp(authority(&host, port)))
    } else if let Some(rest) = text.strip_prefix("gpsd://") {
        let (host, port) = values::host_port(rest, 2947)?;
        Ok(GnssSource::Gpsd(authority(&host, port)))
    } else if let Some(rest) = text.strip_prefix("file:") {
        Ok(GnssSource::File(base.join(rest)))
    } else {
        Err(format!("`source` \"{text}\" is no source of positions"))
    }
}

const MAX_SENSORS: usize = 256;

/// Sensors whose camera is named, with the place of the name: cameras are read after sensors.
pub(super) type Views = Vec<(usize, Spanned<String>, raw::At<[f64; 4]>)>;

pub(super) fn all(cx: &mut Check<'_>, root: &mut Table<'_>, codes: &CodeTable) -> (Sensors, Views) {
    let raw: raw::Sensors = optional(cx, root, "sensors", "[sensors]");
    let address = raw.broker.as_ref().and_then(|v| mqtt_address(cx, v).map(|a| (v.span(), a)));
    if let Some((span, _)) = address.as_ref().filter(|(_, a)| a.secure) {
        let what = "`broker` is the box's own: mqtts:// is not spoken to it";
        cx.sink.at(span.clone(), what).help("write mqtt://127.0.0.1:1884");
    }
    let broker = address.map(|(_, a)| (a.host, a.port));
    let tables = root.take_tables("sensor", "[[sensor]]", cx.sink);
    if let Some(table) = tables.get(MAX_SENSORS) {
        cx.sink.at(table.span.clone(), format!("more than {MAX_SENSORS} sensors"));
    }
    let on_topic = tables.iter().find(|t| t.has("topic"));
    if let Some(first) = on_topic.filter(|_| raw.broker.is_none()) {
        let what = "a [[sensor]] without [sensors] broker: nothing could bring its readings";
        cx.sink.at(first.span.clone(), what).help("add [sensors] with broker = \"mqtt://127.0.0.1:1884\"");
    }
    let mut sensors: Vec<Sensor> = Vec::new();
    let mut views = Vec::new();
    for table in tables {
        let (sensor, camera, bbox) = sensor(cx, table, codes, &sensors);
        views.extend(camera.map(|camera| (sensors.len(), camera, bbox)));
        sensors.push(sensor);
    }
    (Sensors { broker, sensors }, views)
}

/// The cameras that see sensors, now that all are known.
pub(super) fn see(cx: &mut Check<'_>, sensors: &mut Sensors, views: Views, cameras: &[Camera]) {
    for (index, name, bbox) in views {
        let ids = || cameras.iter().map(|c| c.id.as_str());
        let Some(camera) = cameras.iter().find(|c| c.id == *name.get_ref()) else {
            let advice = suggestions(name.get_ref(), "cameras here", ids());
            cx.sink.at(name.span(), format!("no camera is called `{}`", name.get_ref())).advise(advice);
            continue;
        };
        let bbox = bbox.and_then(|v| {
            let [x, y, w, h] = *v.get_ref();
            let inside = |from: f64, size: f64| from >= 0.0 && size > 0.0 && from + size <= 1.0 + 1e-9;
            if !(inside(x, w) && inside(y, h)) {
                let what = format!("`bbox_norm` [{x}, {y}, {w}, {h}] does not lie in the picture");
                cx.sink
                    .at(v.span(), what)
                    .help("allowed: [left, top, width, height] in shares of the picture, 0 to 1");
                return None;
            }
            Some(BBox { x: x as f32, y: y as f32, w: w as f32, h: h as f32 })
        });
        if let Some(sensor) = sensors.sensors.get_mut(index) {
            sensor.view = Some(SensorView { camera: camera.ix, bbox });
        }
    }
}

fn sensor(
    cx: &mut Check<'_>,
    mut table: Table<'_>,
    codes: &CodeTable,
    before: &[Sensor],
) -> (Sensor, raw::At<String>, raw::At<[f64; 4]>) {
    let name = table.named("[[sensor]]");
    let span = table.span.clone();
    let modbus = table.take_table("modbus", "modbus = { unit_id = 1, ... }", cx.sink);
    let gpio = table.take_table("gpio", "gpio = { active_low = true, ... }", cx.sink);
    let raw: raw::Sensor = table.read(&["modbus", "gpio"], cx.sink);
    let here = (name.as_str(), &span);
    let id_at = cx.required("id", &raw.id, here, "\"bin-1\"");
    let id = id_at.as_ref().map(|v| cx.id("id", v)).unwrap_or_default();
    if let Some(v) = id_at.filter(|_| before.iter().any(|s| s.id == id)) {
        cx.repeated(v.span(), format!("sensor id \"{id}\" is used twice"))
            .help("give each sensor its own id");
    }
    let kind_at = cx.required("kind", &raw.kind, here, "\"bin_level\"");
    let kinds = SensorKind::ALL.map(|k| (k.as_str(), k));
    let known_kind = kind_at.and_then(|v| cx.word("kind", &v, &kinds));
    let kind = known_kind.unwrap_or(SensorKind::BinLevel);
    let unit = unit(cx, &raw, known_kind, here);
    let usual = Sensor::on_topic(&id, kind, &unit, "");
    let max_age_s = age(cx, "max_age_s", &raw.max_age_s, usual.max_age_s, 604_800.0);
    let stuck_after_s = age(cx, "stuck_after_s", &raw.stuck_after_s, usual.stuck_after_s, 2_592_000.0);
    let around = Around { here, kind, max_age_s, before };
    let source = sensor_source::source(cx, &raw, SourceTables { modbus, gpio }, &around);
    if let Some(v) = raw.bbox_norm.as_ref().filter(|_| raw.camera.is_none()) {
        cx.sink.at(v.span(), "`bbox_norm` without `camera`: in whose picture?").help("add camera = \"cam1\"");
    }
    let (alarm_above, clear_below) = limits(cx, &raw, kind);
    let sensor = Sensor {
        source,
        max_age_s,
        stuck_after_s,
        alarm_above,
        clear_below,
        alarm_for_s: cx.number("alarm_for_s", &raw.alarm_for_s, 0.0..=86_400.0, usual.alarm_for_s),
        matter: matter(cx, &raw, kind, codes, alarm_above.is_some() || kind == SensorKind::CallButton),
        repeat_s: cx.number("repeat_s", &raw.repeat_s, 0.0..=604_800.0, usual.repeat_s),
        point: cx.lon_lat("point", &raw.point),
        ..usual
    };
    (sensor, raw.camera, raw.bbox_norm)
}

fn unit(
    cx: &mut Check<'_>,
    raw: &raw::Sensor,
    kind: Option<SensorKind>,
    here: (&str, &Range<usize>),
) -> String {
    match kind.filter(|kind| kind.is_state()) {
        Some(kind) => {
            if let Some(v) = raw.unit.as_ref().filter(|v| v.get_ref() != "1") {
                let what = format!("`unit` \"{}\": {} is 0 or 1 and has no unit", v.get_ref(), kind.as_str());
                cx.sink.at(v.span(), what).help("remove it");
            }
            "1".to_owned()
        }
        None => {
            let unit = cx.required("unit", &raw.unit, here, "\"%\"");
            if let Some(v) =
                unit.as_ref().filter(|v| v.get_ref().is_empty() || v.get_ref().chars().count() > 16)
            {
                cx.sink
                    .at(v.span(), "`unit` has no text, or more than 16 characters")
                    .help("for example: unit = \"%\"");
            }
            unit.map(Spanned::into_inner).unwrap_or_default()
        }
    }
}

/// A number of seconds; 0 is: never.
fn age(cx: &mut Check<'_>, key: &str, value: &raw::At<f64>, usual: f64, most: f64) -> f64 {
    let Some(v) = value else { return usual };
    let s = *v.get_ref();
    if s == 0.0 {
        return f64::INFINITY;
    }
    if (1.0..=most).contains(&s) {
        return s;
    }
    let usual_text = if usual.is_finite() { usual.to_string() } else { "0".to_owned() };
    let what = format!("`{key}` is {s}, out of range");
    cx.sink.at(v.span(), what).help(format!("allowed: 1 to {most}, or 0 for never (default {usual_text})"));
    usual
}

/// The limit of the alarm, and where it ends.
fn limits(cx: &mut Check<'_>, raw: &raw::Sensor, kind: SensorKind) -> (Option<f64>, Option<f64>) {
    let wide = -1e6..=1e6;
    if let Some(v) = raw.alarm_above.as_ref().filter(|_| kind == SensorKind::CallButton) {
        let what = "`alarm_above` means nothing for a call_button: every press is a call";
        cx.sink.at(v.span(), what).help("remove it");
    }
    let above =
        raw.alarm_above.is_some().then(|| cx.number("alarm_above", &raw.alarm_above, wide.clone(), 0.0));
    let below = raw.clear_below.is_some().then(|| cx.number("clear_below", &raw.clear_below, wide, 0.0));
    if let Some(v) = &raw.clear_below {
        match (above, below) {
            (None, _) => {
                cx.sink
                    .at(v.span(), "`clear_below` without `alarm_above`")
                    .help("add alarm_above, or remove it");
            }
            (Some(above), Some(below)) if below > above => {
                let what = format!("`clear_below` is {below}, more than alarm_above, which is {above}");
                cx.sink.at(v.span(), what).help("the alarm ends at or below its own limit: lower it");
            }
            _ => {}
        }
    }
    (above, below)
}

/// What an alarm is reported as. One without a code goes out uncoded, and that is warned of where it can happen.
fn matter(cx: &mut Check<'_>, raw: &raw::Sensor, kind: SensorKind, codes: &CodeTable, reports: bool) -> Kind {
    let usual = kind.matter();
    let Some(v) = &raw.matter else {
        if let Some(v) = raw.kind.as_ref().filter(|_| reports && !codes.knows(usual)) {
            let scheme = codes.scheme();
            let what =
                format!("its alarms are reported as {}, which has no code in {scheme}", usual.as_str());
            cx.sink
                .warn(v.span(), format!("{what}; add one to the table of [codes], or name another `matter`"));
        }
        return usual;
    };
    let names = || Kind::ALL.into_iter().map(Kind::as_str);
    match Kind::parse(v.get_ref()) {
        Some(matter) => {
            if !codes.knows(matter) {
                let what = format!("`matter` {} has no code in the scheme {}", v.get_ref(), codes.scheme());
                cx.sink
                    .warn(v.span(), format!("{what}: it goes out uncoded; add one to the table of [codes]"));
            }
            matter
        }
        None => {
            let advice = suggestions(v.get_ref(), "allowed", names());
            cx.sink.at(v.span(), format!("unknown kind `{}`", v.get_ref())).advise(advice);
            usual
        }
    }
}

/// A box that moves has no surveyed place, and neither have its cameras and sensors.
pub(super) fn moves(
    cx: &mut Check<'_>,
    at: Option<Range<usize>>,
    device: &Device,
    cameras: &[Camera],
    sensors: &Sensors,
) {
    let Some(at) = at else { return };
    let camera = cameras.iter().find(|c| c.point.is_some() || !c.control_points.is_empty());
    let sensor = sensors.sensors.iter().find(|s| s.point.is_some());
    let what = match (device.point, camera, sensor) {
        (Some(_), ..) => "[device] has a `point`".to_owned(),
        (None, Some(camera), _) => format!("camera \"{}\" has a `point` or control points", camera.id),
        (None, None, Some(sensor)) => format!("sensor \"{}\" has a `point`", sensor.id),
        (None, None, None) => return,
    };
    cx.sink
        .at(at, format!("`mobile`: the box moves, and {what}"))
        .help("remove the place: reports are placed by the fix of their frame's time; or remove `mobile`");
}
