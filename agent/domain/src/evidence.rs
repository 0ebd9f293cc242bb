//! Evidence: what shall be made, what was made, and what it is about.

use serde::{Deserialize, Serialize};

use crate::detection::ReportObject;
use crate::frame::{BBox, CameraIx};
use crate::kind::Kind;
use crate::time::Moment;

/// What evidence is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceSubject {
    /// An incident, by its id.
    Incident(String),
    /// A command of the centre, which asked for pictures of a camera.
    Command {
        /// Id of the command, safe for a file name.
        command_id: String,
        /// Id of the camera.
        camera_id: String,
    },
}

impl EvidenceSubject {
    /// The name of its set of files: the incident's id, or one made of command and camera.
    pub fn set_id(&self) -> String {
        match self {
            EvidenceSubject::Incident(id) => id.clone(),
            EvidenceSubject::Command { command_id, camera_id } => format!("cmd-{command_id}-{camera_id}"),
        }
    }

    /// The incident, if it is about one.
    pub fn incident_id(&self) -> Option<&str> {
        match self {
            EvidenceSubject::Incident(id) => Some(id),
            EvidenceSubject::Command { .. } => None,
        }
    }
}

/// What the evidence stage shall make for one revision, or for a command.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceRequest {
    /// What it is about.
    pub subject: EvidenceSubject,
    /// Of the incident; 1 for a command.
    pub revision: u32,
    /// Of the incident; `None` for a command.
    pub kind: Option<Kind>,
    /// Whose pictures.
    pub camera: CameraIx,
    /// The moment that the picture before the object appeared shows.
    pub before_at: Option<Moment>,
    /// The moment that the trigger picture shows.
    pub trigger_at: Moment,
    /// The clip shall cover this span, if the ring still holds it.
    pub clip: Option<(Moment, Moment)>,
    /// Id of the zone that is drawn into the annotated picture.
    pub zone: String,
    /// Drawn into it.
    pub bbox: BBox,
    /// Drawn into it.
    pub objects: Vec<ReportObject>,
    /// What shall be made.
    pub roles: Vec<EvidenceRole>,
    /// What is known of the incident besides.
    pub facts: IncidentFacts,
}

/// What an officer reads beside the pictures of an incident. Absent where it is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IncidentFacts {
    /// What stood there is gone.
    pub is_gone: bool,
    /// How long it has stood, s.
    pub dwell_s: Option<f64>,
    /// The centre's number of the case.
    pub case_no: Option<String>,
    /// Id of the sensor that reports it, which says where it is.
    pub sensor: Option<String>,
}

/// What came of a request to the evidence stage.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceOutcome {
    /// As in the request.
    pub subject: EvidenceSubject,
    /// As in the request.
    pub revision: u32,
    /// The requested roles that this settles, made or not; the others are still to come.
    pub answers: Vec<EvidenceRole>,
    /// What is durable now; empty when all failed.
    pub items: Vec<EvidenceItem>,
    /// Why something requested is missing, e.g. "clip degraded to snapshot: queue full".
    pub shortfall: Option<String>,
}

/// One durable file. Paths are relative to the evidence folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceItem {
    /// Unique within its set of files.
    pub id: String,
    /// What it shows.
    pub role: EvidenceRole,
    /// Media type.
    pub media: String,
    /// Below the evidence folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// 64 hex digits.
    pub sha256: String,
    /// The moment that it shows or begins with.
    pub captured: Moment,
    /// Heads and number plates are masked in it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub masked: bool,
    /// It was enlarged by this factor: the camera's picture has fewer pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enlarged: Option<f32>,
    /// The camera has a stream of full resolution, and this comes from the smaller one, because the other gave nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub from_sub_stream: bool,
    /// Of a manifest: the box's detached signature over the file's bytes, 128 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a file of evidence shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceRole {
    /// The place before the object appeared.
    Before,
    /// The moment when the incident opened.
    Trigger,
    /// The same, with zone, object and people drawn in.
    Annotated,
    /// The thing itself, large, cut out of the trigger picture.
    CloseUp,
    /// Place, close-up, before and now on one picture, with the facts beside them.
    Sheet,
    /// The place now, after clearing or a recheck.
    After,
    /// A picture that the centre commanded.
    Snapshot,
    /// The coming and the leaving.
    Clip,
    /// The list of the other files, with their hashes.
    Manifest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_files_is_named_after_its_incident_or_its_command() {
        let incident = EvidenceSubject::Incident("01J".into());
        let command = EvidenceSubject::Command { command_id: "c1".into(), camera_id: "cam1".into() };
        assert_eq!((incident.set_id().as_str(), command.set_id().as_str()), ("01J", "cmd-c1-cam1"));
        assert_eq!((incident.incident_id(), command.incident_id()), (Some("01J"), None));
    }
}
