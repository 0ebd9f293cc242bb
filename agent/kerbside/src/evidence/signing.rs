//! Signing: a C2PA manifest in each picture and clip, put in before the file is hashed, so that tools that are not ours can tell
//! which box made it and that nothing was changed since.
//!
//! It is done here, in the main process: the child that decodes what a camera sends must never hold the key. The file that the
//! child wrote counts as hostile. What cannot be signed stays as it is, and log, metrics and the report say so.

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
use crate::durable::create_anew;

impl Evidence {
    /// The picture with the box's signature in it; `None`: it stays unsigned, and the report says so if the box signs at all.
    pub(super) fn signed_picture(
        &mut self,
        request: &EvidenceRequest,
        place: &Place,
        role: EvidenceRole,
        captured: Moment,
        picture: &[u8],
    ) -> Option<Vec<u8>> {
        let is_drawn_in = matches!(role, EvidenceRole::Annotated | EvidenceRole::Sheet) || place.is_masked();
        let edit = is_drawn_in.then_some(Edit::DrawnIn);
        let statement = Statement { edit, ..self.statement(request, place, role, captured) };
        let signed = sign_jpeg(self.signing.as_mut()?.signer(), picture, &statement);
        self.count_signed(role, signed)
    }

    /// Signs the clip that a child wrote for `place`. `encoded`: its pictures are no longer as the camera encoded them.
    pub(super) fn sign_clip(
        &mut self,
        request: &EvidenceRequest,
        place: &Place,
        captured: Moment,
        encoded: bool,
    ) {
        let role = EvidenceRole::Clip;
        let edit = encoded.then_some(Edit::Encoded);
        let statement = Statement { edit, ..self.statement(request, place, role, captured) };
        let Some(signing) = &mut self.signing else { return };
        let signed = sign_clip(signing.signer(), place, &statement);
        self.count_signed(role, signed);
    }

    fn count_signed<T>(&mut self, role: EvidenceRole, signed: Result<T, SignError>) -> Option<T> {
        match signed {
            Ok(signed) => {
                self.counters.signed += 1;
                Some(signed)
            }
            Err(error) => {
                self.not_signed(role, &error);
                None
            }
        }
    }

    /// Counts what stays unsigned, if the box signs at all.
    pub(super) fn not_signed(&mut self, role: EvidenceRole, why: &SignError) {
        if self.signing.is_some() {
            self.counters.unsigned += 1;
            self.unsigned.push(Shortfall::Unsigned(role, why.to_string()));
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

fn sign_clip(signer: &Signer, place: &Place, statement: &Statement) -> Result<(), SignError> {
    let temporary = place.temporary();
    let signed = temporary.with_extension(SIGNED.trim_start_matches('.'));
    match write_signed(signer, place, &signed, statement) {
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
    statement: &Statement,
) -> Result<(), SignError> {
    let mut from = place.open_temporary()?;
    let mut to = create_anew(signed)?;
    sign_mp4(signer, &mut from, &mut to, statement)
}

#[cfg(test)]
mod tests;
