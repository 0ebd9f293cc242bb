//! `evidence.grant`: the centre wants a file and says where to put it. Signed as commands are: whoever could forge one could
//! have the pictures.

use std::collections::BTreeMap;

use kerbside_crypto::sign::CentreKey;
use kerbside_domain::evidence::EvidenceItem;
use kerbside_domain::time::{Moment, Mono};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::limits;
use crate::refusal::{GrantRefusal, NotGenuine, Refusal, instant, limited, malformed};
use crate::scope;
use crate::signed::{Signed, target};
use crate::text::clipped;

/// CloudEvents type of a grant.
pub const GRANT: &str = "kerbside.evidence.grant.v1";
/// Evidence of a command lies in a folder whose name begins so.
const COMMAND_SET: &str = "cmd-";

/// A file that the centre wants, and the way there: HTTPS (plain HTTP only to this machine itself), or pieces over MQTT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Names it once and for all.
    pub id: String,
    /// As the manifest names the file, below the evidence folder.
    pub path: String,
    /// 64 hex digits: what the file must be.
    pub sha256: String,
    /// Wall clock of the centre, ms.
    pub expires_at_ms: i64,
    /// Wall clock of the centre, ms; a grant that does not say it counts as issued as early as its validity allows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub issued_at_ms: i64,
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
    /// The original is wanted where the site sends masked pictures only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unmasked: bool,
    /// The box's own: it sends the file by the site's policy, and nobody granted it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// Until when it is tried, on the monotonic clock of this run: a jump of the wall clock ends nothing. `None`: the wall clock
    /// says it.
    #[serde(skip)]
    pub until: Option<Mono>,
}

fn is_zero(ms: &i64) -> bool {
    *ms == 0
}

#[derive(Deserialize)]
struct GrantData {
    id: String,
    target: String,
    path: String,
    sha256: String,
    expires_at: String,
    #[serde(default)]
    issued_at: Option<String>,
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
    #[serde(default)]
    unmasked: bool,
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

    /// The grant, if it is the centre's and for this box, and whether it is followed at `now`. `is_forgotten`: whether
    /// what was issued then may have been followed and forgotten.
    pub fn judged(
        &self,
        who: &Identity,
        keys: &[CentreKey],
        now: Moment,
        is_forgotten: impl Fn(i64) -> bool,
    ) -> Result<JudgedGrant, Refusal> {
        self.signed.signer(keys, &[scope::GRANT], now)?;
        let data: GrantData = serde_json::from_str(&self.signed.text).map_err(|e| malformed(&e))?;
        limited("id", &data.id, limits::ID)?;
        limited("path", &data.path, limits::TEXT)?;
        if data.target != target(who, false) {
            return Err(NotGenuine::OtherBox(clipped(&data.target)).into());
        }
        let expires_at_ms = instant("expires_at", &data.expires_at)?;
        let issued_at_ms = match &data.issued_at {
            Some(text) => instant("issued_at", text)?,
            None => expires_at_ms.saturating_sub(limits::GRANT_LIFE_MS),
        };
        let refused = way(&data).or_else(|| {
            in_time(issued_at_ms, expires_at_ms, now)
                .or_else(|| is_forgotten(issued_at_ms).then_some(GrantRefusal::OlderThanRemembered))
                .or_else(|| (!is_below(&data.path)).then(|| GrantRefusal::NotEvidence(clipped(&data.path))))
        });
        let GrantData { id, path, sha256, url, offset, headers, resumable, unmasked, .. } = data;
        let grant = Grant {
            id,
            path,
            sha256,
            expires_at_ms,
            issued_at_ms,
            url,
            offset,
            headers,
            resumable,
            unmasked,
            own: false,
            until: None,
        };
        Ok(JudgedGrant { grant, refused })
    }
}

/// A genuine grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedGrant {
    /// What it says.
    pub grant: Grant,
    /// Why it is not followed.
    pub refused: Option<GrantRefusal>,
}

/// Why the file cannot go that way.
fn way(data: &GrantData) -> Option<GrantRefusal> {
    match data.method.as_deref() {
        None | Some("PUT") if data.url.is_empty() || data.url.len() > limits::URL => {
            Some(GrantRefusal::BadUrl(data.url.len()))
        }
        None | Some("PUT") => match scheme(&data.url) {
            "https" | "http" => None,
            other => Some(GrantRefusal::UnknownScheme(clipped(other))),
        },
        Some("MQTT") if data.url.is_empty() => None,
        Some("MQTT") => Some(GrantRefusal::UrlWithMqtt),
        Some(_) => Some(GrantRefusal::UnknownMethod),
    }
}

/// What stands before the colon, without what may be secret behind it.
fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("", |(scheme, _)| scheme)
}

/// Why it does not count now.
fn in_time(issued_at_ms: i64, expires_at_ms: i64, now: Moment) -> Option<GrantRefusal> {
    if !now.is_vouched() || expires_at_ms <= now.wall_ms {
        return Some(GrantRefusal::Expired);
    }
    // By its own word, and by the box's clock: an id is remembered no longer than that.
    let longest = limits::GRANT_LIFE_MS;
    if expires_at_ms.saturating_sub(issued_at_ms) > longest
        || expires_at_ms.saturating_sub(now.wall_ms) > longest + limits::CLOCK_SKEW_MS
    {
        return Some(GrantRefusal::ValidTooLong);
    }
    let is_ahead = issued_at_ms > now.wall_ms.saturating_add(limits::CLOCK_SKEW_MS);
    is_ahead.then_some(GrantRefusal::IssuedInFuture)
}

/// `day/set/file`, and nothing that climbs out.
fn is_below(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    parts.len() == 3
        && parts.iter().all(|p| !p.is_empty() && !p.starts_with('.') && !p.contains(['\\', '\0']))
}

/// Folder of the incident (or command) and name of the file in it. `path`: below the evidence folder.
pub(crate) fn set_and_file(path: &str) -> (&str, &str) {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    (folder.rsplit('/').next().unwrap_or_default(), file)
}

/// The incident whose evidence that folder holds; `None`: a command's.
pub(crate) fn incident_of(set: &str) -> Option<&str> {
    Some(set).filter(|set| !set.starts_with(COMMAND_SET))
}

impl JudgedGrant {
    /// Another clock might say otherwise.
    pub fn is_out_of_time(&self) -> bool {
        use GrantRefusal::{Expired, IssuedInFuture, ValidTooLong};
        matches!(self.refused, Some(Expired | IssuedInFuture | ValidTooLong))
    }
}

/// Ids of what the box sends by itself begin so.
const OWN: &str = "push-";

impl Grant {
    /// A file that the box sends without being asked, in pieces over MQTT. `set` and `item`: as the manifest names them.
    pub fn own(set: &str, item: &EvidenceItem, now: Moment) -> Grant {
        Grant {
            id: format!("{OWN}{set}-{}", item.id),
            path: item.path.clone(),
            sha256: item.sha256.clone(),
            expires_at_ms: now.wall_ms.saturating_add(limits::PUSH_LIFE_MS),
            issued_at_ms: now.wall_ms,
            url: String::new(),
            offset: 0,
            headers: BTreeMap::new(),
            resumable: false,
            unmasked: false,
            own: true,
            until: Some(now.mono.plus_s(limits::PUSH_LIFE_MS as f64 / 1000.0)),
        }
    }

    /// What is left of its time, s; `None`: nobody can say.
    pub fn left_s(&self, now: Moment) -> Option<f64> {
        let by_wall =
            || now.is_vouched().then(|| self.expires_at_ms.saturating_sub(now.wall_ms) as f64 / 1000.0);
        self.until.map(|until| until.since_s(now.mono)).or_else(by_wall).map(|s| s.max(0.0))
    }

    /// In pieces through the link, see [`crate::chunk`].
    pub fn is_by_mqtt(&self) -> bool {
        self.url.is_empty()
    }

    /// Folder of the incident (or command) and name of the file in it.
    pub fn set_and_file(&self) -> (&str, &str) {
        set_and_file(&self.path)
    }

    /// The incident whose file it is; `None`: a command's.
    pub fn incident_id(&self) -> Option<&str> {
        incident_of(self.set_and_file().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::grant::{data, sealed};
    use crate::testing::{NOW_MS, keys, who};
    use kerbside_domain::time::ClockQuality;
    use serde_json::Value;

    #[test]
    fn a_grant_counts_only_signed_for_this_box_in_time_and_for_its_own_files() {
        let now = Moment { wall_ms: NOW_MS, quality: ClockQuality::Ntp, ..Moment::default() };
        let judged = |payload: &str, now| {
            SignedGrant::read(payload.as_bytes())
                .and_then(|grant| grant.judged(&who(), &keys(), now, |_| false))
        };
        let good = sealed(&data("g1"));
        let JudgedGrant { grant, refused } = judged(&good, now).unwrap();
        assert_eq!(refused, None);
        assert_eq!(grant.set_and_file(), ("01JINCIDENT", "r1-clip.mp4"));
        assert_eq!(grant.headers["x-amz-acl"], "private");
        assert!(!grant.unmasked && !grant.own);
        // Nobody can pass for the box itself.
        let mut forward = data("g2");
        (forward["unmasked"], forward["own"]) = (true.into(), true.into());
        let forward = judged(&sealed(&forward), now).unwrap().grant;
        assert!(forward.unmasked && !forward.own);
        let refused = |payload: &str, now: Moment, why: &str| {
            let refusal = match judged(payload, now) {
                Err(refusal) => refusal.to_string(),
                Ok(judged) => judged.refused.map(|r| r.to_string()).unwrap_or_default(),
            };
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
            ("url", "ftp://127.0.0.1/x", "ftp: only https"),
            ("url", "file:///etc/passwd", "file: only https"),
            ("url", "no url at all", "only https"),
            ("expires_at", "2026-11-28T08:30:01+08:00", "longer than 7 days"),
            ("expires_at", "9999-12-31T00:00:00Z", "longer than 7 days"),
            ("issued_at", "2026-11-21T09:00:00+08:00", "in the future"),
        ] {
            let mut data = data("g1");
            data[key] = Value::from(value);
            refused(&sealed(&data), now, why);
        }
    }

    #[test]
    fn a_grant_that_does_not_say_when_it_was_issued_is_bounded_too() {
        let now = Moment { wall_ms: NOW_MS, quality: ClockQuality::Ntp, ..Moment::default() };
        let judged = |expires_at: &str, floor_ms| {
            let mut data = data("g1");
            data.as_object_mut().unwrap().remove("issued_at");
            data["expires_at"] = Value::from(expires_at);
            let grant = SignedGrant::read(sealed(&data).as_bytes()).unwrap();
            grant.judged(&who(), &keys(), now, |issued_ms| issued_ms <= floor_ms).unwrap()
        };
        let soon = judged("2026-11-21T08:40:00+08:00", 0);
        assert_eq!((soon.refused, soon.grant.issued_at_ms), (None, NOW_MS - 7 * 86_400_000 + 534_880));
        assert_eq!(judged("2026-11-29T08:40:00+08:00", 0).refused, Some(GrantRefusal::ValidTooLong));
        let forgotten = judged("2026-11-21T08:40:00+08:00", NOW_MS - 86_400_000);
        assert_eq!(forgotten.refused, Some(GrantRefusal::OlderThanRemembered));
    }
}
