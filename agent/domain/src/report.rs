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
    /// The box warned at the place, and it went away: no case. The only report of what it says but for evidence.
    Settled,
    /// The place was looked at again.
    Recheck,
}

/// Whether an incident is open, whatever its latest revision was about. Every revision says it: whoever keeps only the newest
/// revision knows the state (invariant 16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// It stands there, as far as is known.
    #[default]
    Open,
    /// What stood there is gone. It may reappear.
    Cleared,
    /// It was none.
    Withdrawn,
    /// It went away after a warning; nobody was sent.
    Settled,
}

impl IncidentState {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            IncidentState::Open => "open",
            IncidentState::Cleared => "cleared",
            IncidentState::Withdrawn => "withdrawn",
            IncidentState::Settled => "settled",
        }
    }
}

/// Why a revision exists: a closed set. On the wire `reported_because`. Journals of version 0.1 have other words for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Something stayed for the dwell of a rule: the incident is new.
    #[serde(alias = "opened")]
    Dwell,
    /// It was cleared, and the same came back within the repeat interval.
    Reappeared,
    /// It became larger.
    Grew,
    /// A sensor says so: its alarm, or its word in a rule.
    Sensor,
    /// Somebody pressed a call button, for the first time or again.
    Pressed,
    /// The sensor says that it is over, or nobody has pressed for long.
    SensorQuiet,
    /// Evidence is ready, or will not come.
    Evidence,
    /// A review of the packet ring showed who left it.
    #[serde(alias = "looked_back")]
    Review,
    /// All of it is gone.
    #[serde(alias = "cleared")]
    Gone,
    /// It proved to be a vehicle or a person.
    VehicleOrPerson,
    /// Its place was looked at again.
    Recheck,
    /// It was dated by a wrong clock: its times are put right.
    Clock,
    /// What another version wrote into the journal. Never reported.
    #[serde(other)]
    Unknown,
}

impl Cause {
    /// Every cause that is reported.
    pub const ALL: [Cause; 12] = [
        Cause::Dwell,
        Cause::Reappeared,
        Cause::Grew,
        Cause::Sensor,
        Cause::Pressed,
        Cause::SensorQuiet,
        Cause::Evidence,
        Cause::Review,
        Cause::Gone,
        Cause::VehicleOrPerson,
        Cause::Recheck,
        Cause::Clock,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Dwell => "dwell",
            Cause::Reappeared => "reappeared",
            Cause::Grew => "grew",
            Cause::Sensor => "sensor",
            Cause::Pressed => "pressed",
            Cause::SensorQuiet => "sensor_quiet",
            Cause::Evidence => "evidence",
            Cause::Review => "review",
            Cause::Gone => "gone",
            Cause::VehicleOrPerson => "vehicle_or_person",
            Cause::Recheck => "recheck",
            Cause::Clock => "clock",
            Cause::Unknown => "unknown",
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
    /// What the incident is after this revision.
    #[serde(default)]
    pub state: IncidentState,
    /// What sort of incident it is.
    pub kind: Kind,
    /// Whether somebody was seen doing it; `None` where the kind does not say.
    pub act: Option<Act>,
    /// How sure that is, 0..1.
    pub confidence: f32,
    /// When this revision was made.
    pub at: Moment,
    /// When an object appeared here for the first time.
    pub first_seen: Moment,
    /// When this appearance began: later than `first_seen` for what was cleared and came back. A journal of version 0.1 has none.
    #[serde(default)]
    pub started: Moment,
    /// When it was last seen.
    pub last_seen: Moment,
    /// How long it has stood since `started`, s.
    pub dwell_s: f64,
    /// How many objects.
    pub count: u32,
    /// Which camera saw it.
    pub camera: CameraIx,
    /// Id of the zone that it is in.
    pub zone: String,
    /// Id of the rule that it breaks.
    pub rule: String,
    /// Its place, in shares of the picture: the largest box of this appearance. What goes piece by piece keeps its place.
    pub bbox: BBox,
    /// The object itself, then who stays with it.
    pub objects: Vec<ReportObject>,
    /// What was seen and why it was called so: attendant share, visits, size, ... for the officer who reads.
    pub reasons: Vec<(String, serde_json::Value)>,
    /// The durable files that this revision is the first to name, or whose dates it puts right. What an earlier one named stands in
    /// its manifest.
    pub evidence: Vec<EvidenceItem>,
    /// What is still being made of this revision, or of the one whose files it names.
    pub evidence_pending: Vec<EvidenceRole>,
    /// The sensor on whose word it is reported, and what it read last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<SensorWitness>,
    /// The incident that was here before, whose case the centre has ended. An ended case is never continued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Only with [`Phase::Recheck`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck: Option<Recheck>,
}

/// The sensor on whose word an incident is reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensorWitness {
    /// Id of the sensor.
    pub id: String,
    /// What it read last, in its unit.
    pub value: f64,
    /// Its unit; `1` for a state.
    pub unit: String,
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
    fn causes_are_written_as_they_are_named_and_read_as_every_journal_has_them() {
        let read = |word: &str| serde_json::from_str::<Cause>(&format!("{word:?}")).expect("a word");
        for cause in Cause::ALL {
            assert_eq!(serde_json::to_string(&cause).expect("a word"), format!("{:?}", cause.as_str()));
            assert_eq!(read(cause.as_str()), cause);
        }
        let older = [("opened", Cause::Dwell), ("looked_back", Cause::Review), ("cleared", Cause::Gone)];
        for (word, cause) in older {
            assert_eq!(read(word), cause);
        }
        assert_eq!(read("a_word_of_tomorrow"), Cause::Unknown);
    }

    #[test]
    fn a_recheck_is_stored_under_its_old_name() {
        let recheck =
            Recheck { result: RecheckResult::Cleared, why: "x".into(), frames: 3, commands: vec![] };
        let text = serde_json::to_string(&recheck).expect("plain data");
        assert_eq!(text, r#"{"result":"cleared","why":"x","looks":3,"commands":[]}"#);
    }
}
