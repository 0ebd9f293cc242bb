//! What a report says, as JSON has it.

use kerbside_domain::detection::ReportObject;
use kerbside_domain::evidence::{EvidenceItem, EvidenceRole};
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Act;
use kerbside_domain::model::ModelName;
use kerbside_domain::report::{Phase, Recheck, RecheckResult, Report};
use kerbside_site::geo::{AlsoCode, Matter};
use kerbside_site::place::{Method, Place};
use serde::Serialize;

use crate::clock::ClockTrust;
use crate::identity::Identity;
use crate::text::rounded;

/// Scheme of the unit grid's 15 characters.
const GRID_SCHEME: &str = "GB/T 47678.3";

#[derive(Serialize)]
pub(super) struct MatterData<'a> {
    incident_id: &'a str,
    revision: u32,
    phase: Phase,
    cause: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    matter: Option<CodeData<'a>>,
    legal_status: &'static str,
    confidence: f64,
    first_seen: String,
    last_seen: String,
    dwell_s: f64,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Feature<'a>>,
    grid: GridData<'a>,
    device: DeviceData<'a>,
    zone: ZoneData<'a>,
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
    candidates: &'a [String],
}

#[derive(Serialize)]
struct DeviceData<'a> {
    edge_id: &'a str,
    camera_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gb28181_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ZoneData<'a> {
    id: &'a str,
    rule: &'a str,
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
    state: &'static str,
    /// Below the box's evidence folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Omitted {
    objects: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<&'static str>,
}

/// What may be left out so that a message fits, in this order.
const PARTS: [&str; 3] = ["reasons", "evidence.path", "location.address"];

/// How much is left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortening {
    /// The most confident objects that stay.
    pub(super) max_objects: usize,
    /// How many of [`PARTS`] go.
    pub(super) parts_left_out: usize,
}

/// All that a report says, shortened so far.
pub(super) fn data<'a>(
    who: &'a Identity,
    report: &'a Report,
    place: Option<&'a Place>,
    matter: Option<&'a Matter>,
    shortening: Shortening,
) -> MatterData<'a> {
    let Shortening { max_objects, parts_left_out } = shortening;
    let parts: Vec<_> = PARTS.into_iter().take(parts_left_out).collect();
    let camera = who.cameras.get(usize::from(report.camera.0));
    let mut objects: Vec<&ReportObject> = report.objects.iter().collect();
    objects.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    objects.truncate(max_objects);
    let left_out = report.objects.len() - objects.len();
    MatterData {
        incident_id: &report.incident_id,
        revision: report.revision,
        phase: report.phase,
        cause: report.cause.as_str(),
        kind: report.kind.as_str(),
        matter: matter.map(|m| code_data(m, report.act)),
        legal_status: "lead",
        confidence: rounded(report.confidence.into(), 3),
        first_seen: who.time(report.first_seen),
        last_seen: who.time(report.last_seen),
        dwell_s: rounded(report.dwell_s, 1),
        count: report.count,
        location: place.map(|p| feature(who, p, parts_left_out < 3)),
        grid: GridData {
            division: &who.division,
            unit_grid: place.and_then(|p| p.unit_grid.as_deref()),
            scheme: place.and_then(|p| p.unit_grid.as_deref()).map(|_| GRID_SCHEME),
            candidates: place.map_or(&[], |p| &p.candidates),
        },
        device: DeviceData {
            edge_id: &who.edge_id,
            camera_id: camera.map_or("", |c| &c.id),
            gb28181_id: camera.and_then(|c| c.gb28181_id.as_deref()),
        },
        zone: ZoneData { id: &report.zone, rule: &report.rule },
        objects: objects.into_iter().map(object).collect(),
        reasons: report.reasons.iter().filter(|_| parts_left_out < 1).cloned().collect(),
        evidence: report
            .evidence
            .iter()
            .map(|e| available(who, e, parts_left_out < 2))
            .chain(report.evidence_pending.iter().map(|role| pending(*role)))
            .collect(),
        clock: report.at.quality.into(),
        model: who.models.street.as_ref(),
        close_up_model: who.models.close_up.as_ref(),
        recheck: report.recheck.as_ref().map(|r| recheck(r, report.bbox)),
        omitted: (left_out > 0 || !parts.is_empty()).then_some(Omitted { objects: left_out, parts }),
    }
}

fn code_data(matter: &Matter, act: Option<Act>) -> CodeData<'_> {
    CodeData {
        scheme: &matter.scheme,
        code: &matter.code,
        code11: matter.code11.as_deref(),
        name: &matter.name,
        also: &matter.also,
        act,
    }
}

fn point((lon, lat): (f64, f64)) -> [f64; 2] {
    [rounded(lon, 7), rounded(lat, 7)]
}

fn feature<'a>(who: &'a Identity, place: &'a Place, address: bool) -> Feature<'a> {
    Feature {
        kind: "Feature",
        geometry: Geometry { kind: "Point", coordinates: point((place.lon_deg, place.lat_deg)) },
        properties: FeatureProperties {
            datum: "WGS84",
            accuracy_m: rounded(place.accuracy_m, 1),
            method: place.method,
            camera_point: point(place.camera_point),
            gcj02: place.gcj02.map(point),
            address: place.address.as_deref().or(who.address.as_deref()).filter(|_| address),
        },
    }
}

fn recheck(recheck: &Recheck, bbox: BBox) -> RecheckData<'_> {
    let Recheck { result, why, frames, commands } = recheck;
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

fn available<'a>(who: &Identity, item: &'a EvidenceItem, path: bool) -> EvidenceData<'a> {
    EvidenceData {
        id: Some(&item.id),
        role: item.role,
        media: Some(&item.media),
        bytes: Some(item.bytes),
        sha256: Some(&item.sha256),
        captured_at: Some(who.time(item.captured)),
        state: "available",
        path: Some(item.path.as_str()).filter(|_| path),
    }
}

fn pending(role: EvidenceRole) -> EvidenceData<'static> {
    let (id, media, bytes, sha256) = (None, None, None, None);
    EvidenceData { id, role, media, bytes, sha256, captured_at: None, state: "pending", path: None }
}
