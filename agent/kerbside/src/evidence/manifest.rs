//! The manifest of a set of files: every file with its hash, what the clip is made of, and who vouches for all that.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{FileError, Place, folder};
use super::seal::{SIGNATURE_SUFFIX, Seal, Sealer};
use super::shortfall::{self, Shortfall};
use kerbside_crypto::hash::hex;
use kerbside_domain::evidence::{EvidenceItem, EvidenceRequest, EvidenceRole};
use kerbside_domain::kind::Kind;
use kerbside_domain::time::{Moment, rfc3339};
use kerbside_media::ring::RingSpan;
use kerbside_trace::evidence_file;

/// `rN-manifest.json`: all that is durable of the incident after revision N's files. Times RFC 3339.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub version: u32,
    pub incident_id: String,
    pub revision: u32,
    /// Absent for what the centre commanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    pub edge_id: String,
    pub camera_id: String,
    pub items: Vec<ManifestItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<ClipSpan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortfall: Option<String>,
    /// Absent in a replay, and where the box has no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestItem {
    pub id: String,
    pub role: EvidenceRole,
    pub media: String,
    /// Relative to the evidence folder.
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    pub captured_at: String,
    /// Heads and number plates are masked in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// It was enlarged by this factor: the camera's picture has fewer pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enlarged: Option<f32>,
    /// It comes from the smaller stream, because that of full resolution gave nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_sub_stream: bool,
}

/// What a clip was made of, so that anyone can compare it with what the camera sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipSpan {
    pub from: String,
    pub to: String,
    pub codec: String,
    pub packets: usize,
    pub packet_bytes: usize,
    pub first_pts: i64,
    pub last_pts: i64,
    /// Seconds per tick of the pts, as numerator and denominator.
    pub time_base: (i32, i32),
    /// The codec in which the clip was encoded again, since no browser plays the camera's. Absent: its packets are the camera's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoded_as: Option<String>,
    /// False where no browser plays the clip and it could not be encoded again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playable: Option<bool>,
}

impl ClipSpan {
    pub(super) fn of(span: &RingSpan, begin: Moment, end: Moment, utc_offset_s: i32) -> ClipSpan {
        let RingSpan { stream, packets } = span;
        ClipSpan {
            from: rfc3339(begin.wall_ms, utc_offset_s),
            to: rfc3339(end.wall_ms, utc_offset_s),
            codec: stream.codec.clone(),
            packets: packets.len(),
            packet_bytes: span.bytes(),
            first_pts: packets.iter().map(|p| p.pts).min().unwrap_or_default(),
            last_pts: packets.iter().map(|p| p.pts).max().unwrap_or_default(),
            time_base: stream.time_base,
            encoded_as: None,
            playable: None,
        }
    }
}

/// Who the box is, for the manifest's head.
pub(super) struct Head<'a> {
    pub(super) edge_id: &'a str,
    pub(super) camera_id: &'a str,
    pub(super) utc_offset_s: i32,
    pub(super) sealer: Option<&'a Sealer>,
}

/// Writes a manifest of `items` and of what the pictures' manifest of the same revision named, and its signature.
pub(super) fn extend(
    root: &Path,
    request: &EvidenceRequest,
    head: &Head<'_>,
    items: &[EvidenceItem],
    clip: Option<ClipSpan>,
    shortfalls: &mut Vec<Shortfall>,
) -> Result<EvidenceItem, FileError> {
    // The one of the pictures is named by then, with its hash: the clip's is another file.
    let id = format!("r{}-{}manifest", request.revision, if clip.is_some() { "clip-" } else { "" });
    let place = Place::named(root, request, id, EvidenceRole::Manifest, head.utc_offset_s);
    let mut named = earlier(root, request, head).unwrap_or_else(|why| {
        shortfalls.push(why);
        Vec::new()
    });
    named.extend(items.iter().map(|item| ManifestItem {
        id: item.id.clone(),
        role: item.role,
        media: item.media.clone(),
        path: item.path.clone(),
        bytes: item.bytes,
        sha256: item.sha256.clone(),
        captured_at: rfc3339(item.captured.wall_ms, head.utc_offset_s),
        masked: item.masked,
        enlarged: item.enlarged,
        from_sub_stream: item.from_sub_stream,
    }));
    let manifest = Manifest {
        version: 1,
        incident_id: request.subject.set_id(),
        revision: request.revision,
        kind: request.kind,
        edge_id: head.edge_id.to_owned(),
        camera_id: head.camera_id.to_owned(),
        items: named,
        clip,
        shortfall: shortfall::text(shortfalls),
        seal: head.sealer.map(|sealer| sealer.seal(head.utc_offset_s)),
    };
    let mut text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    text.push(b'\n');
    let signature = head.sealer.map(|sealer| sealer.sign(&text));
    if let Some(signature) = &signature {
        place.write_beside(SIGNATURE_SUFFIX, signature)?;
    }
    let item = place.write(&text, request.trigger_at)?;
    Ok(EvidenceItem { signature: signature.map(|bytes| hex(&bytes)), ..item })
}

/// What the manifest of the pictures names, when that of the clip is written. Somebody has touched it: that is not signed a second
/// time.
fn earlier(root: &Path, request: &EvidenceRequest, head: &Head<'_>) -> Result<Vec<ManifestItem>, Shortfall> {
    let name = format!("r{}-manifest.json", request.revision);
    let read = |name: &str| evidence_file::read(root, &folder(request, head.utc_offset_s).join(name));
    let Ok(text) = read(&name) else { return Ok(Vec::new()) };
    let is_signed = head.sealer.is_none_or(|sealer| {
        let signature = read(&format!("{name}{SIGNATURE_SUFFIX}")).unwrap_or_default();
        sealer.verifies(&text, &signature)
    });
    let manifest = serde_json::from_slice::<Manifest>(&text).ok().filter(|_| is_signed);
    manifest.map(|manifest| manifest.items).ok_or(Shortfall::EarlierManifest)
}
