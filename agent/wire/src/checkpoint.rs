//! `audit.checkpoint`: the box signs where its journal stands, so that nobody can write another past later, the box included.
//!
//! Signed text, lines parted by line feeds: the CloudEvents type, `source`, the record's number, its hash, `time`. Whoever keeps
//! the checkpoints (the centre) can prove that a journal which is handed over later is the one that was signed.

use serde::Deserialize;

use super::Identity;
use super::envelope::{Message, to_json};
use kerbside_crypto::hash::Hash;
use kerbside_crypto::sign::{PublicKey, SigningKey};
use kerbside_domain::time::Moment;

pub const KIND: &str = "kerbside.audit.checkpoint.v1";

/// A checkpoint as it was published or journalled.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub source: String,
    pub time: String,
    /// Number and hash of the newest record that it covers; with it, by the chain, all before.
    pub n: u64,
    pub hash: Hash,
    pub key: PublicKey,
    pub signature: String,
}

#[derive(Deserialize)]
struct Event {
    source: String,
    time: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    n: u64,
    hash: Hash,
    key: String,
    signature: String,
}

impl Checkpoint {
    /// Reads an envelope of this type.
    pub fn read(envelope: &str) -> Result<Checkpoint, String> {
        let Event { source, time, data } = serde_json::from_str(envelope).map_err(|e| e.to_string())?;
        let Data { n, hash, key, signature } = data;
        let key = PublicKey::parse(&key).ok_or("its key is none")?;
        Ok(Checkpoint { source, time, n, hash, key, signature })
    }

    /// Whether the signature is good. `key`: whose it must be; none: the one that it names itself.
    pub fn verify(&self, key: Option<PublicKey>) -> Result<(), String> {
        if let Some(other) = key.filter(|key| *key != self.key) {
            return Err(format!("signed by {}, not by {other}", self.key));
        }
        let text = signed_text(&self.source, self.n, self.hash, &self.time);
        if self.key.verifies(text.as_bytes(), &self.signature) {
            Ok(())
        } else {
            Err("the signature is wrong".to_owned())
        }
    }
}

fn signed_text(source: &str, n: u64, hash: Hash, time: &str) -> String {
    format!("{KIND}\n{source}\n{n}\n{hash}\n{time}")
}

/// The message that covers the journal up to record `n`.
pub fn checkpoint(who: &Identity, key: &SigningKey, n: u64, hash: Hash, at: Moment) -> Message {
    let signature = key.sign(signed_text(&who.source(), n, hash, &who.time(at)).as_bytes());
    let public = key.public().to_string();
    Message {
        id: None,
        kind: "audit.checkpoint.v1".to_owned(),
        subject: None,
        at,
        correlation: None,
        topic: "audit".to_owned(),
        lane: 2,
        qos: 1,
        retain: false,
        expiry_s: None,
        data: to_json(&serde_json::json!({"n": n, "hash": hash, "key": public, "signature": signature})),
        slot: None,
    }
}
