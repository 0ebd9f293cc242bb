//! Signing: a C2PA manifest in each picture and clip, put in before the file is hashed, so that tools that are not ours can tell
//! which box made it and that nothing was changed since.
//!
//! It is done here, in the main process: the child that decodes what a camera sends must never hold the key. The file that the
//! child wrote counts as hostile. What cannot be signed stays as it is, and log, metrics and the report say so.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use kerbside_c2pa::{Edit, SignError, Signer, Statement, sign_jpeg, sign_mp4};
use kerbside_domain::evidence::{EvidenceRequest, EvidenceRole, EvidenceSubject};
use kerbside_domain::time::{Moment, rfc3339};
use serde_json::{Value, json};

use super::camera::EvidenceCamera;
use super::files::{Place, role_name};
use super::folders::SIGNED;
use super::shortfall::Shortfall;
use super::stage::Evidence;
use super::tuning::MAX_SIGNED_PICTURE_BYTES;
use crate::durable::create_anew;

impl Evidence {
    /// Signs what a child wrote for `place`. `encoded`: the pictures are no longer as the camera encoded them.
    pub(super) fn sign(
        &mut self,
        request: &EvidenceRequest,
        place: &Place,
        role: EvidenceRole,
        captured: Moment,
        encoded: bool,
    ) {
        let edit = match role {
            EvidenceRole::Annotated | EvidenceRole::Sheet => Some(Edit::DrawnIn),
            _ if place.is_masked() => Some(Edit::DrawnIn),
            _ => encoded.then_some(Edit::Encoded),
        };
        let statement = Statement { edit, ..self.statement(request, place, role, captured) };
        let Some(signing) = &mut self.signing else { return };
        match sign_file(signing.signer(), place, role, &statement) {
            Ok(()) => self.counters.signed += 1,
            Err(error) => {
                self.counters.unsigned += 1;
                self.unsigned.push(Shortfall::Unsigned(role, error.to_string()));
            }
        }
    }

    fn statement(
        &self,
        request: &EvidenceRequest,
        place: &Place,
        role: EvidenceRole,
        captured: Moment,
    ) -> Statement {
        let camera = self.camera(request.camera);
        let captured_at = rfc3339(captured.wall_ms, self.utc_offset_s);
        let mut facts = facts(request, &self.edge_id, camera, role, captured, &captured_at);
        if place.is_masked() {
            facts["masked"] = true.into();
        }
        Statement {
            id: format!("{}/{}/{}", self.edge_id, request.subject.set_id(), place.name()),
            title: place.name(),
            captured_at: captured.quality.is_disciplined().then_some(captured_at),
            edit: None,
            facts,
        }
    }
}

/// What the box says of a file. Keys as in the reports.
fn facts(
    request: &EvidenceRequest,
    edge_id: &str,
    camera: Option<&EvidenceCamera>,
    role: EvidenceRole,
    captured: Moment,
    captured_at: &str,
) -> Value {
    let mut facts = json!({
        "edge_id": edge_id,
        "camera_id": camera.map(|c| &c.id),
        "revision": request.revision,
        "role": role_name(role),
        "captured_at": captured_at,
        "clock": {"source": captured.quality, "synced": captured.quality.is_disciplined()},
        "legal_status": "lead",
    });
    let more = match &request.subject {
        EvidenceSubject::Incident(id) => ("incident_id", json!(id)),
        EvidenceSubject::Command { command_id, .. } => ("command_id", json!(command_id)),
    };
    let kind = request.kind.map(|kind| ("kind", json!(kind)));
    // Numbers in an object: a list of numbers is shown as empty by c2pa-rs.
    let place = camera.and_then(|c| c.point);
    let place = place.map(|(lon, lat)| ("place", json!({"lon": lon, "lat": lat, "datum": "WGS84"})));
    for (key, value) in [Some(more), kind, place].into_iter().flatten() {
        facts[key] = value;
    }
    facts
}

fn sign_file(
    signer: &Signer,
    place: &Place,
    role: EvidenceRole,
    statement: &Statement,
) -> Result<(), SignError> {
    let temporary = place.temporary();
    let signed = temporary.with_extension(SIGNED.trim_start_matches('.'));
    match write_signed(signer, place, &signed, role, statement) {
        Ok(()) => Ok(std::fs::rename(&signed, &temporary)?),
        Err(error) => {
            // It is not there if it could not be made.
            let _ = std::fs::remove_file(&signed);
            Err(error)
        }
    }
}

fn write_signed(
    signer: &Signer,
    place: &Place,
    signed: &Path,
    role: EvidenceRole,
    statement: &Statement,
) -> Result<(), SignError> {
    let mut from = place.open_temporary()?;
    let mut to = create_anew(signed)?;
    match role {
        EvidenceRole::Clip => sign_mp4(signer, &mut from, &mut to, statement),
        _ => {
            let picture = read_picture(&mut from)?;
            Ok(to.write_all(&sign_jpeg(signer, &picture, statement)?)?)
        }
    }
}

fn read_picture(from: &mut File) -> Result<Vec<u8>, SignError> {
    let mut picture = Vec::new();
    from.take(MAX_SIGNED_PICTURE_BYTES + 1).read_to_end(&mut picture)?;
    if picture.len() as u64 > MAX_SIGNED_PICTURE_BYTES {
        return Err(SignError::TooLong("the picture"));
    }
    Ok(picture)
}

#[cfg(test)]
mod tests;
