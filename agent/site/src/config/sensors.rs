//! The tables of GNSS and sensors.

use std::path::Path;

use toml::Spanned;

use super::check::{Check, optional};
use super::raw;
use super::read::Table;
use super::site::{GnssSource, Sensor, SensorKind, Sensors};
use super::tables::mqtt_address;
use super::values;

pub(super) fn gnss(cx: &mut Check<'_>, root: &mut Table<'_>) -> Option<GnssSource> {
    let table = root.take_table("gnss", "[gnss]", cx.sink)?;
    let span = table.span.clone();
    let raw: raw::Gnss = table.read(&[], cx.sink);
    let v = cx.required("source", &raw.source, ("[gnss]", &span), "\"gpsd://127.0.0.1:2947\"")?;
    match gnss_source(cx.base, v.get_ref()) {
        Ok(source) => Some(source),
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
        Ok(GnssSource::Tcp(joined(&host, port)))
    } else if let Some(rest) = text.strip_prefix("gpsd://") {
        let (host, port) = values::host_port(rest, 2947)?;
        Ok(GnssSource::Gpsd(joined(&host, port)))
    } else if let Some(rest) = text.strip_prefix("file:") {
        Ok(GnssSource::File(base.join(rest)))
    } else {
        Err(format!("`source` \"{text}\" is no source of positions"))
    }
}

fn joined(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

const SENSOR_KINDS: [(&str, SensorKind); 3] =
    [("bin_level", SensorKind::BinLevel), ("smoke", SensorKind::Smoke), ("noise", SensorKind::Noise)];

pub(super) fn all(cx: &mut Check<'_>, root: &mut Table<'_>) -> Sensors {
    let raw: raw::Sensors = optional(cx, root, "sensors", "[sensors]");
    let address = raw.broker.as_ref().and_then(|v| mqtt_address(cx, v).map(|a| (v.span(), a)));
    if let Some((span, _)) = address.as_ref().filter(|(_, a)| a.secure) {
        let what = "`broker` is the box's own: mqtts:// is not spoken to it";
        cx.sink.at(span.clone(), what).help("write mqtt://127.0.0.1:1884");
    }
    let broker = address.map(|(_, a)| (a.host, a.port));
    let tables = root.take_tables("sensor", "[[sensor]]", cx.sink);
    if let Some(first) = tables.first().filter(|_| raw.broker.is_none()) {
        let what = "a [[sensor]] without [sensors] broker: nothing could bring its readings";
        cx.sink.at(first.span.clone(), what).help("add [sensors] with broker = \"mqtt://127.0.0.1:1884\"");
    }
    let mut sensors: Vec<Sensor> = Vec::new();
    for table in tables {
        let sensor = sensor(cx, table, &sensors);
        sensors.push(sensor);
    }
    Sensors { broker, sensors }
}

fn sensor(cx: &mut Check<'_>, table: Table<'_>, before: &[Sensor]) -> Sensor {
    let name = table.named("[[sensor]]");
    let span = table.span.clone();
    let raw: raw::Sensor = table.read(&[], cx.sink);
    let here = (name.as_str(), &span);
    let id_at = cx.required("id", &raw.id, here, "\"bin-1\"");
    let id = id_at.as_ref().map(|v| cx.id("id", v)).unwrap_or_default();
    if let Some(v) = id_at.filter(|_| before.iter().any(|s| s.id == id)) {
        cx.repeated(v.span(), format!("sensor id \"{id}\" is used twice"))
            .help("give each sensor its own id");
    }
    let kind = cx.required("kind", &raw.kind, here, "\"bin_level\"");
    let kind = kind.and_then(|v| cx.word("kind", &v, &SENSOR_KINDS)).unwrap_or(SensorKind::BinLevel);
    let topic_at = cx.required("topic", &raw.topic, here, "\"sensors/bin-1\"");
    let topic = topic_at.as_ref().map(|v| v.get_ref().clone()).unwrap_or_default();
    if let Some(v) = topic_at {
        if let Some(fault) = values::topic_fault(&topic) {
            cx.sink.at(v.span(), fault).help("for example: topic = \"sensors/bin-1\"");
        } else if let Some(other) = before.iter().find(|s| s.topic == topic) {
            let what = format!("topic \"{topic}\" is already that of sensor \"{}\"", other.id);
            cx.repeated(v.span(), what).help("give each sensor its own topic");
        }
    }
    let unit = cx.required("unit", &raw.unit, here, "\"%\"").map(Spanned::into_inner).unwrap_or_default();
    let wide = -1e6..=1e6;
    let alarm_above =
        raw.alarm_above.is_some().then(|| cx.number("alarm_above", &raw.alarm_above, wide, 0.0));
    Sensor {
        id,
        kind,
        topic,
        unit,
        max_age_s: cx.number("max_age_s", &raw.max_age_s, 1.0..=604_800.0, 600.0),
        alarm_above,
        alarm_for_s: cx.number("alarm_for_s", &raw.alarm_for_s, 0.0..=86_400.0, 60.0),
        point: cx.lon_lat("point", &raw.point),
    }
}
