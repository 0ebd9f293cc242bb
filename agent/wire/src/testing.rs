//! Fixtures for tests of this crate and of those that speak through it: a box, its keys, a report, signed commands and grants.

use kerbside_crypto::sign::CentreKey;
use kerbside_crypto::testing::key;
use kerbside_domain::detection::Group;
use kerbside_domain::detection::ReportObject;
use kerbside_domain::evidence::{EvidenceItem, EvidenceRole};
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::kind::{Act, Kind};
use kerbside_domain::report::{Cause, IncidentState, Phase, Report};
use kerbside_domain::time::{ClockQuality, Moment, Mono};
use serde_json::{Value, json};

use crate::{CameraName, Identity, signed};

/// 2026-11-21T08:31:05.120+08:00.
pub const NOW_MS: i64 = 1_795_221_065_120;

/// The centre's key that signs them.
pub fn keys() -> Vec<CentreKey> {
    vec![CentreKey::new("ops-2026", key().public())]
}

/// The box of all golden texts.
pub fn who() -> Identity {
    let camera = CameraName {
        id: "cam1".into(),
        gb28181_id: Some("31011200001320000017".into()),
        ..CameraName::default()
    };
    Identity {
        division: "310112".into(),
        edge_id: "mh-xz-017".into(),
        utc_offset_s: 8 * 3600,
        cameras: vec![camera],
        version: "0.1.0".into(),
        ..Identity::default()
    }
}

/// So many seconds after [`NOW_MS`].
pub fn at(s: f64) -> Moment {
    let wall_ms = 1_795_221_065_120 + (s * 1000.0) as i64;
    Moment { mono: Mono::from_s(s), wall_ms, quality: ClockQuality::Ntp }
}

/// A report with one object, one picture and one clip to come.
pub fn report(incident: &str, revision: u32) -> Report {
    let bbox = BBox { x: 0.31, y: 0.52, w: 0.12, h: 0.2 };
    Report {
        incident_id: incident.into(),
        revision,
        phase: if revision == 1 { Phase::Opened } else { Phase::Updated },
        cause: if revision == 1 { Cause::Dwell } else { Cause::Evidence },
        state: IncidentState::Open,
        kind: Kind::StallOccupying,
        act: Some(Act::InProgress),
        confidence: 0.91,
        at: at(186.0),
        first_seen: at(0.0),
        started: at(0.0),
        last_seen: at(186.0),
        dwell_s: 186.0,
        count: 2,
        camera: CameraIx(0),
        zone: "sidewalk-1".into(),
        rule: "no-vending".into(),
        bbox,
        objects: vec![ReportObject {
            track: Some(17),
            label: "stall".into(),
            group: Group::Stall,
            confidence: 0.93,
            bbox,
        }],
        reasons: vec![("attended_share".into(), Value::from(0.8))],
        evidence: vec![EvidenceItem {
            id: "ev1".into(),
            role: EvidenceRole::Trigger,
            media: "image/jpeg".into(),
            path: "2026-11-21/a.jpg".into(),
            bytes: 186_233,
            sha256: "ab".repeat(32),
            captured: at(186.0),
            masked: false,
            enlarged: None,
            from_sub_stream: false,
            signature: None,
        }],
        evidence_pending: vec![EvidenceRole::Clip],
        sensor: None,
        previous: None,
        recheck: None,
    }
}

/// Signed commands.
pub mod command {
    use super::*;
    use crate::command::COMMAND;

    /// Whom they are for.
    pub const BOX: &str = "urn:kerbside:310112:mh-xz-017";

    /// What is signed.
    pub fn data(id: &str, verb: &str, args: Value) -> Value {
        json!({"id": id, "target": BOX, "verb": verb, "issued_at": "2026-11-21T08:30:00+08:00",
            "expires_at": "2026-11-21T08:40:00+08:00", "actor": "desk-3", "args": args})
    }

    /// The same, signed, in its envelope.
    pub fn sealed(data: &Value) -> String {
        let id = data["id"].as_str().unwrap_or_default();
        signed::envelope(COMMAND, id, "2026-11-21T08:30:00+08:00", "ops-2026", &key(), &data.to_string())
    }
}

/// A signed receipt or case state: `data` gets its box and its time.
pub fn stated(kind: &str, mut data: Value) -> String {
    data["target"] = who().source().into();
    data["issued_at"] = "2026-11-21T08:30:00+08:00".into();
    signed::envelope(kind, "s1", "2026-11-21T08:30:00+08:00", "ops-2026", &key(), &data.to_string())
}

/// Signed grants of evidence.
pub mod grant {
    use super::*;
    use crate::grant::GRANT;

    /// What is signed.
    pub fn data(id: &str) -> Value {
        json!({"id": id, "target": "urn:kerbside:310112:mh-xz-017", "path": "2026-11-21/01JINCIDENT/r1-clip.mp4",
            "sha256": "ab".repeat(32), "issued_at": "2026-11-21T08:30:00+08:00",
            "expires_at": "2026-11-21T08:40:00+08:00", "method": "PUT",
            "url": "https://centre.example/bucket/clip?X-Signature=secret", "headers": {"x-amz-acl": "private"}})
    }

    /// The same, signed, in its envelope.
    pub fn sealed(data: &Value) -> String {
        let key = kerbside_crypto::testing::key();
        signed::envelope(GRANT, "g", "2026-11-21T08:30:00+08:00", "ops-2026", &key, &data.to_string())
    }
}
