//! `evidence.grant`: the centre wants a file and says where to put it. Signed as commands are: whoever could forge one could
//! have the pictures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Identity;
use super::down::{Refusal, clipped, instant, limited};
use super::signed::{Signed, target};
use kerbside_crypto::sign::CentreKey;
use kerbside_domain::time::{ClockQuality, Moment};

pub const GRANT: &str = "kerbside.evidence.grant.v1";

/// Grants that wait for their upload at once; a further one is refused.
pub const MAX_GRANTS: usize = 256;

/// A file that the centre wants, and the way there: HTTPS (plain HTTP only to this machine itself), or pieces over MQTT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: String,
    /// As the manifest names the file, below the evidence folder.
    pub path: String,
    /// 64 hex digits: what the file must be.
    pub sha256: String,
    pub expires_at_ms: i64,
    /// Empty: over MQTT.
    pub url: String,
    /// Over MQTT: where to go on; what comes before has been acknowledged.
    #[serde(default)]
    pub offset: u64,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The server can be asked how far it got (`Content-Range: bytes */N`, answered 308 with `Range`).
    #[serde(default)]
    pub resumable: bool,
}

#[derive(Deserialize)]
struct Data {
    id: String,
    target: String,
    path: String,
    sha256: String,
    expires_at: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    resumable: bool,
}

/// Reads a grant and judges it: `Err` says why it counts for nothing.
pub fn read(who: &Identity, keys: &[CentreKey], payload: &[u8], now: Moment) -> Result<Grant, Refusal> {
    let signed = Signed::read(payload, GRANT)?;
    signed.signer(keys).map_err(Refusal::Command)?;
    let data: Data =
        serde_json::from_str(&signed.text).map_err(|e| Refusal::Malformed(clipped(&e.to_string())))?;
    for (what, text, limit) in [("id", &data.id, 128), ("path", &data.path, 512)] {
        limited(what, text, limit)?;
    }
    let refused = |why: String| Err(Refusal::Command(why));
    if data.target != target(who, false) {
        return refused(format!("for another box: {:?}", clipped(&data.target)));
    }
    match data.method.as_deref() {
        None | Some("PUT") => limited("url", &data.url, 4096)?,
        Some("MQTT") if data.url.is_empty() => {}
        Some("MQTT") => return refused("MQTT needs no url".to_owned()),
        Some(_) => return refused("only PUT and MQTT are known".to_owned()),
    }
    let expires_at_ms = instant("expires_at", &data.expires_at)?;
    if now.quality == ClockQuality::None || expires_at_ms <= now.wall_ms {
        return refused("expired, or the clock is not synchronised".to_owned());
    }
    if !is_below(&data.path) {
        return refused(format!("{:?} is no file of the evidence folder", clipped(&data.path)));
    }
    let Data { id, path, sha256, url, offset, headers, resumable, .. } = data;
    Ok(Grant { id, path, sha256, expires_at_ms, url, offset, headers, resumable })
}

/// `day/incident/file`, and nothing that climbs out.
fn is_below(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    parts.len() == 3
        && parts.iter().all(|p| !p.is_empty() && !p.starts_with('.') && !p.contains(['\\', '\0']))
}

impl Grant {
    /// In pieces through the link, see [`super::chunk`].
    pub fn is_by_mqtt(&self) -> bool {
        self.url.is_empty()
    }

    /// Folder of the incident (or command) and name of the file in it.
    pub fn set_and_file(&self) -> (&str, &str) {
        let mut parts = self.path.rsplit('/');
        let file = parts.next().unwrap_or_default();
        (parts.next().unwrap_or_default(), file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::grant::{data, sealed};
    use crate::testing::{NOW_MS, keys, who};
    use serde_json::Value;

    #[test]
    fn a_grant_counts_only_signed_for_this_box_in_time_and_for_its_own_files() {
        let now = Moment { wall_ms: NOW_MS, quality: ClockQuality::Ntp, ..Moment::default() };
        let judged = |payload: &str, now| read(&who(), &keys(), payload.as_bytes(), now);
        let good = sealed(&data("g1"));
        let grant = judged(&good, now).unwrap();
        assert_eq!(grant.set_and_file(), ("01JINCIDENT", "r1-clip.mp4"));
        assert_eq!(grant.headers["x-amz-acl"], "private");
        let refused = |payload: &str, now: Moment, why: &str| {
            let refusal = judged(payload, now).unwrap_err().to_string();
            assert!(refusal.contains(why), "{why}: {refusal}");
        };
        refused(&good.replace("centre.example", "thief.example"), now, "signature");
        refused(&good, Moment { wall_ms: NOW_MS + 3_600_000, ..now }, "expired");
        refused(&good, Moment { quality: ClockQuality::None, ..now }, "clock");
        for (key, value, why) in [
            ("target", "urn:kerbside:310112:mh-xz-018", "another box"),
            ("method", "POST", "PUT"),
            ("method", "MQTT", "no url"),
            ("path", "../../box.key", "no file of the evidence folder"),
            ("path", "2026-11-21/../box.key", "no file of the evidence folder"),
            ("path", "2026-11-21/01J/.hold", "no file of the evidence folder"),
            ("path", "/etc/passwd", "no file of the evidence folder"),
            ("path", "a/b/c/d", "no file of the evidence folder"),
            ("url", "", "url with 0 bytes"),
        ] {
            let mut told = data("g1");
            told[key] = Value::from(value);
            refused(&sealed(&told), now, why);
        }
    }
}
