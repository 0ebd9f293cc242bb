//! The tables of the site as a whole: device, centre, patrol, models, codes, grid, health, evidence.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::check::{Check, optional};
use super::keys;
use super::raw;
use super::read::Table;
use super::site::{
    Centre, Confine, Device, Evidence, Health, Mask, Models, Patrol, Protocol, Proxy, Push, Tls,
};
use super::values;
use crate::geo::{CategoryTable, CodeTable, GridNames, GridTable};
use crate::limits;

const CONFINE: [(&str, Confine); 2] = [("best_effort", Confine::BestEffort), ("required", Confine::Required)];

/// The box, the limit of all rings in MB, and whether a place was given for it.
pub(super) fn device(cx: &mut Check<'_>, root: &mut Table<'_>) -> (Device, f64, bool) {
    let table = root.take_table("device", "[device]", cx.sink);
    let (span, raw) = match table {
        Some(table) => (table.span.clone(), table.read::<raw::Device>(&[], cx.sink)),
        None => {
            missing_table(cx, "device", "missing table [device]: who this box is");
            return (Device::nowhere(), f64::MAX, true);
        }
    };
    let here = ("[device]", &span);
    let edge_id = cx.required("edge_id", &raw.edge_id, here, "\"mh-xz-017\"");
    let edge_id = edge_id.map(|v| edge_id_of(cx, &v)).unwrap_or_default();
    let division = cx.required("division", &raw.division, here, "\"310112\"");
    if let Some(v) = division.as_ref().filter(|v| !values::is_division(v.get_ref())) {
        let what = format!("`division` \"{}\" is no division code", v.get_ref());
        cx.sink.at(v.span(), what).help("allowed: 6 digits (GB/T 2260), for example \"310112\"");
    }
    let utc_offset_s = match &raw.utc_offset {
        None => 8 * 3600,
        Some(v) => values::utc_offset(v.get_ref()).unwrap_or_else(|| {
            let what = format!("`utc_offset` \"{}\" is no offset from UTC", v.get_ref());
            cx.sink
                .at(v.span(), what)
                .help("allowed: +HH:MM or -HH:MM up to 14 hours, for example \"+08:00\"");
            0
        }),
    };
    let data_dir = cx.required("data_dir", &raw.data_dir, here, "\"/var/lib/kerbside\"");
    if let Some(v) = data_dir.as_ref().filter(|v| v.get_ref().trim().is_empty()) {
        cx.sink.at(v.span(), "`data_dir` is empty").help("name a folder that is kept over restarts");
    }
    let placed = raw.point.is_some() || cx.sink.is_spoilt(&span, "point");
    let ring_budget_mb = cx.number("ring_budget_mb", &raw.ring_budget_mb, 1.0..=65_536.0, 512.0);
    let device = Device {
        edge_id,
        division: division.map(Spanned::into_inner).unwrap_or_default(),
        utc_offset_s,
        data_dir: cx.path(data_dir.as_ref().map_or("", |v| v.get_ref())),
        point: cx.lon_lat("point", &raw.point),
        address: cx.text("address", &raw.address, limits::ADDRESS_BYTES),
        confine: raw.confine.and_then(|v| cx.word("confine", &v, &CONFINE)).unwrap_or_default(),
    };
    (device, ring_budget_mb, placed)
}

/// A box's name is a level of its topics and the name in its certificate.
fn edge_id_of(cx: &mut Check<'_>, value: &Spanned<String>) -> String {
    let id = cx.id("edge_id", value);
    if id == "all" {
        let what = "`edge_id` \"all\" is the topic of all boxes of a division";
        cx.sink.at(value.span(), what).help("give this box a name of its own, for example \"mh-xz-017\"");
    } else if values::is_id(&id) && (id.starts_with('-') || id.ends_with('-')) {
        let what = format!("`edge_id` \"{id}\" begins or ends with -");
        cx.sink.at(value.span(), what).help("begin and end it with a letter or a digit");
    }
    id
}

pub(super) fn missing_table(cx: &mut Check<'_>, key: &str, what: &str) {
    if !cx.sink.is_spoilt(&(0..0), key) {
        cx.sink.at(0..0, what).help("see edge-config/one-camera.toml");
    }
}

impl Device {
    /// Stands in while a file is judged that has no [device]; never leaves `parse`.
    fn nowhere() -> Self {
        Device {
            edge_id: String::new(),
            division: String::new(),
            utc_offset_s: 0,
            data_dir: PathBuf::new(),
            point: Some((0.0, 0.0)),
            address: None,
            confine: Confine::BestEffort,
        }
    }
}

pub(super) fn centre(cx: &mut Check<'_>, root: &mut Table<'_>) -> Centre {
    let mut centre = Centre::at(String::new(), 1883);
    let Some(mut table) = root.take_table("centre", "[centre]", cx.sink) else {
        missing_table(cx, "centre", "missing table [centre]: where reports go");
        return centre;
    };
    let span = table.span.clone();
    let tls_table = table.take_table("tls", "[centre.tls]", cx.sink);
    let key_tables = table.take_tables("key", "[[centre.key]]", cx.sink);
    let raw: raw::Centre = table.read(&["tls", "key"], cx.sink);
    let url = cx.required("url", &raw.url, ("[centre]", &span), "\"mqtt://127.0.0.1:1883\"");
    let address = url.as_ref().and_then(|v| centre_address(cx, v));
    let tls_span = tls_table.as_ref().map(|t| t.span.clone());
    centre.tls = tls_table.and_then(|t| tls(cx, t));
    centre.keys = keys::keys(cx, key_tables);
    (centre.signed_receipts, centre.signed_cases) =
        keys::required(cx, &raw.require_signed, centre.keys.is_empty());
    if let Some(address) = address {
        match (address.secure, tls_span) {
            (false, Some(span)) => {
                let (plain, secure) =
                    if address.websocket.is_some() { ("ws", "wss") } else { ("mqtt", "mqtts") };
                let what = format!("[centre.tls] contradicts `url`, which begins with {plain}://");
                cx.sink.at(span, what).help(format!("write {secure}:// in `url`, or remove [centre.tls]"));
            }
            (true, None) => {
                let (plain, secure) =
                    if address.websocket.is_some() { ("ws", "wss") } else { ("mqtt", "mqtts") };
                let what = format!("`url` begins with {secure}://, but there is no [centre.tls]");
                let span = url.as_ref().map_or(span.clone(), Spanned::span);
                cx.sink.at(span, what).help(format!("add [centre.tls] with ca_file, or write {plain}://"));
            }
            _ => {}
        }
        if !address.secure && !is_loopback(&address.host) {
            let at = url.as_ref().map_or(span.clone(), Spanned::span);
            let what = match &raw.username {
                Some(_) => "user, password and every report go",
                None => "every report goes",
            };
            let (host, secure) = (&address.host, if address.websocket.is_some() { "wss" } else { "mqtts" });
            cx.sink
                .warn(at, format!("{what} to {host} in the clear; write {secure}:// and add [centre.tls]"));
        }
        (centre.host, centre.port, centre.websocket) = (address.host, address.port, address.websocket);
    }
    centre.proxy = raw.proxy.as_ref().and_then(|v| proxy(cx, v));
    centre.retain = raw.retain.is_none_or(Spanned::into_inner);
    if let Some(v) = &raw.protocol {
        let known = [("5", Protocol::V5), ("3.1.1", Protocol::V311)];
        centre.protocol = cx.word("protocol", v, &known).unwrap_or(centre.protocol);
    }
    centre.receipts = raw.receipts.is_none_or(Spanned::into_inner);
    centre.keep_alive_s = cx.whole("keep_alive_s", &raw.keep_alive_s, 5..=3600, 30) as u16;
    if let (None, Some(v)) = (&raw.username, &raw.password_file) {
        cx.sink
            .at(v.span(), "`password_file` without `username`")
            .help("add username, or remove password_file");
    }
    centre.username = raw.username.map(Spanned::into_inner);
    centre.password_file = raw.password_file.as_ref().and_then(|v| cx.existing("password_file", v));
    centre
}

fn centre_address(cx: &mut Check<'_>, url: &Spanned<String>) -> Option<values::Address> {
    match values::centre_url(url.get_ref()) {
        Ok(address) => Some(address),
        Err(why) => {
            let allowed =
                "allowed: mqtt://host:port, mqtts://host:port, ws://host:port/path or wss://host:port/path";
            cx.sink.at(url.span(), why).help(allowed);
            None
        }
    }
}

fn proxy(cx: &mut Check<'_>, url: &Spanned<String>) -> Option<Proxy> {
    match values::proxy_url(url.get_ref()) {
        Ok(proxy) => Some(proxy),
        Err(why) => {
            let allowed = "allowed: http://host:port or http://user:password@host:port; what is special in a password as %XX";
            cx.sink.at(url.span(), why).help(allowed);
            None
        }
    }
}

/// What is sent there does not leave the box.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

pub(super) fn mqtt_address(cx: &mut Check<'_>, url: &Spanned<String>) -> Option<values::Address> {
    match values::mqtt_url(url.get_ref()) {
        Ok(address) => Some(address),
        Err(why) => {
            cx.sink.at(url.span(), why).help("allowed: mqtt://host:port or mqtts://host:port");
            None
        }
    }
}

fn tls(cx: &mut Check<'_>, table: Table<'_>) -> Option<Tls> {
    let span = table.span.clone();
    let raw: raw::Tls = table.read(&[], cx.sink);
    let ca = cx.required("ca_file", &raw.ca_file, ("[centre.tls]", &span), "\"ca.pem\"");
    match (&raw.cert_file, &raw.key_file) {
        (Some(v), None) => {
            cx.sink
                .at(v.span(), "`cert_file` without `key_file`")
                .help("a certificate needs its private key");
        }
        (None, Some(v)) => {
            cx.sink
                .at(v.span(), "`key_file` without `cert_file`")
                .help("a private key needs its certificate");
        }
        _ => {}
    }
    let ca_file = ca.and_then(|v| cx.existing("ca_file", &v));
    let cert_file = raw.cert_file.as_ref().and_then(|v| cx.existing("cert_file", v));
    let key_file = raw.key_file.as_ref().and_then(|v| cx.existing("key_file", v));
    Some(Tls { ca_file: ca_file?, cert_file, key_file })
}

pub(super) fn patrol(cx: &mut Check<'_>, root: &mut Table<'_>) -> Patrol {
    let raw: raw::Patrol = optional(cx, root, "patrol", "[patrol]");
    Patrol {
        period_s: cx.number("period_s", &raw.period_s, 5.0..=86_400.0, 900.0),
        min_watched_share: cx.number("min_watched_share", &raw.min_watched_share, 0.0..=1.0, 0.9),
    }
}

/// The manifest that is taken, if it lies beside that of the street network, where `witness` does not say otherwise.
const WITNESS: &str = "witness.toml";
/// Instead of a manifest: no second witness, also where its manifest lies there.
const NO_WITNESS: &str = "none";

pub(super) fn models(cx: &mut Check<'_>, root: &mut Table<'_>) -> Models {
    let raw: raw::Models = optional(cx, root, "models", "[models]");
    if let Some(v) = raw.runtime.as_ref().filter(|v| !Path::new(v.get_ref()).is_absolute()) {
        let what = format!("`runtime` \"{}\" is not an absolute path", v.get_ref());
        cx.sink.at(v.span(), what).help("a library that is loaded as code must be named by its whole path");
    }
    let absolute = raw.runtime.as_ref().filter(|v| Path::new(v.get_ref()).is_absolute());
    let street = raw.street.as_ref().and_then(|v| cx.existing("street", v));
    let witness = match &raw.witness {
        Some(v) if v.get_ref() == NO_WITNESS => None,
        Some(v) => cx.existing("witness", v),
        // Where the street network was installed, so was this one.
        None => street.as_ref().map(|street| street.with_file_name(WITNESS)).filter(|path| path.is_file()),
    };
    Models {
        runtime: absolute.and_then(|v| cx.existing("runtime", v)),
        street,
        witness,
        close_up: raw.close_up.as_ref().and_then(|v| cx.existing("close_up", v)),
        workers: cx.whole("workers", &raw.workers, 1..=16, 1) as usize,
    }
}

pub(super) fn codes(cx: &mut Check<'_>, root: &mut Table<'_>) -> CodeTable {
    let raw: raw::Codes = optional(cx, root, "codes", "[codes]");
    let mut table = CodeTable::shipped();
    if let Some(v) = &raw.table
        && let Some(text) = cx.text_of("table", v)
    {
        match CodeTable::parse(&text) {
            Ok(read) => table = read,
            Err(e) => {
                cx.sink.at(v.span(), format!("`table`: {}: {e}", v.get_ref()));
            }
        }
    }
    if let Some(v) = &raw.categories
        && let Some(text) = cx.text_of("categories", v)
    {
        match CategoryTable::parse(&text) {
            Ok(read) => table = table.with_categories(read),
            Err(e) => {
                cx.sink.at(v.span(), format!("`categories`: {}: {e}", v.get_ref()));
            }
        }
    }
    let Some(v) = &raw.scheme else { return table };
    let schemes = table.schemes();
    let known: Vec<(&str, &str)> = schemes.iter().map(|s| (s.as_str(), s.as_str())).collect();
    match cx.word("scheme", v, &known) {
        Some(scheme) => table.with_scheme(scheme),
        None => table,
    }
}

pub(super) fn grid(cx: &mut Check<'_>, root: &mut Table<'_>) -> GridTable {
    let raw: raw::Grid = optional(cx, root, "grid", "[grid]");
    let names = GridNames {
        division: cx.text("division_name", &raw.division_name, limits::NAME_BYTES),
        street: cx.text("street_name", &raw.street_name, limits::NAME_BYTES),
        community: cx.text("community_name", &raw.community_name, limits::NAME_BYTES),
        unit_grid: None,
    };
    let text = raw.file.as_ref().and_then(|v| Some((v, cx.text_of("file", v)?)));
    let grid = text.and_then(|(v, text)| {
        GridTable::parse(&text)
            .inspect_err(|e| {
                cx.sink.at(v.span(), format!("`file`: {}: {e}", v.get_ref()));
            })
            .ok()
    });
    grid.unwrap_or_default().with_names(names)
}

pub(super) fn health(cx: &mut Check<'_>, root: &mut Table<'_>) -> Health {
    let default = Health { listen: std::net::SocketAddr::from(([127, 0, 0, 1], 9464)) };
    let raw: raw::Health = optional(cx, root, "health", "[health]");
    let Some(v) = &raw.listen else { return default };
    match v.get_ref().parse::<std::net::SocketAddr>() {
        Ok(listen) if listen.ip().is_loopback() => Health { listen },
        Ok(listen) => {
            let what = format!("`listen` {listen} can be reached from outside the box");
            let help = "only loopback is allowed: \"127.0.0.1:9464\"; a scraper comes through a tunnel";
            cx.sink.at(v.span(), what).help(help);
            default
        }
        Err(_) => {
            let what = format!("`listen` \"{}\" is no address with a port", v.get_ref());
            cx.sink.at(v.span(), what).help("for example: listen = \"127.0.0.1:9464\"");
            default
        }
    }
}

const PUSHES: [(&str, Push); 2] = [("none", Push::None), ("sheet", Push::Sheet)];
const MASKS: [(&str, Mask); 3] = [("none", Mask::None), ("sheet", Mask::Sheet), ("all", Mask::All)];

pub(super) fn evidence(cx: &mut Check<'_>, root: &mut Table<'_>) -> Evidence {
    const MIN_BYTES: u64 = 1 << 20;
    let raw: raw::Evidence = optional(cx, root, "evidence", "[evidence]");
    let max_bytes = raw.max_bytes.as_ref().map_or(2 << 30, |v| v.get_ref().0);
    if let Some(v) = raw.max_bytes.as_ref().filter(|v| !(MIN_BYTES..=1 << 44).contains(&v.get_ref().0)) {
        let what = format!("`max_bytes` is {} bytes, out of range", v.get_ref().0);
        cx.sink.at(v.span(), what).help("allowed: \"1 MiB\" to \"16 TiB\" (default \"2 GiB\")");
    }
    let upload_ca_file = raw.upload_ca_file.as_ref().and_then(|v| cx.existing("upload_ca_file", v));
    Evidence {
        max_bytes,
        min_free: raw.min_free.as_ref().map(|v| v.get_ref().0),
        upload_ca_file,
        local_uploads: raw.local_uploads.is_some_and(Spanned::into_inner),
        chain_file: raw.chain_file.as_ref().map(|v| cx.path(v.get_ref())),
        max_age_days: cx.whole("max_age_days", &raw.max_age_days, 1..=3650, 30),
        pre_s: cx.number("pre_s", &raw.pre_s, 0.0..=120.0, 8.0),
        post_s: cx.number("post_s", &raw.post_s, 0.0..=120.0, 6.0),
        clip: raw.clip.is_none_or(Spanned::into_inner),
        push: raw.push.as_ref().and_then(|v| cx.word("push", v, &PUSHES)).unwrap_or_default(),
        mask: raw.mask.as_ref().and_then(|v| cx.word("mask", v, &MASKS)).unwrap_or_default(),
    }
}
