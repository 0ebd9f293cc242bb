//! What the centre signs: commands and grants always, receipts and case states where it wants to. The signature covers the exact bytes of `data` as they were sent.
//!
//! Signed text: the CloudEvents type, a line feed, then the bytes of `data` from its `{` to its `}`. Target and verb stand
//! inside `data`, so that what was signed for one box or verb is worth nothing on another topic. `keyid` and `signature`
//! (128 hex digits, Ed25519) are extension attributes of the envelope.

use kerbside_crypto::sign::{CentreKey, SigningKey};
use kerbside_domain::time::Moment;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::identity::Identity;
use crate::refusal::{NotGenuine, Refusal, malformed, wrong_type};
use crate::text::{clipped, to_json};

/// A signed statement, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// CloudEvents type.
    pub kind: &'static str,
    /// Which key it names.
    pub key_id: Option<String>,
    /// 128 hex digits.
    pub signature: Option<String>,
    /// `data`, byte for byte.
    pub text: String,
}

#[derive(Deserialize)]
struct SignedEvent<'a> {
    specversion: String,
    #[serde(rename = "type")]
    kind: String,
    keyid: Option<String>,
    signature: Option<String>,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Signed {
    /// Reads the envelope of a message of type `kind`.
    pub fn read(payload: &[u8], kind: &'static str) -> Result<Signed, Refusal> {
        let event: SignedEvent<'_> = serde_json::from_slice(payload).map_err(|e| malformed(&e))?;
        if event.specversion != "1.0" || event.kind != kind {
            return Err(wrong_type(&event.kind, kind));
        }
        let SignedEvent { keyid, signature, data, .. } = event;
        Ok(Signed { kind, key_id: keyid, signature, text: data.get().to_owned() })
    }

    /// Whether somebody says that he signed it.
    pub fn is_signed(&self) -> bool {
        self.signature.is_some() || self.key_id.is_some()
    }

    /// The key that signed it, if it may sign one of the words `what` and counts at `now`; the error says why none did. A box
    /// that does not know the time cannot tell that a key is too old.
    pub fn signer<'k>(
        &self,
        keys: &'k [CentreKey],
        what: &[&str],
        now: Moment,
    ) -> Result<&'k CentreKey, NotGenuine> {
        let key = self.key_of(keys)?;
        if now.is_vouched() && !key.counts_at(now.wall_ms) {
            return Err(NotGenuine::KeyNotValid(key.id.clone()));
        }
        if !key.may_sign(what) {
            let what = clipped(what.first().copied().unwrap_or_default());
            return Err(NotGenuine::OutOfScope { key: key.id.clone(), what });
        }
        Ok(key)
    }

    fn key_of<'k>(&self, keys: &'k [CentreKey]) -> Result<&'k CentreKey, NotGenuine> {
        if keys.is_empty() {
            return Err(NotGenuine::NoKeys);
        }
        let signature = self.signature.as_deref().ok_or(NotGenuine::NotSigned)?;
        let id = self.key_id.as_deref().ok_or(NotGenuine::NoKeyId)?;
        let key = keys.iter().find(|k| k.id == id);
        let key = key.ok_or_else(|| NotGenuine::UnknownKey(clipped(id)))?;
        if key.public.verifies(&signed_bytes(self.kind, &self.text), signature) {
            Ok(key)
        } else {
            Err(NotGenuine::WrongSignature(key.id.clone()))
        }
    }
}

/// What is signed.
pub fn signed_bytes(kind: &str, text: &str) -> Vec<u8> {
    [kind.as_bytes(), b"\n", text.as_bytes()].concat()
}

/// The envelope of a signed statement, as the centre sends it. `text`: a JSON object on one line.
pub fn envelope(kind: &str, id: &str, time: &str, key_id: &str, key: &SigningKey, text: &str) -> String {
    let signature = key.sign(&signed_bytes(kind, text));
    let (id, time, key_id) = (to_json(&id), to_json(&time), to_json(&key_id));
    format!(
        "{{\"specversion\":\"1.0\",\"id\":{id},\"source\":\"urn:kerbside:centre\",\"type\":\"{kind}\",\"time\":{time},\
         \"datacontenttype\":\"application/json\",\"keyid\":{key_id},\"signature\":\"{signature}\",\"data\":{text}}}"
    )
}

/// Whom a statement is for: one box, or all of a division.
pub fn target(who: &Identity, all: bool) -> String {
    if all { format!("urn:kerbside:{}:all", who.division) } else { who.source() }
}
