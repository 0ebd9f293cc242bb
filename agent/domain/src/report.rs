//! A statement about one incident.

use serde::{Deserialize, Serialize};

use crate::detection::ReportObject;
use crate::evidence::{EvidenceItem, EvidenceRole};
use crate::frame::{BBox, CameraIx};
use crate::kind::{Act, Kind};
use crate::time::Moment;

/// What a report says of its incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is new.
    Opened,
    /// Something about it is new; see the [`Cause`].
    Updated,
    /// What stood there is gone.
    Cleared,
    /// It was none.
    Withdrawn,
    /// The place was looked at again.
    Recheck,
}

/// Whether an incident is open, whatever its latest revision was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// It stands there, as far as is known.
    Open,
    /// What stood there is gone. It may reappear.
    Cleared,
    /// It was none.
    Withdrawn,
}

impl IncidentState {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            IncidentState::Open => "open",
            IncidentState::Cleared => "cleared",
            IncidentState::Withdrawn => "withdrawn",
        }
    }
}

/// Why a revision exists. Written as one word; what another version wrote is kept as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Cause {
    /// The incident is new.
    Opened,
    /// It was cleared, and the same came back within the repeat interval.
    Reappeared,
    /// It became larger.
    Grew,
    /// Evidence is ready, or will not come.
    Evidence,
    /// A review of the packet ring showed who left it. Written as `looked_back`.
    Review,
    /// It is gone.
    Cleared,
    /// It proved to be a vehicle or a person.
    VehicleOrPerson,
    /// Its place was looked at again.
    Recheck,
    /// It was dated by a wrong clock: its times are put right.
    Clock,
    /// A cause that this version does not know.
    Other(String),
}

impl Cause {
    /// Every cause that this version knows.
    pub const KNOWN: [Cause; 9] = [
        Cause::Opened,
        Cause::Reappeared,
        Cause::Grew,
        Cause::Evidence,
        Cause::Review,
        Cause::Cleared,
        Cause::VehicleOrPerson,
        Cause::Recheck,
        Cause::Clock,
    ];

    /// As it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Cause::Opened => "opened",
            Cause::Reappeared => "reappeared",
            Cause::Grew => "grew",
            Cause::Evidence => "evidence",
            Cause::Review => "looked_back",
            Cause::Cleared => "cleared",
            Cause::VehicleOrPerson => "vehicle_or_person",
            Cause::Recheck => "recheck",
            Cause::Clock => "clock",
            Cause::Other(text) => text,
        }
    }
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Cause::KNOWN.into_iter().find(|c| c.as_str() == text).unwrap_or(Cause::Other(text))
    }
}

impl From<Cause> for String {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Other(text) => text,
            known => known.as_str().to_owned(),
        }
    }
}

/// A statement about one incident. The wire makes its message from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// ULID as text.
    pub incident_id: String,
    /// From 1; event id is `incident_id.revision`.
    pub revision: u32,
    /// What this revision says.
    pub phase: Phase,
    /// Why this revision exists.
    pub cause: Cause,
    /// What sort of incident it is.
    pub kind: Kind,
    /// Whether somebody was seen doing it; `None` where the kind does not say.
    pub act: Option<Act>,
    /// How sure that is, 0..1.
    pub confidence: f32,
    /// When this revision was made.
    pub at: Moment,
    /// When the object appeared.
    pub first_seen: Moment,
    /// When it was last seen.
    pub last_seen: Moment,
    /// How long it has stood, s.
    pub dwell_s: f64,
    /// How many objects.
    pub count: u32,
    /// Which camera saw it.
    pub camera: CameraIx,
    /// Id of the zone that it is in.
    pub zone: String,
    /// Id of the rule that it breaks.
    pub rule: String,
    /// Where it is, in shares of the picture.
    pub bbox: BBox,
    /// The object itself, then who stays with it.
    pub objects: Vec<ReportObject>,
    /// What was seen and why it was called so: attendant share, visits, size, ... for the officer who reads.
    pub reasons: Vec<(String, serde_json::Value)>,
    /// The files that are durable.
    pub evidence: Vec<EvidenceItem>,
    /// Evidence is being made: the report names its roles as `pending`.
    pub evidence_pending: Vec<EvidenceRole>,
    /// Only with [`Phase::Recheck`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck: Option<Recheck>,
}

/// What looking again found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recheck {
    /// Whether it is still there.
    pub result: RecheckResult,
    /// `seen_there`, `place_seen_free`, or what hindered: `hidden`, `camera_off:silent`, ...
    pub why: String,
    /// Frames in a row that agree. Stored as `looks`.
    #[serde(rename = "looks")]
    pub frames: u32,
    /// Ids of the commands that are answered.
    pub commands: Vec<String>,
}

/// Whether an incident was still there when its place was looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecheckResult {
    /// The place was seen free.
    Cleared,
    /// It was seen there.
    Persisting,
    /// Neither could be seen.
    Unobservable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_written_as_every_journal_has_them() {
        let texts: Vec<String> = Cause::KNOWN.into_iter().map(String::from).collect();
        let written = [
            "opened",
            "reappeared",
            "grew",
            "evidence",
            "looked_back",
            "cleared",
            "vehicle_or_person",
            "recheck",
            "clock",
        ];
        assert_eq!(texts, written);
        for text in written {
            assert_eq!(Cause::from(text.to_owned()).as_str(), text);
            assert!(!matches!(Cause::from(text.to_owned()), Cause::Other(_)), "{text}");
        }
        let newer: Cause = serde_json::from_str("\"settled\"").expect("a word");
        assert_eq!(serde_json::to_string(&newer).expect("a word"), "\"settled\"");
    }

    #[test]
    fn a_recheck_is_stored_under_its_old_name() {
        let recheck =
            Recheck { result: RecheckResult::Cleared, why: "x".into(), frames: 3, commands: vec![] };
        let text = serde_json::to_string(&recheck).expect("plain data");
        assert_eq!(text, r#"{"result":"cleared","why":"x","looks":3,"commands":[]}"#);
    }
}
