//! `evidence.grant`: the centre wants a file and says where to put it. Signed as commands are: whoever could forge one could
//! have the pictures.

use std::collections::BTreeMap;

use kerbside_crypto::sign::CentreKey;
use kerbside_domain::time::{ClockQuality, Moment};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::limits;
use crate::refusal::{GrantRefusal, NotGenuine, Refusal, instant, limited, malformed};
use crate::signed::{Signed, target};
use crate::text::clipped;

/// CloudEvents type of a grant.
pub const GRANT: &str = "kerbside.evidence.grant.v1";
/// Evidence of a command lies in a folder whose name begins so.
pub(crate) const COMMAND_SET: &str = "cmd-";

/// A file that the centre wants, and the way there: HTTPS (plain HTTP only to this machine itself), or pieces over MQTT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Names it once and for all.
    pub id: String,
    /// As the manifest names the file, below the evidence folder.
    pub path: String,
    /// 64 hex digits: what the file must be.
    pub sha256: String,
    /// Wall clock, ms.
    pub expires_at_ms: i64,
    /// Empty: over MQTT.
    pub url: String,
    /// Over MQTT: where to go on, bytes; what comes before has been acknowledged.
    #[serde(default)]
    pub offset: u64,
    /// Of the HTTP request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The server can be asked how far it got (`Content-Range: bytes */N`, answered 308 with `Range`).
    #[serde(default)]
    pub resumable: bool,
}

#[derive(Deserialize)]
struct GrantData {
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

/// A grant as it came; nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedGrant {
    signed: Signed,
}

impl SignedGrant {
    /// Reads the envelope.
    pub fn read(payload: &[u8]) -> Result<SignedGrant, Refusal> {
        Ok(SignedGrant { signed: Signed::read(payload, GRANT)? })
    }

    /// The grant, if it is the centre's, for this box, in time, and for a file of the evidence folder.
    pub fn verified(&self, who: &Identity, keys: &[CentreKey], now: Moment) -> Result<Grant, Refusal> {
        self.signed.signer(keys)?;
        let data: GrantData = serde_json::from_str(&self.signed.text).map_err(|e| malformed(&e))?;
        limited("id", &data.id, limits::ID)?;
        limited("path", &data.path, limits::TEXT)?;
        if data.target != target(who, false) {
            return Err(NotGenuine::OtherBox(clipped(&data.target)).into());
        }
        match data.method.as_deref() {
            None | Some("PUT") => limited("url", &data.url, limits::URL)?,
            Some("MQTT") if data.url.is_empty() => {}
            Some("MQTT") => return Err(GrantRefusal::UrlWithMqtt.into()),
            Some(_) => return Err(GrantRefusal::UnknownMethod.into()),
        }
        let expires_at_ms = instant("expires_at", &data.expires_at)?;
        if now.quality == ClockQuality::None || expires_at_ms <= now.wall_ms {
            return Err(GrantRefusal::Expired.into());
        }
        if !is_below(&data.path) {
            return Err(GrantRefusal::NotEvidence(clipped(&data.path)).into());
        }
        let GrantData { id, path, sha256, url, offset, headers, resumable, .. } = data;
        Ok(Grant { id, path, sha256, expires_at_ms, url, offset, headers, resumable })
    }
}

/// `day/set/file`, and nothing that climbs out.
fn is_below(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    parts.len() == 3
        && parts.iter().all(|p| !p.is_empty() && !p.starts_with('.') && !p.contains(['\\', '\0']))
}

impl Grant {
    /// In pieces through the link, see [`crate::chunk`].
    pub fn is_by_mqtt(&self) -> bool {
        self.url.is_empty()
    }

    /// Folder of the incident (or command) and name of the file in it.
    pub fn set_and_file(&self) -> (&str, &str) {
        let mut parts = self.path.rsplit('/');
        let file = parts.next().unwrap_or_default();
        (parts.next().unwrap_or_default(), file)
    }

    /// The incident whose file it is; `None`: a command's.
    pub fn incident_id(&self) -> Option<&str> {
        Some(self.set_and_file().0).filter(|set| !set.starts_with(COMMAND_SET))
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
        let judged = |payload: &str, now| {
            SignedGrant::read(payload.as_bytes()).and_then(|grant| grant.verified(&who(), &keys(), now))
        };
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
            let mut data = data("g1");
            data[key] = Value::from(value);
            refused(&sealed(&data), now, why);
        }
    }
}
