//! A piece of a granted file on its way over MQTT, where no other port is open: one line of JSON that says what it is, a line feed, the
//! bytes as they are. The same on MQTT 5 and 3.1.1; no journal record, because the file itself is on the disk.

use serde::Serialize;

use crate::grant::Grant;
use crate::identity::Identity;
use crate::outgoing::{Content, Outgoing};
use crate::text::to_json;
use crate::topic;

/// `type` of a piece.
pub const CHUNK: &str = "kerbside.evidence.chunk.v1";
/// Nobody who was away for longer waits for it; the centre can grant the rest anew.
const EXPIRY_S: u32 = 3600;

#[derive(Serialize)]
struct ChunkHead<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    source: String,
    grant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident_id: Option<&'a str>,
    path: &'a str,
    /// Of the first byte that follows.
    offset: u64,
    bytes: usize,
    /// Of the whole file.
    total: u64,
    sha256: &'a str,
}

/// The bytes from `offset` on, as they are published on `evidence/SET/chunk/OFFSET`. The trace gives it its number.
pub fn chunk(who: &Identity, grant: &Grant, total: u64, offset: u64, bytes: &[u8]) -> Outgoing {
    let (set, _) = grant.set_and_file();
    let head = ChunkHead {
        kind: CHUNK,
        source: who.source(),
        grant_id: &grant.id,
        incident_id: grant.incident_id(),
        path: &grant.path,
        offset,
        bytes: bytes.len(),
        total,
        sha256: &grant.sha256,
    };
    let root = topic::root(&who.division, &who.edge_id);
    let properties =
        [("id", format!("{}.{offset}", grant.id)), ("type", CHUNK.to_owned()), ("source", who.source())];
    Outgoing {
        seq: 0,
        topic: format!("{root}/evidence/{}/chunk/{offset}", topic::word(&set.to_lowercase())),
        qos: 1,
        retain: false,
        expiry_s: Some(EXPIRY_S),
        properties: properties.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        body: [to_json(&head).as_bytes(), b"\n", bytes].concat(),
        content: Content::Chunk,
    }
}

/// The head of a piece, as JSON, and its bytes. `None`: not a piece.
pub fn read(payload: &[u8]) -> Option<(serde_json::Value, &[u8])> {
    let end = payload.iter().position(|b| *b == b'\n')?;
    let (head, bytes) = payload.split_at_checked(end)?;
    let head: serde_json::Value = serde_json::from_slice(head).ok()?;
    let bytes = bytes.get(1..)?;
    (head["type"] == CHUNK && head["bytes"] == bytes.len()).then_some((head, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::who;

    #[test]
    fn a_piece_says_what_it_is_and_carries_its_bytes_as_they_are() {
        let now = kerbside_domain::time::Moment {
            wall_ms: crate::testing::NOW_MS,
            quality: kerbside_domain::time::ClockQuality::Ntp,
            ..Default::default()
        };
        let mut data = crate::testing::grant::data("g1");
        data["method"] = "MQTT".into();
        data.as_object_mut().unwrap().remove("url");
        let grant = crate::testing::grant::sealed(&data);
        let grant = crate::SignedGrant::read(grant.as_bytes()).unwrap();
        let grant = grant.judged(&who(), &crate::testing::keys(), now, |_| false).unwrap().grant;
        let outgoing = chunk(&who(), &grant, 70_000, 32_768, b"\0\xff\n{");
        assert_eq!(outgoing.topic, "cg/v1/310112/mh-xz-017/evidence/01jincident/chunk/32768");
        let (head, bytes) = read(&outgoing.body).unwrap();
        assert_eq!(bytes, b"\0\xff\n{");
        assert_eq!((&head["offset"], &head["total"]), (&32_768.into(), &70_000.into()));
        assert_eq!((&head["incident_id"], &head["sha256"]), (&"01JINCIDENT".into(), &"ab".repeat(32).into()));
        crate::tests::schemas().check(&head).unwrap();
        assert!(read(&outgoing.body[..outgoing.body.len() - 1]).is_none(), "cut short");
    }
}
