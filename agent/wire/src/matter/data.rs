//! What a report says, as JSON has it.

use kerbside_domain::detection::ReportObject;
use kerbside_domain::evidence::{EvidenceItem, EvidenceRole};
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::{Act, Category};
use kerbside_domain::model::ModelName;
use kerbside_domain::report::{Cause, IncidentState, Phase, Recheck, RecheckResult, Report};
use kerbside_site::geo::{AlsoCode, GridNames, Matter};
use kerbside_site::place::{Method, Place};
use serde::Serialize;

use super::parts::Parts;
use crate::clock::ClockTrust;
use crate::identity::{CameraName, Identity};
use crate::text::rounded;

/// Scheme of the unit grid's 15 characters.
const GRID_SCHEME: &str = "GB/T 47678.3";

#[derive(Serialize)]
pub(super) struct MatterData<'a> {
    incident_id: &'a str,
    revision: u32,
    phase: Phase,
    state: IncidentState,
    reported_because: Cause,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<&'a str>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    matter: Option<CodeData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<CategoryData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    office: Option<&'a str>,
    legal_status: &'static str,
    confidence: f64,
    started: String,
    first_seen: String,
    last_seen: String,
    dwell_s: f64,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Feature<'a>>,
    grid: GridData<'a>,
    device: DeviceData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<ZoneData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<SensorData<'a>>,
    objects: Vec<ObjectData<'a>>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    reasons: serde_json::Map<String, serde_json::Value>,
    evidence: Vec<EvidenceData<'a>>,
    clock: ClockTrust,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a ModelName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_up_model: Option<&'a ModelName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_model: Option<&'a ModelName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recheck: Option<RecheckData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<Omitted>,
}

/// What looking again found; it closes nothing.
#[derive(Serialize)]
struct RecheckData<'a> {
    result: RecheckResult,
    why: &'a str,
    looks: u32,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    commands: &'a [String],
    /// Where the thing stood: the same cut of this picture and of the one that opened the incident shows both.
    bbox_norm: [f64; 4],
}

#[derive(Serialize)]
struct CodeData<'a> {
    scheme: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code11: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    also: &'a [AlsoCode],
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Act>,
}

#[derive(Serialize)]
struct CategoryData<'a> {
    id: Category,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct Feature<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    geometry: Geometry,
    properties: FeatureProperties<'a>,
}

#[derive(Serialize)]
struct Geometry {
    #[serde(rename = "type")]
    kind: &'static str,
    coordinates: [f64; 2],
}

#[derive(Serialize)]
struct FeatureProperties<'a> {
    datum: &'static str,
    accuracy_m: f64,
    method: Method,
    camera_point: [f64; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    gcj02: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
}

#[derive(Serialize)]
struct GridData<'a> {
    division: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_grid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<&'a GridNames>,
    candidates: &'a [String],
}

#[derive(Serialize)]
struct DeviceData<'a> {
    edge_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    camera_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    camera_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gb28181_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ZoneData<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_name: Option<&'a str>,
}

/// The sensor on whose word it is reported.
#[derive(Serialize)]
struct SensorData<'a> {
    id: &'a str,
    result: f64,
    #[serde(rename = "unitOfMeasurement")]
    unit_of_measurement: &'a str,
}

#[derive(Serialize)]
struct ObjectData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<u32>,
    label: &'a str,
    confidence: f64,
    bbox_norm: [f64; 4],
}

#[derive(Serialize)]
struct EvidenceData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    role: EvidenceRole,
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    captured_at: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    masked: bool,
    state: &'static str,
    /// Below the box's evidence folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Omitted {
    objects: usize,
    #[serde(skip_serializing_if = "is_zero")]
    files: usize,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    parts: &'static [&'static str],
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What may be left out so that a message fits, in this order. All of it stands elsewhere: in the manifest, in the code table,
/// in the site file, in the replies to commands; but for the reasons, which explain and decide nothing.
pub(super) const PARTS: [&str; 8] = [
    "reasons",
    "model",
    "evidence.details",
    "codes",
    "grid.candidates",
    "names",
    "recheck.commands",
    "evidence.sha256",
];

/// A part that may be left out: its place in [`PARTS`].
#[derive(Clone, Copy, Debug)]
enum Part {
    Reasons,
    /// Of both networks.
    Model,
    /// Media type, size and time of each file.
    EvidenceDetails,
    /// Those of other schemes, the 11-digit one, and the place in another datum.
    Codes,
    Candidates,
    /// Of camera, zone, rule, grid levels, category and office.
    Names,
    Commands,
    /// And the id, which the path ends with.
    EvidenceHash,
}

/// How much is left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortening {
    /// The most confident objects that stay.
    max_objects: usize,
    /// How many of [`PARTS`] go.
    parts_left_out: usize,
    /// How many files are named.
    files: usize,
}

impl Shortening {
    pub(super) const fn new(max_objects: usize, parts_left_out: usize) -> Self {
        Shortening { max_objects, parts_left_out, files: usize::MAX }
    }

    /// No object, no file, and none of [`PARTS`].
    pub(super) const fn least() -> Self {
        Shortening { max_objects: 0, parts_left_out: PARTS.len(), files: 0 }
    }

    fn keeps(self, part: Part) -> bool {
        part as usize >= self.parts_left_out
    }
}

/// All that a report says, shortened so far.
pub(super) fn data(parts: Parts<'_>, shortening: Shortening) -> MatterData<'_> {
    let Parts { who, report, place, matter } = parts;
    let keeps = |part: Part| shortening.keeps(part);
    let camera = who.cameras.get(usize::from(report.camera.0));
    let named = camera.filter(|_| keeps(Part::Names));
    let mut objects: Vec<&ReportObject> = report.objects.iter().collect();
    objects.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    objects.truncate(shortening.max_objects);
    let evidence = evidence(who, report, shortening);
    let category = matter.and_then(|m| m.category.as_ref());
    MatterData {
        incident_id: &report.incident_id,
        revision: report.revision,
        phase: report.phase,
        state: report.state,
        reported_because: report.cause,
        previous: report.previous.as_deref(),
        kind: report.kind.as_str(),
        matter: matter.map(|m| code_data(m, report.act, keeps(Part::Codes))),
        category: category
            .map(|c| CategoryData { id: c.id, name: Some(c.name.as_str()).filter(|_| keeps(Part::Names)) }),
        office: category.and_then(|c| c.office.as_deref()).filter(|_| keeps(Part::Names)),
        legal_status: "lead",
        confidence: rounded(report.confidence.into(), 3),
        started: who.time(report.started),
        first_seen: who.time(report.first_seen),
        last_seen: who.time(report.last_seen),
        dwell_s: rounded(report.dwell_s, 1),
        count: report.count,
        location: place.map(|p| feature(who, p, keeps(Part::Codes))),
        grid: grid(who, place, shortening),
        device: DeviceData {
            edge_id: &who.edge_id,
            camera_id: camera.map(|c| c.id.as_str()),
            camera_name: named.and_then(|c| c.name.as_deref()),
            gb28181_id: camera.and_then(|c| c.gb28181_id.as_deref()),
        },
        zone: (!report.zone.is_empty()).then(|| zone(report, named)),
        sensor: report.sensor.as_ref().map(|s| SensorData {
            id: &s.id,
            result: s.value,
            unit_of_measurement: &s.unit,
        }),
        omitted: omitted(report, objects.len(), evidence.len(), shortening),
        objects: objects.into_iter().map(object).collect(),
        reasons: report.reasons.iter().filter(|_| keeps(Part::Reasons)).cloned().collect(),
        evidence,
        clock: report.at.quality.into(),
        model: who.models.street.as_ref().filter(|_| keeps(Part::Model)),
        close_up_model: who.models.close_up.as_ref().filter(|_| keeps(Part::Model)),
        witness_model: who.models.witness.as_ref().filter(|_| keeps(Part::Model)),
        recheck: report.recheck.as_ref().map(|r| recheck(r, report.bbox, keeps(Part::Commands))),
    }
}

fn omitted(report: &Report, objects: usize, files: usize, shortening: Shortening) -> Option<Omitted> {
    let objects = report.objects.len().saturating_sub(objects);
    let files = (report.evidence.len() + report.evidence_pending.len()).saturating_sub(files);
    let parts = PARTS.get(..shortening.parts_left_out).unwrap_or(&PARTS);
    (objects > 0 || files > 0 || !parts.is_empty()).then_some(Omitted { objects, files, parts })
}

fn evidence<'a>(who: &Identity, report: &'a Report, shortening: Shortening) -> Vec<EvidenceData<'a>> {
    let available = report.evidence.iter().map(|item| available(who, item, shortening));
    let pending = report.evidence_pending.iter().map(|role| pending(*role));
    available.chain(pending).take(shortening.files).collect()
}

fn grid<'a>(who: &'a Identity, place: Option<&'a Place>, shortening: Shortening) -> GridData<'a> {
    let unit_grid = place.and_then(|p| p.unit_grid.as_deref());
    let named = place.filter(|_| shortening.keeps(Part::Names));
    let crossing = place.filter(|_| shortening.keeps(Part::Candidates));
    GridData {
        division: &who.division,
        unit_grid,
        scheme: unit_grid.map(|_| GRID_SCHEME),
        names: named.map(|p| &p.grid_names).filter(|names| !names.is_empty()),
        candidates: crossing.map_or(&[], |p| &p.candidates),
    }
}

fn zone<'a>(report: &'a Report, camera: Option<&'a CameraName>) -> ZoneData<'a> {
    let (id, rule) = (report.zone.as_str(), report.rule.as_str());
    let (name, rule_name) = camera.map_or((None, None), |c| c.zone_and_rule(id, rule));
    ZoneData { id, name, rule, rule_name }
}

fn code_data(matter: &Matter, act: Option<Act>, others: bool) -> CodeData<'_> {
    CodeData {
        scheme: &matter.scheme,
        code: &matter.code,
        code11: matter.code11.as_deref().filter(|_| others),
        name: &matter.name,
        also: if others { &matter.also } else { &[] },
        act,
    }
}

fn point((lon, lat): (f64, f64)) -> [f64; 2] {
    [rounded(lon, 7), rounded(lat, 7)]
}

fn feature<'a>(who: &'a Identity, place: &'a Place, other_datum: bool) -> Feature<'a> {
    Feature {
        kind: "Feature",
        geometry: Geometry { kind: "Point", coordinates: point((place.lon_deg, place.lat_deg)) },
        properties: FeatureProperties {
            datum: "WGS84",
            accuracy_m: rounded(place.accuracy_m, 1),
            method: place.method,
            camera_point: point(place.camera_point),
            gcj02: place.gcj02.filter(|_| other_datum).map(point),
            address: place.address.as_deref().or(who.address.as_deref()),
        },
    }
}

fn recheck(recheck: &Recheck, bbox: BBox, with_commands: bool) -> RecheckData<'_> {
    let Recheck { result, why, frames, commands } = recheck;
    let commands = if with_commands { commands.as_slice() } else { &[] };
    RecheckData { result: *result, why, looks: *frames, commands, bbox_norm: corners(&bbox) }
}

fn corners(b: &BBox) -> [f64; 4] {
    [b.x, b.y, b.w, b.h].map(|v| rounded(v.into(), 4))
}

fn object(object: &ReportObject) -> ObjectData<'_> {
    ObjectData {
        track: object.track,
        label: &object.label,
        confidence: rounded(object.confidence.into(), 3),
        bbox_norm: corners(&object.bbox),
    }
}

fn available<'a>(who: &Identity, item: &'a EvidenceItem, shortening: Shortening) -> EvidenceData<'a> {
    let detailed = shortening.keeps(Part::EvidenceDetails);
    let hashed = shortening.keeps(Part::EvidenceHash);
    EvidenceData {
        id: hashed.then_some(item.id.as_str()),
        role: item.role,
        media: detailed.then_some(item.media.as_str()),
        bytes: detailed.then_some(item.bytes),
        sha256: hashed.then_some(item.sha256.as_str()),
        captured_at: detailed.then(|| who.time(item.captured)),
        masked: hashed && item.masked,
        state: "available",
        path: Some(&item.path),
    }
}

fn pending(role: EvidenceRole) -> EvidenceData<'static> {
    let (id, media, bytes, sha256) = (None, None, None, None);
    EvidenceData {
        id,
        role,
        media,
        bytes,
        sha256,
        captured_at: None,
        masked: false,
        state: "pending",
        path: None,
    }
}
